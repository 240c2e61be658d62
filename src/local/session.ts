/**
 * Room: local (level 6). A model, its data and the ranks of this machine brought together over one arena: what training and
 * evaluation have in common. Everything is checked before a thread is started.
 */
import { availableParallelism } from 'node:os';
import type { DataConfigInput } from '../config/data.ts';
import { parseDataConfig } from '../config/parse.ts';
import type { RunSettings } from '../config/run.ts';
import { type ArrayData, arraySource } from '../data/arrays.ts';
import { openData } from '../data/datasets.ts';
import { checkLabels, type DataSource } from '../data/source.ts';
import { LockstepError } from '../errors.ts';
import { type KernelSelection, selectKernels } from '../kernels/select.ts';
import { type LossSpec, lossOf } from '../losses/loss.ts';
import { Arena } from '../memory/arena.ts';
import { formatShape, sizeOf } from '../memory/shape.ts';
import type { Model } from '../model/model.ts';
import { type DataPlace, type DataSpec, planRun, type RunPlan } from '../model/plan.ts';
import { endsInSoftmax } from '../model/topology.ts';
import { storeWeights } from '../model/weights.ts';
import type { TrainingSpec } from '../train/rank.ts';
import { Team, type TeamOptions } from './team.ts';

/** Data as users give it: a description of files, arrays in memory, or a source of their own. */
export type DataInput = DataConfigInput | ArrayData | DataSource;

export function openInput(input: DataInput, where: string): DataSource {
  if ('readRows' in input) return input;
  return 'x' in input ? arraySource(input) : openData(parseDataConfig(input, where));
}

export interface SessionOptions {
  readonly model: Model;
  readonly loss: LossSpec;
  readonly settings: Pick<RunSettings, 'workers' | 'shards' | 'kernels' | 'batchSize' | 'metrics'>;
  readonly training: TrainingSpec;
  readonly optimizerSlots: number;
  readonly train?: DataSource;
  readonly validation?: DataSource;
  readonly inputGradient?: boolean;
  readonly fault?: TeamOptions['fault'];
  /** Told which kernels were taken and why, before the ranks start. */
  readonly onKernels?: ((selection: KernelSelection) => void) | undefined;
}

export interface Session {
  readonly plan: RunPlan;
  readonly arena: Arena;
  readonly team: Team;
  readonly kernels: KernelSelection;
}

/**
 * Checks, plans, allocates, loads and starts. `settings.workers` defaults to the number of cores and `shards` to the number
 * of workers, neither more than the batch has rows. Training gives a model without weights its first ones, once the run is known to fit;
 * evaluation refuses it. The model's input shape is fixed by the data.
 */
export function openSession(options: SessionOptions): Session {
  const { model, loss, settings, training, train, validation } = options;
  const source = (train ?? validation)!;
  for (const [data, place] of [
    [train, 'data.train'],
    [validation, 'data.validation'],
  ] as const) {
    if (data) checkFit(model, loss, data, place, settings.metrics);
  }
  const largestBatch = Math.max(train ? training.batchSize : 0, validation ? training.validationBatchSize : 0);
  const ranks = settings.workers ?? Math.min(availableParallelism(), training.batchSize);
  const shards = settings.shards ?? ranks;
  if (shards > training.batchSize) {
    const name = settings.shards === undefined ? 'workers' : 'shards';
    throw new LockstepError(
      'LOCKSTEP_CONFIG',
      `Expected \`${name}\` to be at most the batch size, ${training.batchSize}, got \`${shards}\`; use fewer ${name} or a larger batchSize.`,
    );
  }
  const plan = planRun({
    model: model.config,
    inputShape: source.inputShape,
    loss,
    shards,
    ranks,
    batchRows: largestBatch,
    optimizerSlots: options.optimizerSlots,
    ...(train && { train: dataSpec(train) }),
    ...(validation && { validation: dataSpec(validation) }),
    ...(options.inputGradient && { inputGradient: true }),
  });
  const kernels = selectKernels(settings.kernels);
  options.onKernels?.(kernels);
  const arena = Arena.create(plan.memory.bytes);
  if (train && !model.isInitialized) model.initialize(training.seed);
  storeWeights(model.getWeights(), plan.weights, arena);
  if (train && plan.train) storeData(train, plan.train, arena);
  if (validation && plan.validation) storeData(validation, plan.validation, arena);
  const team = new Team({ plan, training, kernels, arena, ...(options.fault && { fault: options.fault }) });
  return { plan, arena, team, kernels };
}

/** Data, model, loss and metrics must agree in shape and kind. Throws LOCKSTEP_SHAPE, LOCKSTEP_DATA or LOCKSTEP_CONFIG. */
function checkFit(model: Model, loss: LossSpec, source: DataSource, place: string, metrics: readonly string[]): void {
  model.build(source.inputShape);
  const { outputShape } = model.topology;
  const { labels, fusesSoftmax, countsCorrect } = lossOf(loss);
  if (fusesSoftmax && !endsInSoftmax(model.config)) {
    throw new LockstepError(
      'LOCKSTEP_CONFIG',
      'Expected the last layer to end in softmax for the loss sparseCategoricalCrossentropy; give it `activation: "softmax"`, or the loss `{ type: "sparseCategoricalCrossentropy", fromLogits: true }`.',
    );
  }
  if (metrics.includes('accuracy') && !countsCorrect) {
    throw new LockstepError(
      'LOCKSTEP_CONFIG',
      'Expected `metrics` without accuracy for a loss on target values, got `accuracy`; leave it out or train on classes with sparseCategoricalCrossentropy.',
    );
  }
  if (labels === 'class') {
    if (outputShape.length !== 1) {
      throw new LockstepError(
        'LOCKSTEP_SHAPE',
        `Expected the model to give one number a class, shape (classes,), got ${formatShape(outputShape)}; end with flatten and dense layers.`,
      );
    }
    checkLabels(source, outputShape[0]!);
    return;
  }
  if (source.labels.kind !== 'target') {
    throw new LockstepError(
      'LOCKSTEP_DATA',
      `Expected the labels of \`${place}\` to be target values for the loss meanSquaredError, got classes; give targets, or use sparseCategoricalCrossentropy.`,
    );
  }
  if (sizeOf(source.labels.shape) !== sizeOf(outputShape)) {
    throw new LockstepError(
      'LOCKSTEP_SHAPE',
      `Expected the targets of \`${place}\` to have the shape of the model's output, ${formatShape(outputShape)}, got ${formatShape(source.labels.shape)}; change the last layer or the targets.`,
    );
  }
}

function dataSpec({ length, inputShape, inputType, scale, labels }: DataSource): DataSpec {
  return { length, inputShape, inputType, scale, targetSize: labels.kind === 'class' ? 0 : sizeOf(labels.shape) };
}

function storeData(source: DataSource, { spec, inputs, labels }: DataPlace, { u8, f32, i32 }: Arena): void {
  const count = spec.length * sizeOf(spec.inputShape);
  source.readAll(spec.inputType === 'uint8' ? u8.subarray(inputs, inputs + count) : f32.subarray(inputs >>> 2, (inputs >>> 2) + count));
  if (source.labels.kind === 'class') i32.set(source.labels.values, labels >>> 2);
  else f32.set(source.labels.values, labels >>> 2);
}
