/**
 * Room: local (level 6). `train()`: a whole run on this machine. The main thread loads, rings the ranks epoch by epoch, turns
 * their reports into events, and takes the weights home.
 */
import { parseRunSettings } from '../config/parse.ts';
import type { RunSettingsInput } from '../config/run.ts';
import { type Learnt, learntFrom, newsOf } from '../data/learnt.ts';
import { isLockstepError } from '../errors.ts';
import type { KernelSelection } from '../kernels/select.ts';
import type { Model } from '../model/model.ts';
import { readStanding } from '../model/standing.ts';
import { loadWeights } from '../model/weights.ts';
import { updateRule } from '../optimizers/rule.ts';
import type { EndEvent, EpochEvent, RunEvent, StepEvent } from '../telemetry/events.ts';
import { type CheckpointOptions, checkBest } from './checkpoint-options.ts';
import { Checkpoints } from './checkpoints.ts';
import { follow } from './course.ts';
import { type Crew, type OpenCrew, openLocalCrew } from './crew.ts';
import { extentOf } from './extent.ts';
import { type History, historyOf } from './history.ts';
import { type DataInput, openInputs } from './inputs.ts';
import { checkTrainOptions } from './options.ts';
import { Recordings, type RecordOptions } from './recordings.ts';
import { goOn, identityOf, type RunIdentity } from './resume.ts';
import { openRunDirectory } from './run-directory.ts';
import type { TeamOptions } from './team.ts';

export interface TrainOptions extends RunSettingsInput {
  /** Trained in place. A model without weights gets first ones from `seed`; one that has weights goes on from them. */
  readonly model: Model;
  readonly data: { readonly train: DataInput; readonly validation?: DataInput | undefined };
  /** A safetensors file of first weights. */
  readonly init?: string | undefined;
  /** Called for every step in order, up to some 25 ms after it. What it throws ends the run. */
  readonly onStep?: ((event: StepEvent) => void) | undefined;
  readonly onEpoch?: ((event: EpochEvent) => void) | undefined;
  /** Called for every event, those above included. */
  readonly onEvent?: ((event: RunEvent) => void) | undefined;
  /** Called once the run is checked and sized, before its first step. */
  readonly onStart?: ((run: RunStart) => void) | undefined;
  /** Where checkpoints are kept and when; absent: none are. */
  readonly checkpoints?: CheckpointOptions | undefined;
  /** Aborting ends the run after the step it is in; the run then returns, `interrupted`. */
  readonly signal?: AbortSignal | undefined;
  /** Told who does the work before `onStart`; for whoever watches. @internal */
  readonly onCrew?: ((crew: Crew) => void | Promise<void>) | undefined;
  /** Who does the work, when it is not this machine alone; the cluster's. @internal */
  readonly openCrew?: OpenCrew | undefined;
  /** Records the first steps of this machine's ranks. @internal */
  readonly record?: RecordOptions | undefined;
  /** Counts gradients in steps that are looked at closely. @internal */
  readonly gradientHistograms?: boolean | undefined;
  /** Told what befell ranks and what was done about it, a sentence each. */
  readonly onNews?: ((sentence: string) => void) | undefined;
  /** Makes a rank fail on purpose, and says when one is taken for stuck; for tests of recovery. @internal */
  readonly fault?: TeamOptions['fault'];
  readonly vigil?: TeamOptions['vigil'];
}

/** What a run turned out to be. */
export interface RunStart {
  readonly hosts: number;
  /** Of all hosts. */
  readonly workers: number;
  readonly shards: number;
  readonly kernels: KernelSelection;
  /** Training rows, steps an epoch and steps in all. */
  readonly samples: number;
  readonly stepsPerEpoch: number;
  readonly steps: number;
  /** Steps and whole epochs that were done before; 0 for a run that begins. */
  readonly from: number;
  readonly epochsBefore: number;
  /** Size of the arena. */
  readonly arenaBytes: number;
}

export interface Run extends Learnt {
  /** The model that was given, with the trained weights. */
  readonly model: Model;
  /** Keras' history: one number an epoch under `loss`, `accuracy`, `val_loss`, `val_accuracy`. */
  readonly history: History;
  readonly weightsSha256: string;
  readonly steps: number;
  readonly seconds: number;
  readonly samplesPerSecond: number;
  readonly interrupted: boolean;
}

/**
 * Trains `model` on all cores and returns when the run is done. The same options, data and `shards` give the same
 * weights bit for bit, whatever the number of workers (`shards` defaults to that number: give it to compare). Errors are `LockstepError`s, all with a code.
 */
export async function train(options: TrainOptions): Promise<Run> {
  checkTrainOptions(options);
  const {
    model,
    data,
    init,
    onStep,
    onEpoch,
    onEvent,
    onStart,
    onCrew,
    signal,
    openCrew = openLocalCrew,
    record,
    gradientHistograms,
    onNews,
    checkpoints: checkpointOptions,
    fault,
    vigil,
    ...given
  } = options;
  const settings = parseRunSettings(given, 'options');
  const { train: trainSource, validation } = await openInputs(data, settings);
  model.build(trainSource.inputShape);
  if (init !== undefined) model.load(init);

  const { batchSize, seed, shuffle, onNonFinite, haltAfterSkipped, optimizer, loss, metrics } = settings;
  const { perEpoch, steps } = extentOf(settings, trainSource.length);
  const tell = onNews ?? (() => {});
  for (const sentence of newsOf(trainSource)) tell(sentence);
  const training = { optimizer, seed, shuffle, batchSize, validationBatchSize: settings.validationBatchSize ?? batchSize, onNonFinite, haltAfterSkipped };
  checkBest(checkpointOptions?.best, metrics, validation !== undefined);
  const directory = checkpointOptions && (await openRunDirectory(checkpointOptions));
  if (directory) checkpointOptions?.onOpened?.(directory);
  for (const { folder, reason } of directory?.passedOver ?? []) tell(`passed over the checkpoint ${folder}: ${reason}`);
  let identity: RunIdentity | undefined;
  const crew = await openCrew({
    model,
    loss,
    // Another number of workers makes no other run of one that goes on.
    settings: { ...settings, shards: settings.shards ?? directory?.shards },
    training,
    ...(directory && {
      directory,
      onStation(station) {
        identity = identityOf(station, training, settings);
        if (directory.found) goOn(station, directory.found, identity, training, checkpointOptions);
      },
    }),
    optimizerSlots: updateRule(optimizer).slots.length,
    train: trainSource,
    ...(validation && { validation }),
    ...(record && { traceSteps: record.steps }),
    ...(gradientHistograms && { gradientHistograms }),
    ...(fault && { fault }),
    ...(vigil && { vigil }),
    onNews,
  });
  const { station, workers, hosts } = crew;
  // What reports and weights are read from lasts, whatever becomes of the plan.
  const { plan, arena, kernels } = station;
  const { shards } = plan.spec;
  const recordings = new Recordings(station, record?.onRecorded);
  const stop = (): void => crew.requestStop();
  let checkpoints: Checkpoints | undefined;
  let failure: unknown;
  signal?.addEventListener('abort', stop);
  try {
    const { step: from } = readStanding(arena, plan);
    // Of a run that goes on from an earlier step than it once reached, later epochs come again.
    const told = directory?.epochs.filter(({ epoch }) => (epoch + 1) * perEpoch <= from) ?? [];
    await onCrew?.(crew);
    onStart?.({
      hosts,
      workers,
      shards,
      kernels,
      samples: trainSource.length,
      stepsPerEpoch: perEpoch,
      steps,
      from,
      epochsBefore: told.length,
      arenaBytes: plan.memory.bytes,
    });
    if (signal?.aborted) stop();
    if (directory && identity)
      checkpoints = new Checkpoints({
        directory,
        options: checkpointOptions!,
        station,
        training,
        stepsPerEpoch: perEpoch,
        identity,
        onNews: tell,
        onEvent: (event) => onEvent?.(event),
      });
    const began = performance.now();
    const {
      steps: done,
      epochs,
      trainingSeconds,
      samples,
    } = await follow({
      crew,
      stepsPerEpoch: perEpoch,
      steps,
      metrics,
      policy: settings,
      validationRows: validation?.length ?? 0,
      signal,
      checkpoints,
      told,
      onStep(event) {
        recordings.handOver();
        onStep?.(event);
        onEvent?.(event);
      },
      onEpoch(event) {
        onEpoch?.(event);
        onEvent?.(event);
      },
    });
    const seconds = (performance.now() - began) / 1000;
    model.setWeights(loadWeights(model.topology, plan.weights, arena));
    const interrupted = done < steps;
    const { weightsSha256 } = model;
    const samplesPerSecond = trainingSeconds > 0 ? samples / trainingSeconds : 0;
    const end: EndEvent = {
      event: 'end',
      steps: done,
      seconds,
      samplesPerSecond,
      weightsSha256,
      ...(interrupted && { interrupted: true as const }),
      ...(crew.network && { network: crew.network }),
    };
    onEvent?.(end);
    return { model, history: historyOf(epochs), weightsSha256, steps: done, seconds, samplesPerSecond, interrupted, ...learntFrom(trainSource) };
  } catch (error) {
    failure = error;
    // All ranks are at rest and no skipped step left a trace: what was learnt before is worth keeping.
    if (isLockstepError(error) && error.code === 'LOCKSTEP_NON_FINITE') model.setWeights(loadWeights(model.topology, plan.weights, arena));
    throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
    await checkpoints?.close();
    await crew.end(failure);
    recordings.handOver(true);
  }
}
