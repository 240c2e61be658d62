/**
 * Room: collectives (level 3). Who owns which shards, and in what order sums of them are merged: pure functions of the number
 * of shards and ranks, computed once and shared by everything that reduces.
 */
import { type LeafStep, leafProgram, type Merge, maximalSubtrees, mergeProgram, type Subtree } from '../numerics/tree.ts';

/** What one rank owns: shards [first, first + count), their largest subtrees, and how it sums its leaves into them. */
export interface RankShards {
  readonly first: number;
  readonly count: number;
  /** The subtrees this rank publishes, and the place of the first of them among all published ones. */
  readonly roots: readonly Subtree[];
  readonly firstPlace: number;
  /** Shards in `steps` are counted from `first`; buffers 0..roots.length-1 are the roots. */
  readonly steps: readonly LeafStep[];
  readonly buffers: number;
}

export interface ShardPlan {
  readonly shards: number;
  readonly ranks: readonly RankShards[];
  /** All published subtrees in shard order, and the merges that end with the whole sum in place 0. */
  readonly published: readonly Subtree[];
  readonly merges: readonly Merge[];
}

/** Shards go to ranks in contiguous runs that differ by at most one; a rank beyond the number of shards owns none. */
export function planShards(shards: number, ranks: number): ShardPlan {
  const published: Subtree[] = [];
  const owners = Array.from({ length: ranks }, (_, rank): RankShards => {
    const first = Math.floor((shards * rank) / ranks);
    const end = Math.floor((shards * (rank + 1)) / ranks);
    const roots = maximalSubtrees(shards, first, end);
    const firstPlace = published.length;
    published.push(...roots);
    const { steps, buffers } = leafProgram(roots);
    const own = steps.map((step) => (step.kind === 'leaf' ? { ...step, shard: step.shard - first } : step));
    return { first, count: end - first, roots, firstPlace, steps: own, buffers };
  });
  return { shards, ranks: owners, published, merges: mergeProgram(shards, published) };
}
