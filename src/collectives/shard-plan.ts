/**
 * Room: collectives (level 3). Who owns which shards, and in what order sums of them are merged: pure functions of the number
 * of shards, hosts and ranks, computed once and shared by everything that reduces.
 */
import { type LeafStep, leafProgram, type Merge, maximalSubtrees, mergeProgram, type Subtree } from '../numerics/tree.ts';

/** What one rank owns: shards [first, first + count), their largest subtrees, and how it sums its leaves into them. */
export interface RankShards {
  readonly first: number;
  readonly count: number;
  /** The subtrees this rank publishes, and the place of the first of them among all that the host's ranks publish. */
  readonly roots: readonly Subtree[];
  readonly firstPlace: number;
  /** Shards in `steps` are counted from `first`; buffers 0..roots.length-1 are the roots. */
  readonly steps: readonly LeafStep[];
  readonly buffers: number;
}

/** Which part of a run a host computes, among several. Plain data: it crosses threads and hosts as it is. */
export interface Part {
  readonly topology: 'star' | 'mesh';
  /** This host's index, 0 for the coordinator's. */
  readonly host: number;
  /** Host h computes shards [bounds[h], bounds[h + 1]): possibly none. */
  readonly bounds: readonly number[];
}

/** A subtree that a host sends, and where its ranks leave it: its place in `ShardPlan.published`, -1 on other hosts. */
export interface HostRoot extends Subtree {
  readonly host: number;
  readonly place: number;
}

/** The level above the ranks: what hosts send each other. */
export interface HostsPlan extends Part {
  readonly hosts: number;
  /** All hosts' subtrees in shard order, and the merges that end with the whole sum: in the place of the first own one, or in 0. */
  readonly published: readonly HostRoot[];
  readonly merges: readonly Merge[];
  /** Those of this host. */
  readonly own: readonly HostRoot[];
  /** The hosts that reduce gradients, each an equal share: all that compute, in a star the coordinator's. */
  readonly owners: readonly number[];
  /** Two hosts send each other all they have and both reduce everything: the same bytes as with shares, in one go. */
  readonly direct: boolean;
}

export interface ShardPlan {
  readonly shards: number;
  readonly ranks: readonly RankShards[];
  /** All subtrees that ranks of this host publish, in shard order, and the merges into the largest that they cover: on a single host all, in place 0. */
  readonly published: readonly Subtree[];
  readonly merges: readonly Merge[];
  /** Absent on a single host. */
  readonly hosts: HostsPlan | undefined;
}

/**
 * Shards of a host go to its ranks in contiguous runs that differ by at most one; a rank beyond the number of shards owns none.
 * Without `part` the host computes all shards.
 */
export function planShards(shards: number, ranks: number, part?: Part): ShardPlan {
  const from = part?.bounds[part.host] ?? 0;
  const to = part?.bounds[part.host + 1] ?? shards;
  const published: Subtree[] = [];
  const owners = Array.from({ length: ranks }, (_, rank): RankShards => {
    const first = from + Math.floor(((to - from) * rank) / ranks);
    const end = from + Math.floor(((to - from) * (rank + 1)) / ranks);
    const roots = maximalSubtrees(shards, first, end);
    const firstPlace = published.length;
    published.push(...roots);
    const { steps, buffers } = leafProgram(roots);
    const own = steps.map((step) => (step.kind === 'leaf' ? { ...step, shard: step.shard - first } : step));
    return { first, count: end - first, roots, firstPlace, steps: own, buffers };
  });
  return { shards, ranks: owners, published, merges: mergeProgram(shards, published), hosts: part && planHosts(shards, published, part) };
}

function planHosts(shards: number, ownPublished: readonly Subtree[], part: Part): HostsPlan {
  const { bounds, host, topology } = part;
  const hosts = bounds.length - 1;
  const published = Array.from({ length: hosts }, (_, h) =>
    maximalSubtrees(shards, bounds[h]!, bounds[h + 1]!).map(
      // Merges end in the place of a subtree's leftmost part.
      (root): HostRoot => ({ ...root, host: h, place: h === host ? ownPublished.findIndex(({ start }) => start === root.start) : -1 }),
    ),
  ).flat();
  const own = published.filter((root) => root.host === host);
  const computing = Array.from({ length: hosts }, (_, h) => h).filter((h) => bounds[h]! < bounds[h + 1]!);
  return {
    ...part,
    hosts,
    published,
    merges: mergeProgram(
      shards,
      published,
      published.findIndex((root) => root.host === host),
    ),
    own,
    owners: topology === 'star' ? [0] : computing,
    direct: topology === 'mesh' && hosts === 2 && computing.length === 2,
  };
}
