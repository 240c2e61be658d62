/**
 * Room: local (level 6). A model, its data and the ranks of this machine brought together over one arena: what training and
 * evaluation have in common. Everything is checked before a thread is started.
 */
import { availableParallelism } from 'node:os';
import type { ModelConfig } from '../config/layers.ts';
import type { RunSettings } from '../config/run.ts';
import type { DataSource } from '../data/source.ts';
import { LockstepError } from '../errors.ts';
import { type KernelSelection, selectKernels } from '../kernels/select.ts';
import type { LossSpec } from '../losses/loss.ts';
import type { Arena } from '../memory/arena.ts';
import { sizeOf } from '../memory/shape.ts';
import type { MetricSpec } from '../metrics/measures.ts';
import type { Model } from '../model/model.ts';
import type { DataPlace, DataSpec, PlanSpec } from '../model/plan.ts';
import { storeWeights } from '../model/weights.ts';
import type { OptimizerRoom } from '../optimizers/room.ts';
import type { TrainingSpec } from '../train/rank.ts';
import type { OpenedDirectory } from './checkpoint-options.ts';
import { checkDataFits, checkModelFits, checkTrainable } from './fit.ts';
import { Station, type StationOptions } from './station.ts';
import type { TeamOptions } from './team.ts';
import { weightsOf } from './weights.ts';

/** What a plan is made from. */
export interface PlanOptions extends OptimizerRoom {
  readonly model: Model;
  readonly loss: LossSpec;
  readonly settings: Pick<RunSettings, 'workers' | 'shards' | 'batchSize' | 'validationBatchSize'> & {
    readonly gradientAccumulationSteps?: number;
    readonly metrics: readonly MetricSpec[];
  };
  readonly train?: DataSource;
  readonly validation?: DataSource;
  readonly inputGradient?: boolean;
  /** Of each class, in the loss of training. */
  readonly classWeights?: readonly number[];
  /** The model as it is trained, if some of its layers are not. */
  readonly trainedAs?: ModelConfig;
  /** As in `PlanSpec`. */
  readonly freezes?: boolean;
  readonly traceSteps?: number;
  readonly gradientHistograms?: boolean;
}

export interface SessionOptions extends PlanOptions {
  readonly settings: PlanOptions['settings'] & Pick<RunSettings, 'kernels'>;
  readonly training: TrainingSpec;
  readonly fault?: TeamOptions['fault'];
  readonly vigil?: TeamOptions['vigil'];
  /** Where the run is kept, if it is. */
  readonly directory?: OpenedDirectory;
  /** Given the station with weights and data, before anybody computes: it may go on from other ones. */
  readonly onStation?: (station: Station) => void;
  /** Told what befell ranks and what was done about it, a sentence each. */
  readonly onNews?: ((sentence: string) => void) | undefined;
  /** Told which kernels were taken and why, before the ranks start. */
  readonly onKernels?: ((selection: KernelSelection) => void) | undefined;
}

/**
 * What a run of `model`, built for its data, must be planned for, once everything about it was checked. `settings.workers` defaults
 * to the number of cores, but no more than a batch has rows or there are shards; `shards` to the number of workers. Nothing is changed.
 */
export function planSpecFor({
  model,
  loss,
  settings,
  optimizerSlots,
  clipUnits,
  clipHistory,
  train,
  validation,
  inputGradient = false,
  classWeights,
  trainedAs = model.config,
  freezes,
  traceSteps,
  gradientHistograms,
}: PlanOptions): PlanSpec {
  const { batchSize, validationBatchSize = batchSize, metrics, gradientAccumulationSteps: passes = 1 } = settings;
  checkModelFits(model, loss, metrics);
  // What is asked for its input's gradient has that to compute.
  if (train && !inputGradient) checkTrainable(trainedAs, model.topology.inputShape);
  if (train) checkDataFits(model, loss, { source: train, place: 'data.train' });
  if (validation) checkDataFits(model, loss, { source: validation, place: train ? 'data.validation' : 'data' });
  const evaluationRows = validation ? Math.min(validationBatchSize, validation.length) : 0;
  const ranks = settings.workers ?? Math.min(availableParallelism(), batchSize, settings.shards ?? Number.POSITIVE_INFINITY);
  return {
    model: trainedAs,
    inputShape: model.topology.inputShape,
    loss,
    ...(metrics.length > 0 && { metrics }),
    shards: settings.shards ?? ranks,
    ranks,
    // A batch larger than the data never comes.
    batchRows: Math.max(train ? Math.min(batchSize, train.length) : 0, evaluationRows),
    ...(passes > 1 && { passes }),
    optimizerSlots,
    ...(clipUnits && { clipUnits }),
    ...(clipHistory !== undefined && { clipHistory }),
    ...(train && { train: dataSpec(train, classWeights) }),
    ...(validation && { validation: dataSpec(validation) }),
    ...(inputGradient && { inputGradient: true }),
    ...(traceSteps !== undefined && { traceSteps }),
    ...(freezes && { freezes }),
    ...(gradientHistograms && { gradientHistograms }),
  };
}

/**
 * Checks, plans, allocates and loads; the ranks do not run yet. The model's input shape is fixed by the training data, or by what
 * there is without it. Training gives a model without weights its first ones, once the run is known to fit; evaluation refuses it.
 * `among` is given when the run has several hosts.
 */
export function openStation(options: SessionOptions, among?: Required<Pick<StationOptions, 'worker'>>): Station {
  const { model, settings, training, train, validation } = options;
  model.build((train ?? validation)!.inputShape);
  // Ranks get room for the batches that they are told to compute.
  const { batchSize, validationBatchSize } = training;
  const spec = planSpecFor({ ...options, settings: { ...settings, batchSize, validationBatchSize } });
  const kernels = selectKernels(settings.kernels);
  options.onKernels?.(kernels);
  const station = new Station({
    spec,
    training,
    kernels,
    rowFiles: { train: train?.rowFile, validation: validation?.rowFile },
    ...(among && { changes: true, ...among }),
    ...(options.fault && { fault: options.fault }),
    ...(options.vigil && { vigil: options.vigil }),
  });
  const { plan, arena } = station;
  if (train && !model.isInitialized) model.initialize(training.seed, { missing: true });
  storeWeights(model.getWeights(), plan, arena);
  if (train && plan.train) storeData(train, plan.train, arena);
  if (validation && plan.validation) storeData(validation, plan.validation, arena);
  options.onStation?.(station);
  return station;
}

/** What ranks are told that never train: no update, no order, no policy is asked for. */
export const noTraining = {
  optimizer: { type: 'sgd', learningRate: 0, momentum: 0, nesterov: false },
  seed: 0,
  shuffle: false,
  onNonFinite: 'halt',
  haltAfterSkipped: 1,
} as const satisfies Partial<TrainingSpec>;

/** How the rows of a source are stored. */
export function dataSpec({ length, inputShape, inputType, scale, labels, weights, rowFile }: DataSource, classWeights?: readonly number[]): DataSpec {
  return {
    length,
    inputShape,
    inputType,
    scale,
    targetSize: labels.kind === 'class' ? 0 : sizeOf(labels.shape),
    ...((weights || classWeights) && { weighted: true }),
    ...(classWeights && { classWeights }),
    ...(rowFile && { streamed: true }),
  };
}

/** Writes all rows and labels of a source to the place that was planned for its `dataSpec`; inputs that are streamed stay where they are. */
export function storeData(source: DataSource, { spec, inputs, labels, weights }: DataPlace, { u8, f32, i32 }: Arena): void {
  const expected = spec.length * Math.max(1, spec.targetSize);
  if (source.labels.values.length !== expected) {
    throw new LockstepError('LOCKSTEP_INTERNAL', `Expected ${expected} labels of ${source.name} as planned, got ${source.labels.values.length}; report this defect.`);
  }
  const count = spec.length * sizeOf(spec.inputShape);
  if (!spec.streamed) source.readAll(spec.inputType === 'uint8' ? u8.subarray(inputs, inputs + count) : f32.subarray(inputs >>> 2, (inputs >>> 2) + count));
  if (source.labels.kind === 'class') i32.set(source.labels.values, labels >>> 2);
  else f32.set(source.labels.values, labels >>> 2);
  if (spec.weighted) f32.set(weightsOf(source, spec.classWeights), weights >>> 2);
}
