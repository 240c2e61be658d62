/**
 * Room: train (level 5). Optimizers that fit the step of a tensor to its norm look at all blocks before any is changed: each rank at its own,
 * then all meet. The sums stay in the arena until the next step, so that ranks which finish a step that others began (train/complete.ts), when
 * weights have changed already, have the same numbers. A rank begins to change weights after the meeting only: whoever finds a step begun finds all sums.
 */
import type { Rank } from './rank.ts';
import { clippedGradient } from './units.ts';

/** Between the rule's `prepare` and its first `apply`. `isBegun` says that ranks before these have met already. */
export function settleNorms(rank: Rank, isBegun: boolean): void {
  const { runtime, clip, blocksFrom, blocksTo, meeting, arena } = rank;
  const { norms } = rank.rule;
  if (!norms) return;
  const { plan, context } = runtime;
  const { blocks, tensors, gradients, parameters, optimizerSlots, updateSums } = plan;
  if (!isBegun) {
    for (let block = blocksFrom; block < blocksTo; block++) {
      const tensor = blocks.tensor[block]!;
      const offset = tensors[tensor]!.offset + 4 * blocks.start[block]!;
      const g = clippedGradient(rank, block, gradients.global + offset);
      const scale = clip.tensorScale[tensor]!;
      norms.measure(context.kernels, parameters + offset, optimizerSlots, offset, g, blocks.length[block]!, scale, clip.limit, updateSums + 16 * block);
    }
    meeting.meet();
  }
  norms.settle(blocks, arena.f64, updateSums >>> 3);
}
