/**
 * Room: train (level 5). Penalties on weights and bounds of weights in a step: a penalty's gradient is added to the global gradient where that is
 * complete, block by block, before its norm is taken; its value is summed over blocks, in their order, for the loss; constraints hold after the
 * update, when all ranks have finished it. Weights are the same on every host, so nothing of it crosses the network.
 */
import { addPenaltyGradient, constrainVectors, penaltyOf } from '../layers/penalties.ts';
import type { Rank } from './rank.ts';

/** Adds the penalty's gradient at a block of the global gradient that is complete. */
export function penalizeBlock({ runtime: { plan }, bounds: { penalties }, arena: { f32 } }: Rank, block: number): void {
  const { blocks, tensors, gradients, parameters } = plan;
  const tensor = blocks.tensor[block]!;
  const penalty = penalties?.[tensor];
  if (!penalty) return;
  const offset = tensors[tensor]!.offset + 4 * blocks.start[block]!;
  addPenaltyGradient(f32, (parameters + offset) >>> 2, (gradients.global + offset) >>> 2, blocks.length[block]!, penalty);
}

/** The penalty on each of this rank's blocks; all ranks must meet before `wholePenalty`. */
export function measurePenalties({ runtime: { plan }, bounds: { penalties }, arena: { f32, f64 }, blocksFrom, blocksTo }: Rank): void {
  if (!penalties) return;
  const { blocks, tensors, parameters, updateSums } = plan;
  for (let block = blocksFrom; block < blocksTo; block++) {
    const tensor = blocks.tensor[block]!;
    const penalty = penalties[tensor];
    const at = (parameters + tensors[tensor]!.offset + 4 * blocks.start[block]!) >>> 2;
    f64[(updateSums >>> 3) + 2 * blocks.count + block] = penalty ? penaltyOf(f32, at, blocks.length[block]!, penalty) : 0;
  }
}

/** All penalties, in the order of blocks: what is added to the mean loss. */
export function wholePenalty({ runtime: { plan }, bounds: { penalties }, arena: { f64 } }: Rank): number {
  if (!penalties) return 0;
  const { count } = plan.blocks;
  const at = (plan.updateSums >>> 3) + 2 * count;
  let sum = 0;
  for (let block = 0; block < count; block++) sum += f64[at + block]!;
  return sum;
}

/** This rank's share of the vectors of every weight with a constraint. */
export function constrain({ runtime: { plan, context }, bounds: { constraints }, arena: { f32 }, frozen }: Rank): void {
  const { rank, ranks } = context;
  for (const { tensor, offset, vectors, constraint } of constraints) {
    if (frozen[tensor] === 1) continue;
    const [from, to] = [Math.floor((vectors.count * rank) / ranks), Math.floor((vectors.count * (rank + 1)) / ranks)];
    constrainVectors(f32, (plan.parameters + offset) >>> 2, vectors, from, to, constraint);
  }
}
