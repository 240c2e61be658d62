/**
 * Room: local (level 6). The course of a run, from where it stands to its last step: order after order of one epoch each, or less where
 * a checkpoint is due, evaluations between epochs, and what all of it comes to. Whoever obeys the orders is the crew's affair.
 */
import { LockstepError } from '../errors.ts';
import { readStanding, type Standing } from '../model/standing.ts';
import type { EpochEvent, StepEvent } from '../telemetry/events.ts';
import type { TrainOrder } from '../train/loop.ts';
import type { TrainingSpec } from '../train/rank.ts';
import type { Checkpoints } from './checkpoints.ts';
import type { Crew } from './crew.ts';
import { evaluationOf } from './evaluate.ts';
import { epochMeans } from './history.ts';
import { ReportReader } from './reports.ts';

export interface CourseOptions {
  readonly crew: Crew;
  readonly stepsPerEpoch: number;
  /** In all. */
  readonly steps: number;
  readonly policy: Pick<TrainingSpec, 'onNonFinite' | 'haltAfterSkipped'>;
  /** Rows of the validation data; 0 without any. */
  readonly validationRows: number;
  /** True once somebody asked for the end of the run. */
  readonly isAsked: () => boolean;
  readonly checkpoints: Checkpoints | undefined;
  /** What the rates of the optimizer's schedule are for the order that is given next. */
  readonly rates: () => Pick<TrainOrder, 'rateScale' | 'leastRate'>;
  /** Of the epochs that were over before. */
  readonly told: readonly EpochEvent[];
  readonly onStep: (event: StepEvent) => void;
  /** The run goes on when it resolves. */
  readonly onEpoch: (event: EpochEvent) => Promise<void>;
}

/** What it came to; seconds and samples are those of training here. */
export interface CourseEnd {
  readonly steps: number;
  readonly epochs: readonly EpochEvent[];
  readonly trainingSeconds: number;
  readonly samples: number;
}

/** Resolves when all steps are done, or a stop was asked for. Throws LOCKSTEP_NON_FINITE when the policy ends the run. */
export async function follow(options: CourseOptions): Promise<CourseEnd> {
  const { crew, stepsPerEpoch, steps, policy, validationRows, isAsked, checkpoints, rates, onStep, onEpoch } = options;
  // What reports and the standing are read from lasts, whatever becomes of the plan.
  const { plan, arena } = crew.station;
  const stop = (): void => crew.requestStop();
  let standing = readStanding(arena, plan);
  const epochs = [...options.told];
  let last: StepEvent | undefined;
  let samples = 0;
  let trainingSeconds = 0;
  const reader = new ReportReader(plan, arena, (event) => {
    // The report of a step that was finished after a rank's death may come twice.
    if (event.step <= (last?.step ?? 0)) return;
    last = event;
    samples += event.samples;
    onStep(event);
  });

  /** An order up to step `end`, or until time is up; false when it ended before because a stop was asked for. */
  async function trainUntil(end: number, epoch: number): Promise<boolean> {
    const { step: done, updates, skippedInARow } = standing;
    let paused = false;
    const left = checkpoints?.msLeft;
    const pause = (): void => {
      paused = true;
      crew.requestPause();
    };
    const timer = left === undefined ? undefined : setTimeout(pause, left);
    const began = performance.now();
    const order = { epoch, firstBatch: done - epoch * stepsPerEpoch, batches: end - done, firstStep: done + 1, updates, skippedInARow, ...rates() };
    try {
      await reader.during(crew.train(order), stop);
    } finally {
      clearTimeout(timer);
    }
    trainingSeconds += (performance.now() - began) / 1000;
    standing = readStanding(arena, plan);
    if (isHalted(standing, policy) && last) throw haltedAt(last, standing.skippedInARow);
    return standing.step === end || paused;
  }

  while (standing.step < steps && !isAsked()) {
    const epoch = epochs.length;
    const end = Math.min(steps, (epoch + 1) * stepsPerEpoch);
    while (standing.step < end && !isAsked()) {
      const goesOn = await trainUntil(checkpoints?.nextStop(standing.step, end) ?? end, epoch);
      checkpoints?.atStep(standing.step, epochs);
      if (!goesOn) break;
    }
    // Stopped before its first step: there is nothing to tell of the epoch.
    if (standing.step === epoch * stepsPerEpoch) break;
    const evaluated = validationRows > 0 && !isAsked() ? await crew.evaluate() : undefined;
    const isPartial = standing.step < (epoch + 1) * stepsPerEpoch;
    const event: EpochEvent = {
      event: 'epoch',
      epoch,
      ...epochMeans(standing.epochSums, plan.measures),
      ...(evaluated && { validation: evaluationOf(crew.station, evaluated) }),
      ...(isPartial && { partial: true as const }),
    };
    epochs.push(event);
    await onEpoch(event);
    if (isPartial) break;
    checkpoints?.atEpoch(standing.step, epochs);
  }
  await checkpoints?.end(
    standing.step,
    epochs.filter(({ partial }) => !partial),
  );
  return { steps: standing.step, epochs, trainingSeconds, samples };
}

function isHalted({ skippedInARow }: Standing, { onNonFinite, haltAfterSkipped }: CourseOptions['policy']): boolean {
  return onNonFinite === 'halt' && skippedInARow >= haltAfterSkipped;
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
