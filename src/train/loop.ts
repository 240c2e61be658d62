/**
 * Room: train (level 5). What a rank does on a command: a run of steps of one epoch, or an evaluation. Between commands it
 * waits at the doorbell.
 */
import { throwIfAborted } from '../collectives/barrier.ts';
import { batchRows, stepsPerEpoch } from '../data/sampler.ts';
import type { Address } from '../memory/arena.ts';
import { type DataPlace, wholeWeight } from '../model/data-place.ts';
import { freezeUntil } from './freezing.ts';
import { computeLoss, feedOf, gather, setOrder } from './pass.ts';
import { enterPhase, type Rank } from './rank.ts';
import { type StepOrder, trainStep } from './step.ts';

/** The step number of what is no training step: an evaluation, in progress words. */
export const noStep = -1;

/** Batches [firstBatch, firstBatch + batches) of an epoch; the first of them is step `firstStep` of the run. */
export interface TrainOrder {
  readonly epoch: number;
  readonly firstBatch: number;
  readonly batches: number;
  readonly firstStep: number;
  /** Updates applied and steps skipped in a row before the first of these: what an optimizer and the policy count on from. */
  readonly updates: number;
  readonly skippedInARow: number;
  /** What rates of the optimizer's schedule are multiplied by, without getting lower than `leastRate` by that. */
  readonly rateScale: number;
  readonly leastRate: number;
}

/** The rates of the schedule as they are. */
export const scheduledRates = { rateScale: 1, leastRate: 0 } as const satisfies Partial<TrainOrder>;

/** Stops early when the ranks agreed to, or when the non-finite policy ends the run; the reports say so. */
export function trainBatches(rank: Rank, { epoch, firstBatch, batches, firstStep, updates, skippedInARow, rateScale, leastRate }: TrainOrder): void {
  const order: StepOrder = { epoch, batch: 0, step: 0 };
  rank.updates = updates;
  rank.skippedInARow = skippedInARow;
  rank.rule.scaleRates(rateScale, leastRate);
  freezeUntil(rank, epoch);
  setOrder(rank, epoch);
  rank.clock.restart(0);
  const feed = feedOf(rank, rank.runtime.plan.train!);
  feed?.begin();
  for (let i = 0; i < batches; i++) {
    order.batch = firstBatch + i;
    order.step = firstStep + i;
    if (!recordedStep(rank, order)) break;
    feed?.next();
  }
}

/** A step that throws was given up: its record ends there. */
function recordedStep(rank: Rank, order: StepOrder): boolean {
  rank.recorder?.beginStep(order.step);
  try {
    return trainStep(rank, order);
  } finally {
    rank.recorder?.endStep();
  }
}

/**
 * The loss's and the metrics' sums over a whole data set, with moving statistics, in its own order. Each shard
 * adds its batches in order, then the shards meet once along the tree: the same bits for any number of ranks.
 * Afterwards the sums are at `own.lossSums.result` of every rank; among hosts, of the coordinator's leader.
 */
export function evaluate(rank: Rank, data: DataPlace): void {
  const { runtime, arena } = rank;
  const { own, plan } = runtime;
  const { shards } = own;
  const { length } = plan.measures;
  const sums = new Float64Array(length * shards.count);
  // Nothing is divided here: there is no gradient.
  rank.divisor = 1;
  rank.rowWeight = wholeWeight(arena, data) / data.spec.length;
  const blocks = (own.lossSums.blocks >>> 3) + length * shards.first;
  forBatches(rank, data, () => {
    enterPhase(rank, 'loss');
    computeLoss(rank, data, false);
    const { first, count } = runtime.context.shards;
    const from = length * (first - shards.first);
    for (let i = from; i < from + length * count; i++) sums[i]! += arena.f64[blocks + i]!;
  });
  arena.f64.set(sums, blocks);
  if (!rank.uplink) {
    runtime.sync.mergeSums(own.lossSums);
    return;
  }
  runtime.sync.publishSums(own.lossSums);
  if (plan.shards.hosts!.host === 0) {
    rank.uplink.take('sums');
    if (runtime.rank === 0) runtime.sync.combineSums(own.lossSums);
  } else {
    rank.uplink.announce('losses');
  }
}

/**
 * The model's outputs for a whole data set, with moving statistics, in its own order, to `outputs`: float32 (rows, ...output shape). Each
 * rank writes those of its own shards' rows and meets nobody: the same bits for any number of ranks.
 */
export function predictRows(rank: Rank, data: DataPlace, outputs: Address): void {
  const { own, context } = rank.runtime;
  const { f32 } = rank.arena;
  const size = own.outputSize;
  const from = own.output >>> 2;
  forBatches(rank, data, (first) => {
    const { firstRow, rows } = context.batch;
    f32.copyWithin((outputs >>> 2) + (first + firstRow) * size, from, from + rows * size);
  });
}

/**
 * Moving statistics become those of a whole data set, in the order of a first epoch, with the weights as they are. Nothing is changed before all batches
 * have been seen, and what is seen does not depend on it: it can be done again from the beginning.
 */
export function recalibrate(rank: Rank, data: DataPlace): void {
  const { runtime } = rank;
  setOrder(rank, 0);
  // Rows that stand together in a file may be all of one class. Nobody writes the blocks of the next batch while somebody reads those of this one.
  forBatches(rank, data, () => rank.meeting.meet(), { shuffled: true, forward: (first) => runtime.collect(first === 0, rank.markLayer) });
  runtime.settle();
}

interface Walk {
  /** In the order that was set, and not in the rows' own. */
  readonly shuffled: boolean;
  /** Given the batch's first row. */
  readonly forward: (first: number) => void;
}

/** Forward over a data set, batch by batch and in passes; `each` is given the batch's first row. */
function forBatches(rank: Rank, data: DataPlace, each: (first: number) => void, walk?: Walk): void {
  const { runtime, spec, arena } = rank;
  const { length } = data.spec;
  const batchSize = spec.validationBatchSize;
  rank.clock.restart(0);
  const feed = feedOf(rank, data);
  feed?.begin();
  for (let batch = 0; batch < stepsPerEpoch(length, batchSize, false); batch++) {
    runtime.setBatch(batchRows(length, batchSize, batch), noStep);
    for (let pass = 0; pass < runtime.own.passes.length; pass++) {
      runtime.enterPass(pass);
      throwIfAborted(arena.i32, rank.control);
      enterPhase(rank, 'data');
      gather(rank, data, batch * batchSize, walk?.shuffled ?? false);
      enterPhase(rank, 'forward');
      if (walk) walk.forward(batch * batchSize);
      else runtime.forward(false, rank.markLayer);
      each(batch * batchSize);
    }
    feed?.next();
  }
}
