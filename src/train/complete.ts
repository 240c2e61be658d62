/**
 * Room: train (level 5). Finishing a step that was being applied when a rank died. All numbers that decide it are in the arena still;
 * what a rank has done of its part is not done again (model/updating.ts), so the state becomes that of the step, bit for bit.
 */
import { batchRows } from '../data/sampler.ts';
import { noFinding } from './diagnose.ts';
import { freezeUntil } from './freezing.ts';
import type { TrainOrder } from './loop.ts';
import { setDivisor, setOrder } from './pass.ts';
import type { Rank } from './rank.ts';
import { conclude, update } from './step.ts';
import { recallVerdict } from './verdict.ts';

/** The step is the first of `order`; the ranks are as many as began it, and its plan is theirs. */
export function completeStep(rank: Rank, { epoch, firstBatch, firstStep, updates, rateScale, leastRate }: Omit<TrainOrder, 'batches' | 'skippedInARow'>): void {
  const { runtime, spec } = rank;
  const began = performance.now();
  rank.clock.restart(0);
  runtime.setBatch(batchRows(runtime.plan.train!.spec.length, spec.batchSize, firstBatch), firstStep);
  freezeUntil(rank, epoch);
  setOrder(rank, epoch);
  setDivisor(rank, runtime.plan.train!, firstBatch * spec.batchSize);
  rank.rule.scaleRates(rateScale, leastRate);
  rank.updates = updates;
  recallVerdict(rank);
  // Only steps that are applied change the state.
  rank.updates = updates + 1;
  rank.skippedInARow = 0;
  update(rank, firstStep, true);
  rank.meeting.meet();
  if (runtime.rank === 0) conclude(rank, { epoch, batch: firstBatch, step: firstStep }, (performance.now() - began) / 1000, 'apply', noFinding);
  // Nobody leaves before it is true.
  rank.meeting.meet();
}
