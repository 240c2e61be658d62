/**
 * Room: train (level 5). The verdict on a step: decided once, from the numbers of all shards. On one host every rank comes to
 * it by the same function of the same numbers, so nobody has to be told; among hosts the coordinator's leader does, and its
 * record goes to everybody.
 */
import { gradNormsAt } from '../model/standing.ts';
import { clip } from '../optimizers/clip.ts';
import { wholePenalty } from './bounds.ts';
import { type Decision, decide } from './decision.ts';
import { enterPhase, type Rank } from './rank.ts';

const decisions = ['apply', 'skip', 'halt'] as const satisfies readonly Decision[];

/** The record: these numbers, then the factor of each tensor from `scales` on, then the metrics' sums. */
const record = { decision: 0, stops: 1, loss: 2, correct: 3, gradNorm: 4, clipScale: 5, scales: 8 } as const;

/** Comes to the decision on the step and to whether training stops after it, and remembers both. */
export function reachVerdict(rank: Rank): Decision {
  const { uplink, runtime, control, arena } = rank;
  const { hosts } = runtime.plan.shards;
  let decision: Decision;
  if (!uplink) {
    decision = judge(rank);
    rank.stops = Atomics.load(arena.i32, control.stopAgreed) !== 0;
  } else if (hosts!.host === 0) {
    // All ranks wait for the same counts, so all of them or none come to the meeting.
    uplink.take('sums');
    if (rank.awaitsReduced) uplink.take('reduced');
    if (runtime.rank === 0) {
      runtime.sync.combineSums(runtime.own.lossSums);
      writeRecord(rank, judge(rank), Atomics.load(arena.i32, control.stopRequest) !== 0);
    }
    rank.meeting.meet();
    uplink.announce('verdict');
    decision = readRecord(rank);
  } else {
    uplink.take('verdicts');
    // Also when the step is skipped: what comes late must not come into the next step's gradient.
    if (rank.awaitsReduced) uplink.take('reduced');
    decision = readRecord(rank);
  }
  rank.updates += decision === 'apply' ? 1 : 0;
  rank.skippedInARow = decision === 'apply' ? 0 : rank.skippedInARow + 1;
  return decision;
}

/** The factors of a verdict that was reached before, by ranks that are gone: of the same numbers, `rank.updates` among them, or of the record. */
export function recallVerdict(rank: Rank): void {
  if (rank.uplink) readRecord(rank);
  else judge(rank);
}

function judge(rank: Rank): Decision {
  const { runtime, clip: outcome, arena, spec, skippedInARow } = rank;
  const { plan, own } = runtime;
  enterPhase(rank, 'clip');
  clip(outcome, spec.optimizer, plan.blocks, arena.f64, plan.squareSums >>> 3);
  rank.percentile?.clip(outcome, arena.f64, gradNormsAt(plan), rank.updates);
  // Not added where the sum is: ranks that finish a step which others judged would add it once more.
  const penalty = wholePenalty(rank);
  const sum = arena.f64[own.lossSums.result >>> 3]!;
  rank.lossSum = penalty === 0 ? sum : sum + penalty * rank.divisor;
  return decide(rank.lossSum, outcome.gradNorm, skippedInARow, spec);
}

function writeRecord({ runtime, lossSum, clip: { gradNorm, clipScale, tensorScale }, arena: { f64 } }: Rank, decision: Decision, stops: boolean): void {
  const at = runtime.plan.verdict >>> 3;
  const sums = runtime.own.lossSums.result >>> 3;
  f64[at + record.decision] = decisions.indexOf(decision);
  f64[at + record.stops] = stops ? 1 : 0;
  f64[at + record.loss] = lossSum;
  f64[at + record.correct] = f64[sums + 1]!;
  f64[at + record.gradNorm] = gradNorm;
  f64[at + record.clipScale] = clipScale;
  f64.set(tensorScale, at + record.scales);
  const metrics = at + record.scales + tensorScale.length;
  for (let i = 2; i < runtime.plan.measures.length; i++) f64[metrics + i - 2] = f64[sums + i]!;
}

function readRecord(rank: Rank): Decision {
  const { runtime, clip: outcome, arena } = rank;
  const { f64 } = arena;
  const at = runtime.plan.verdict >>> 3;
  const sums = runtime.own.lossSums.result >>> 3;
  rank.stops = f64[at + record.stops] !== 0;
  rank.lossSum = f64[at + record.loss]!;
  f64[sums + 1] = f64[at + record.correct]!;
  outcome.gradNorm = f64[at + record.gradNorm]!;
  outcome.clipScale = f64[at + record.clipScale]!;
  for (let t = 0; t < outcome.tensorScale.length; t++) outcome.tensorScale[t] = f64[at + record.scales + t]!;
  const metrics = at + record.scales + outcome.tensorScale.length;
  for (let i = 2; i < runtime.plan.measures.length; i++) f64[sums + i] = f64[metrics + i - 2]!;
  return decisions[f64[at + record.decision]!]!;
}
