/**
 * Room: train (level 5). Penalties on what layers give out, the mean over the rows of the batch: each shard adds those of its rows to its sum of losses.
 * Their gradients are added on the walk backwards (model/runtime.ts).
 */

import { penaltyOf } from '../layers/penalties.ts';
import type { Rank } from './rank.ts';

/** Adds to each own shard's sum of losses, which will be divided by the weight of all rows and not by their number. */
export function addActivityPenalties({ runtime, arena: { f32, f64 }, rowWeight }: Rank): void {
  const { own, context, plan } = runtime;
  const { batch, shards } = context;
  for (const { activity, operation, size } of own.operations) {
    if (!activity) continue;
    for (let s = 0; s < shards.count; s++) {
      const first = batch.shardStart[s]!;
      const sum = penaltyOf(f32, (operation.output >>> 2) + first * size, (batch.shardStart[s + 1]! - first) * size, activity);
      f64[(own.lossSums.blocks >>> 3) + plan.measures.length * (shards.first + s)]! += sum * rowWeight;
    }
  }
}
