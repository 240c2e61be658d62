/**
 * Room: optimizers (level 3). Learning rates that follow, tensor by tensor, from the norms of weights and step: what is looked at in each block, and
 * what comes of it. Sums of blocks are added in block order in float64, so it does not matter who looked at which block.
 */
import type { Kernels } from '../kernels/contract.ts';
import type { Address } from '../memory/arena.ts';
import type { Blocks } from '../numerics/norm.ts';
import type { Trust } from './formulas.ts';

/** Two float64 a block: the square sums of its weights and of its step at a learning rate of 1. */
export interface NormRule {
  /** Arguments as of `UpdateRule.apply`. Writes both sums of a block to `out` and changes nothing else. */
  measure(kernels: Kernels, w: Address, slots: readonly Address[], offset: number, g: Address, count: number, gradScale: number, gradLimit: number, out: Address): void;
  /** From the sums of all blocks, block i's at sums[first + 2 i], to the tensors' learning rates of this update: after `prepare`, before any `apply`. */
  settle(blocks: Blocks, sums: Float64Array, first: number): void;
}

/** Fills `ratios` by tensor. `kept` is the share of a tensor that stays when it decays: its norm is that after, as in Keras, where weights decay before anything else. */
export function normRule({ squares, ratio }: Trust, ratios: Float64Array, kept: (tensor: number) => number): NormRule {
  return {
    measure(kernels, w, slots, offset, g, count, gradScale, gradLimit, out) {
      kernels.squareSum(w, count, out);
      squares(kernels, slots, offset, g, count, gradScale, gradLimit, out + 8);
    },
    settle(blocks, sums, first) {
      let block = 0;
      for (let tensor = 0; tensor < ratios.length; tensor++) {
        let weights = 0;
        let step = 0;
        for (; block < blocks.count && blocks.tensor[block] === tensor; block++) {
          weights += sums[first + 2 * block]!;
          step += sums[first + 2 * block + 1]!;
        }
        ratios[tensor] = ratio(kept(tensor) * Math.sqrt(weights), Math.sqrt(step));
      }
    },
  };
}
