/**
 * Room: collectives (level 3). Small reductions between all ranks of a run, over the arena: what BatchNormalization and the
 * loss exchange. Every rank sums its own shards into their largest subtrees in place, meets the others once, then merges
 * everybody's subtrees itself, privately and in tree order: the same bits for all without a second meeting.
 * Among several hosts the leader (rank 0) merges the subtrees of its host after the meeting, the hosts exchange those, and what
 * every rank then merges are the hosts'. In a star the coordinator's leader sends the others what they would merge.
 * An area is written again only after another meeting has passed, so nobody overwrites what a peer still reads.
 */
import type { Address, Arena } from '../memory/arena.ts';
import { mergeMoments, mergeSums } from '../numerics/moments.ts';
import { type Merge, mergeProgram, type Subtree } from '../numerics/tree.ts';
import type { HostsPlan, ShardPlan } from './shard-plan.ts';
import type { Uplink } from './uplink.ts';

/** `sharedBlocks(plan)` blocks of float64 numbers, and a private room for `privateBlocks(plan)` blocks. */
export interface Area {
  /** Its number in the plan. */
  readonly index: number;
  readonly blocks: Address;
  /** The private block in which the sum over all shards ends. */
  readonly result: Address;
  /** A block is 2 x channels numbers. */
  readonly channels: number;
  /** Values of a channel in one row: the weight of a shard's moments is its rows times this. */
  readonly positions: number;
  /** True when moments bring their count with them, as masked rows do not count: a block is then [mean (channels - 1), count, m2 (channels - 1), unused]. */
  readonly isCounted: boolean;
}

/** Where all ranks meet: a `Barrier`, or what wraps one. */
export interface Meeting {
  meet(): void;
}

/** What a rank gathers before it merges: places of blocks (the shards at which they start), how they merge, and where the sum ends. */
interface Gathered {
  readonly nodes: readonly Subtree[];
  readonly merges: readonly Merge[];
}

/** A leaf of a star gathers one block, merged by the coordinator; it stands behind those of the shards. */
function gatheredBy({ shards, published, merges, hosts }: ShardPlan): Gathered {
  if (!hosts) return { nodes: published, merges };
  if (isLeaf(hosts)) return { nodes: [{ start: shards, end: 2 * shards }], merges: [] };
  return { nodes: hosts.published, merges: mergeProgram(shards, hosts.published) };
}

/** True for a host that talks to nobody but the coordinator. */
export function isLeaf({ topology, host }: HostsPlan): boolean {
  return topology === 'star' && host !== 0;
}

/** How many blocks the shared part of an area needs: one a shard, and one for what the coordinator of a star sends. */
export function sharedBlocks({ shards, hosts }: ShardPlan): number {
  return shards + (hosts && isLeaf(hosts) ? 1 : 0);
}

/** How many blocks the private part of an area needs. */
export function privateBlocks(plan: ShardPlan): number {
  return gatheredBy(plan).nodes.length;
}

export class SharedSync {
  readonly #f64: Float64Array;
  readonly #meeting: Meeting;
  readonly #uplink: Uplink | undefined;
  readonly #hosts: HostsPlan | undefined;
  readonly #leads: boolean;
  /** The rank's own leaves and how they merge; the host's ranks' subtrees; then what all ranks merge. */
  readonly #leaves: readonly Subtree[];
  readonly #leafMerges: readonly Merge[];
  readonly #published: readonly Subtree[];
  readonly #publishedMerges: readonly Merge[];
  readonly #nodes: readonly Subtree[];
  readonly #merges: readonly Merge[];
  readonly #shardRows: Int32Array;
  readonly #counts: Float64Array;

  /**
   * `shardRows` (shards) holds the rows of every shard of the current step; whoever starts a step writes it. `uplink` is given
   * when the plan has several hosts.
   */
  constructor(arena: Arena, meeting: Meeting, plan: ShardPlan, rank: number, shardRows: Int32Array, uplink?: Uplink) {
    const { first, count } = plan.ranks[rank]!;
    const { nodes, merges } = gatheredBy(plan);
    this.#f64 = arena.f64;
    this.#meeting = meeting;
    this.#uplink = uplink;
    this.#hosts = plan.hosts;
    this.#leads = rank === 0;
    this.#leaves = Array.from({ length: count }, (_, i) => ({ start: first + i, end: first + i + 1 }));
    this.#leafMerges = mergeProgram(plan.shards, this.#leaves);
    this.#published = plan.published;
    this.#publishedMerges = plan.merges;
    this.#nodes = nodes;
    this.#merges = merges;
    this.#shardRows = shardRows;
    this.#counts = new Float64Array(Math.max(count, plan.published.length, nodes.length));
  }

  /** The moments of the whole batch, for every rank. */
  mergeMoments(area: Area): void {
    this.#moments(area, this.#leaves, this.#leafMerges, sharedBlock);
    this.#meeting.meet();
    if (this.#hosts && this.#leads) this.#moments(area, this.#published, this.#publishedMerges, sharedBlock);
    this.#exchange(area);
    this.#gather(area);
    this.#moments(area, this.#nodes, this.#merges, privateBlock);
    this.#answer(area);
  }

  /** The sums over the whole batch, for every rank. */
  mergeSums(area: Area): void {
    this.publishSums(area);
    this.#exchange(area);
    this.combineSums(area);
    this.#answer(area);
  }

  /** The first half of `mergeSums`: all subtrees of this host are in place. One meeting. */
  publishSums(area: Area): void {
    this.#sums(area, this.#leaves, this.#leafMerges, sharedBlock);
    this.#meeting.meet();
    if (this.#hosts && this.#leads) this.#sums(area, this.#published, this.#publishedMerges, sharedBlock);
  }

  /** The second half: from all hosts' subtrees, which must be in place, to the result of this rank. */
  combineSums(area: Area): void {
    this.#gather(area);
    this.#sums(area, this.#nodes, this.#merges, privateBlock);
  }

  /** This host's subtrees to the others and theirs here. */
  #exchange({ index }: Area): void {
    if (!this.#uplink) return;
    this.#uplink.announce('statistics', index);
    // Others' blocks may be there before the leader has merged those of this host.
    this.#uplink.awaitLeader();
    this.#uplink.take('statistics');
  }

  /** In a star, what the leaves wait for. */
  #answer({ index }: Area): void {
    if (this.#uplink && this.#hosts?.topology === 'star' && this.#hosts.host === 0) this.#uplink.announce('merged', index);
  }

  #gather(area: Area): void {
    for (let place = 0; place < this.#nodes.length; place++) {
      const block = sharedBlock(area, this.#nodes, place);
      this.#f64.copyWithin(privateBlock(area, this.#nodes, place), block, block + 2 * area.channels);
    }
  }

  #moments(area: Area, nodes: readonly Subtree[], merges: readonly Merge[], blockOf: typeof sharedBlock): void {
    if (merges.length === 0) return;
    const counts = this.#counts;
    const { isCounted } = area;
    const channels = isCounted ? area.channels - 1 : area.channels;
    for (let place = 0; place < nodes.length; place++) {
      counts[place] = isCounted ? this.#f64[blockOf(area, nodes, place) + channels]! : this.#rows(nodes[place]!) * area.positions;
    }
    for (const { into, from } of merges) {
      mergeMoments(this.#f64, blockOf(area, nodes, into), counts[into]!, blockOf(area, nodes, from), counts[from]!, channels, area.channels);
      counts[into]! += counts[from]!;
      if (isCounted) this.#f64[blockOf(area, nodes, into) + channels] = counts[into]!;
    }
  }

  #sums(area: Area, nodes: readonly Subtree[], merges: readonly Merge[], blockOf: typeof sharedBlock): void {
    for (const { into, from } of merges) mergeSums(this.#f64, blockOf(area, nodes, into), blockOf(area, nodes, from), 2 * area.channels);
  }

  #rows({ start, end }: Subtree): number {
    let rows = 0;
    for (let shard = start; shard < end; shard++) rows += this.#shardRows[shard]!;
    return rows;
  }
}

/** Index of the shared block of the node at `place`. */
function sharedBlock(area: Area, nodes: readonly Subtree[], place: number): number {
  return (area.blocks >>> 3) + 2 * area.channels * nodes[place]!.start;
}

/** Index of the private block of the node at `place`. */
function privateBlock(area: Area, _nodes: readonly Subtree[], place: number): number {
  return (area.result >>> 3) + 2 * area.channels * place;
}
