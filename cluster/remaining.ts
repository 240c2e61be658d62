/**
 * Room: cluster (level 7). What is left of an order to train when it was interrupted at a step boundary: a pure function of the order
 * and of the last step that was committed.
 */
import type { TrainOrder } from '../src/train/loop.ts';
import type { TrainingSpec } from '../src/train/rank.ts';

/** How a host stands: its last step, the updates applied and the steps skipped in a row until then. */
export interface Standing {
  readonly step: number;
  readonly updates: number;
  readonly skippedInARow: number;
}

/** The rest of `order`; undefined when it is done, or the non-finite policy ended the run. */
export function remaining(
  order: TrainOrder,
  { step, updates, skippedInARow }: Standing,
  policy: Pick<TrainingSpec, 'onNonFinite' | 'haltAfterSkipped'>,
): TrainOrder | undefined {
  const done = Math.max(0, step - order.firstStep + 1);
  if (done === 0) return order;
  const halted = policy.onNonFinite === 'halt' && skippedInARow >= policy.haltAfterSkipped;
  if (halted || done >= order.batches) return undefined;
  return { epoch: order.epoch, firstBatch: order.firstBatch + done, batches: order.batches - done, firstStep: order.firstStep + done, updates, skippedInARow };
}
