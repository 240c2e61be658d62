/**
 * Room: train (level 5). What is left of an order to train when it was interrupted at a step boundary: a pure function of the order
 * and of the last step that was committed.
 */
import type { Standing } from '../model/standing.ts';
import type { TrainOrder } from './loop.ts';
import type { TrainingSpec } from './rank.ts';

/** The rest of `order`; undefined when it is done, or the non-finite policy ended the run. */
export function remaining(
  order: TrainOrder,
  { step, updates, skippedInARow }: Pick<Standing, 'step' | 'updates' | 'skippedInARow'>,
  policy: Pick<TrainingSpec, 'onNonFinite' | 'haltAfterSkipped'>,
): TrainOrder | undefined {
  const done = Math.max(0, step - order.firstStep + 1);
  if (done === 0) return order;
  const halted = policy.onNonFinite === 'halt' && skippedInARow >= policy.haltAfterSkipped;
  if (halted || done >= order.batches) return undefined;
  return { ...order, firstBatch: order.firstBatch + done, batches: order.batches - done, firstStep: order.firstStep + done, updates, skippedInARow };
}
