/**
 * Room: train (level 5). One step of one rank, as the data sees it: gather, forward, loss, backward, sum, decide, update,
 * report. Weights, moving statistics and optimizer state change in `update` only, after everybody agreed; whatever fails
 * before that can be done again with the same samples.
 */
import { throwIfAborted } from '../collectives/barrier.ts';
import { batchRows } from '../data/sampler.ts';
import { epochSumsAt, gradNormsAt, standingIndex } from '../model/standing.ts';
import { reportFields, reportIndex, reportStart, ringLength } from '../telemetry/reports.ts';
import { phaseIndex } from '../telemetry/timing.ts';
import { constrain } from './bounds.ts';
import type { Decision } from './decision.ts';
import { diagnose, type Finding, noFinding } from './diagnose.ts';
import { settleNorms } from './norms.ts';
import { beginObservation } from './observe.ts';
import { computePasses, setDivisor } from './pass.ts';
import { enterPhase, type Rank } from './rank.ts';
import { reduceShare, sumOnHost } from './reduce.ts';
import { clippedGradient, settleUnits } from './units.ts';
import { reachVerdict } from './verdict.ts';

/** Which batch a step is. */
export interface StepOrder {
  epoch: number;
  /** The batch within the epoch, from 0. */
  batch: number;
  /** The step within the run, from 1. */
  step: number;
}

/** Returns false when training ends after this step: the non-finite policy says so, or the main thread asked for it. */
export function trainStep(rank: Rank, order: StepOrder): boolean {
  const { runtime, spec, control, arena } = rank;
  const data = runtime.plan.train!;
  const began = performance.now();
  if (runtime.rank === 0) {
    Atomics.store(arena.i32, control.stopAgreed, Atomics.load(arena.i32, control.stopRequest));
    Atomics.store(arena.i32, control.observeAgreed, Atomics.load(arena.i32, control.observeRequest));
  }

  runtime.setBatch(batchRows(data.spec.length, spec.batchSize, order.batch), order.step);
  enterPhase(rank, 'data');
  setDivisor(rank, data, order.batch * spec.batchSize);
  computePasses(rank, order.batch * spec.batchSize);
  if (rank.uplink) reduceShare(rank);
  else sumOnHost(rank);
  const decision = reachVerdict(rank);
  let finding = noFinding;
  if (decision === 'apply') update(rank, order.step);
  else {
    // What it would have been updated with is told, too.
    rank.rule.prepare(rank.updates + 1);
    finding = diagnose(rank, order.batch * spec.batchSize);
  }
  rank.meeting.meet();
  if (runtime.rank === 0) conclude(rank, order, (performance.now() - began) / 1000, decision, finding);
  if (runtime.plan.shards.hosts?.own.length === 0) rank.uplink!.announce('stood');
  return decision !== 'halt' && !rank.stops;
}

/**
 * This rank's blocks of the parameters follow their gradient; moving statistics follow their batch. What a rank before this one did of
 * the step already is not done again; `isBegun` says that there was one.
 */
export function update(rank: Rank, step: number, isBegun = false): void {
  const { runtime, rule, clip: outcomeOfClip, bounds, blocksFrom, blocksTo, updating } = rank;
  const { plan, context } = runtime;
  const { blocks, tensors, gradients, parameters, optimizerSlots } = plan;
  const observation = beginObservation(rank);
  enterPhase(rank, 'optimizer');
  rule.prepare(rank.updates);
  settleUnits(rank, isBegun);
  settleNorms(rank, isBegun);
  const done = updating.begin(step);
  for (let block = blocksFrom + done; block < blocksTo; block++) {
    const tensor = blocks.tensor[block]!;
    const offset = tensors[tensor]!.offset + 4 * blocks.start[block]!;
    const scale = outcomeOfClip.tensorScale[tensor]!;
    const g = clippedGradient(rank, block, gradients.global + offset);
    observation?.before(block, parameters + offset, blocks.length[block]!);
    updating.enter(block - blocksFrom);
    rule.apply(context.kernels, tensor, parameters + offset, optimizerSlots, offset, g, blocks.length[block]!, scale, outcomeOfClip.limit);
    updating.leave(block - blocksFrom);
    observation?.after(block, parameters + offset, blocks.length[block]!);
  }
  observation?.end(step);
  let unit = blocksTo - blocksFrom;
  if (bounds.constraints.length > 0) {
    // A constraint looks at whole columns, which several ranks may update.
    rank.meeting.meet();
    if (done <= unit) {
      updating.enter(unit);
      constrain(rank);
      updating.leave(unit);
    }
    unit++;
  }
  enterPhase(rank, 'commit');
  if (done > unit) return;
  updating.enter(unit);
  runtime.commit();
  updating.leave(unit);
}

/** The step is over for everybody on this host, and all of it is in memory: told where the run is, and then true. */
export function conclude(rank: Rank, order: StepOrder, seconds: number, decision: Decision, finding: Finding): void {
  // Reports are read where the run is: the rooms of other hosts would only fill up.
  if ((rank.runtime.plan.shards.hosts?.host ?? 0) === 0) report(rank, order, seconds, decision, finding);
  stand(rank, order, decision === 'apply');
}

/** As in Keras, skipped steps do not count in the means of an epoch. */
function stand({ runtime, arena: { i32, f64 }, clip, updates, skippedInARow, divisor, lossSum }: Rank, { batch, step }: StepOrder, applied: boolean): void {
  const { plan, own, context } = runtime;
  const { clipHistory = 0 } = plan.spec;
  const { globalRows } = context.batch;
  const { length } = plan.measures;
  const of = own.lossSums.result >>> 3;
  const sums = epochSumsAt(plan, step);
  const before = epochSumsAt(plan, step - 1);
  if (batch === 0) f64.fill(0, sums, sums + length + 2);
  else f64.copyWithin(sums, before, before + length + 2);
  if (applied) {
    // What a mean over the steps' reports comes to, bit for bit.
    f64[sums]! += divisor === 0 ? 0 : (lossSum / divisor) * divisor;
    for (let i = 1; i < length; i++) f64[sums + i]! += f64[of + i]!;
    f64[sums + length]! += globalRows;
    f64[sums + length + 1]! += divisor;
    if (clipHistory > 0) f64[gradNormsAt(plan) + ((updates - 1) % clipHistory)] = clip.gradNorm;
  }
  const at = plan.standing >>> 2;
  i32[at + standingIndex.updates] = updates;
  i32[at + standingIndex.skippedInARow] = skippedInARow;
  Atomics.store(i32, at + standingIndex.step, step);
}

function report(rank: Rank, order: StepOrder, seconds: number, decision: Decision, finding: Finding): void {
  const { runtime, arena, control } = rank;
  const { i32, f64 } = arena;
  const { batch } = runtime.context;
  const reported = Atomics.load(i32, control.reported);
  awaitRoom(rank, reported);
  const at = reportStart(runtime.plan.reports, reported);
  const sums = runtime.own.lossSums.result >>> 3;
  f64[at + reportIndex.step] = order.step;
  f64[at + reportIndex.epoch] = order.epoch;
  f64[at + reportIndex.samples] = batch.globalRows;
  f64[at + reportIndex.loss] = rank.divisor === 0 ? 0 : rank.lossSum / rank.divisor;
  f64[at + reportIndex.gradNorm] = rank.clip.gradNorm;
  f64[at + reportIndex.clipScale] = rank.clip.clipScale;
  f64[at + reportIndex.learningRate] = rank.rule.learningRate;
  f64[at + reportIndex.seconds] = seconds;
  f64[at + reportIndex.skipped] = decision === 'apply' ? 0 : 1;
  f64[at + reportIndex.phase] = finding.phase;
  f64[at + reportIndex.layer] = finding.layer;
  f64[at + reportIndex.shard] = finding.shard;
  const { metrics } = runtime.plan.measures;
  for (let m = 0; m < metrics.length; m++) f64[at + reportFields.length + m] = metrics[m]!.metric.value(f64, sums + metrics[m]!.at, batch.globalRows);
  Atomics.store(i32, control.reported, (reported + 1) | 0);
}

/** How long a full ring is waited for before the abort word is looked at again, ms: reports never wake a rank for an abort. */
const lookAgainMs = 50;

/** Waits until the main thread has read enough of the ring. Rare: it means a listener slower than a thousand steps. */
function awaitRoom({ arena: { i32 }, control, clock }: Rank, reported: number): void {
  for (;;) {
    const consumed = Atomics.load(i32, control.consumed);
    if (((reported - consumed) | 0) < ringLength) return;
    clock.enter(phaseIndex.wait);
    throwIfAborted(i32, control);
    Atomics.wait(i32, control.consumed, consumed, lookAgainMs);
  }
}
