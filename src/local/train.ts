/**
 * Room: local (level 6). `train()`: a whole run on this machine. The main thread loads, rings the ranks epoch by epoch, turns
 * their reports into events, and takes the weights home.
 */
import { runDefaults } from '../config/defaults.ts';
import { parseRunSettings } from '../config/parse.ts';
import type { RunSettingsInput } from '../config/run.ts';
import { stepsPerEpoch } from '../data/sampler.ts';
import { LockstepError } from '../errors.ts';
import type { KernelSelection } from '../kernels/select.ts';
import type { Model } from '../model/model.ts';
import { loadWeights } from '../model/weights.ts';
import { updateRule } from '../optimizers/rule.ts';
import type { EndEvent, EpochEvent, RunEvent, StepEvent } from '../telemetry/events.ts';
import { type Crew, type OpenCrew, openLocalCrew } from './crew.ts';
import { evaluationOf } from './evaluate.ts';
import { Averages, type History, historyOf } from './history.ts';
import { checkTrainOptions } from './options.ts';
import { Recordings, type RecordOptions } from './recordings.ts';
import { ReportReader } from './reports.ts';
import { type DataInput, openInput } from './session.ts';
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

/** Steps are counted in int32 words of the arena. */
const mostSteps = 2 ** 31 - 1;

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
  /** Size of the arena. */
  readonly arenaBytes: number;
}

export interface Run {
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
    fault,
    vigil,
    ...given
  } = options;
  const settings = parseRunSettings(given, 'options');
  const trainSource = openInput(data.train, 'data.train');
  const validation = data.validation && openInput(data.validation, 'data.validation');
  model.build(trainSource.inputShape);
  if (init !== undefined) model.load(init);

  const { batchSize, seed, shuffle, dropRemainder, onNonFinite, haltAfterSkipped, optimizer, loss, metrics } = settings;
  const perEpoch = stepsPerEpoch(trainSource.length, batchSize, dropRemainder);
  if (perEpoch === 0) {
    throw new LockstepError(
      'LOCKSTEP_CONFIG',
      `Expected at least one full batch of ${batchSize} rows with dropRemainder, got ${trainSource.length} rows; use a smaller batchSize or keep the remainder.`,
    );
  }
  const steps = Math.min(
    settings.steps ?? Number.POSITIVE_INFINITY,
    (settings.epochs ?? (settings.steps === undefined ? runDefaults.epochs : Number.POSITIVE_INFINITY)) * perEpoch,
  );

  if (steps > mostSteps) throw new LockstepError('LOCKSTEP_CONFIG', `Expected at most ${mostSteps} steps in a run, got ${steps}; use fewer epochs.`);

  const crew = await openCrew({
    model,
    loss,
    settings,
    training: { optimizer, seed, shuffle, batchSize, validationBatchSize: settings.validationBatchSize ?? batchSize, onNonFinite, haltAfterSkipped },
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
  let failure: unknown;
  signal?.addEventListener('abort', stop);
  try {
    await onCrew?.(crew);
    onStart?.({ hosts, workers, shards, kernels, samples: trainSource.length, stepsPerEpoch: perEpoch, steps, arenaBytes: plan.memory.bytes });
    if (signal?.aborted) stop();
    const epochs: EpochEvent[] = [];
    const averages = new Averages();
    let last: StepEvent | undefined;
    let [updates, skippedInARow] = [0, 0];
    let trainingSeconds = 0;
    let samples = 0;
    const reader = new ReportReader(plan, arena, metrics, (event) => {
      // The report of a step that was finished after a rank's death may come twice.
      if (last && event.step <= last.step) return;
      last = event;
      updates += event.skipped ? 0 : 1;
      skippedInARow = event.skipped ? skippedInARow + 1 : 0;
      samples += event.samples;
      averages.add(event);
      recordings.handOver();
      onStep?.(event);
      onEvent?.(event);
    });
    const began = performance.now();
    for (let done = 0, epoch = 0; done < steps && !signal?.aborted; epoch++) {
      const batches = Math.min(perEpoch, steps - done);
      const before = performance.now();
      await reader.during(crew.train({ epoch, firstBatch: 0, batches, firstStep: done + 1, updates, skippedInARow }), stop);
      trainingSeconds += (performance.now() - before) / 1000;
      const ran = (last?.step ?? 0) - done;
      done += ran;
      // Stopped before its first step: there is nothing to tell of the epoch.
      if (ran === 0) break;
      if (onNonFinite === 'halt' && skippedInARow >= haltAfterSkipped) {
        // All ranks are at rest and no skipped step left a trace: what was learnt before is worth keeping.
        model.setWeights(loadWeights(model.topology, plan.weights, arena));
        throw haltedAt(last!, skippedInARow);
      }
      const evaluates = validation !== undefined && !signal?.aborted;
      const evaluated = evaluates ? await crew.evaluate() : undefined;
      const event: EpochEvent = {
        event: 'epoch',
        epoch,
        ...averages.take(),
        ...(evaluated && validation && { validation: evaluationOf(evaluated, validation.length, metrics) }),
        ...(ran < perEpoch && { partial: true as const }),
      };
      epochs.push(event);
      onEpoch?.(event);
      onEvent?.(event);
    }
    const seconds = (performance.now() - began) / 1000;
    model.setWeights(loadWeights(model.topology, plan.weights, arena));
    const done = last?.step ?? 0;
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
    return { model, history: historyOf(epochs), weightsSha256, steps: done, seconds, samplesPerSecond, interrupted };
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
    await crew.end(failure);
    recordings.handOver(true);
  }
}

/** Why the policy ended the run with `step`, the last of `skippedInARow` skipped ones. */
function haltedAt({ step, loss, gradNorm, skipped }: StepEvent, skippedInARow: number): LockstepError {
  const { phase, layer, shard } = skipped!;
  const count = `${skippedInARow} skipped step${skippedInARow === 1 ? '' : 's'} in a row`;
  const place = [layer === undefined ? '' : `layer \`${layer}\``, shard === undefined ? '' : `shard ${shard}`].filter(Boolean).join(', ');
  return new LockstepError(
    'LOCKSTEP_NON_FINITE',
    `Expected finite losses and gradients, got a loss of ${loss} and a gradient norm of ${gradNorm} at step ${step}, after ${count}, not finite first in phase ${phase}${place && ` (${place})`}; lower the learning rate, set globalClipnorm, or check the data.`,
  );
}
