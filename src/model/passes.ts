/**
 * Room: model (level 4). Gradient accumulation: a rank may compute its shards of a batch in several passes, a group of them after the other, and
 * so needs room for the rows of one group only. Each shard is computed as in one pass, and the leaf program adds them in the same order, so
 * the bits are those of the whole batch at once. Ranks meet in the last pass alone; nobody else knows how many passes a rank makes.
 */
import type { RankShards } from '../collectives/shard-plan.ts';
import { shardStart } from '../data/sampler.ts';
import type { OwnShards } from '../layers/layer.ts';

/** The groups of a rank's shards in the order of its passes: at least one, which for a rank without shards is empty. */
export function passesOf({ first, count, steps }: RankShards, passes: number): OwnShards[] {
  const groups = Math.max(1, Math.min(passes, count));
  return Array.from({ length: groups }, (_, group) => {
    const from = Math.floor((count * group) / groups);
    const to = Math.floor((count * (group + 1)) / groups);
    let shard = 0;
    const own = steps.filter((step) => {
      // What merges follows the leaf that completes it.
      if (step.kind === 'leaf') shard = step.shard;
      return shard >= from && shard < to;
    });
    return {
      first: first + from,
      count: to - from,
      // One shape of object for both kinds, so that the loops over them stay monomorphic.
      steps: own.map((step) => (step.kind === 'leaf' ? { ...step, shard: step.shard - from, from: -1 } : { ...step, shard: -1 })),
    };
  });
}

/** Rows that a rank computes at once, at most, in batches of up to `batchRows` rows over `shards` shards. */
export function capacityOf(own: RankShards, shards: number, batchRows: number, passes: number): number {
  const rows = passesOf(own, passes).map(({ first, count }) => shardStart(batchRows, shards, first + count) - shardStart(batchRows, shards, first));
  return Math.max(...rows);
}
