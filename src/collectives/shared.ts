/**
 * Room: collectives (level 3). Small reductions between the ranks of one host, over the arena: what BatchNormalization and
 * the loss exchange. Every rank sums its own shards into their largest subtrees in place, meets the others once, then merges
 * everybody's subtrees itself, privately and in tree order: the same bits for all without a second meeting.
 * An area is written again only after another meeting has passed, so nobody overwrites what a peer still reads.
 */
import type { Address, Arena } from '../memory/arena.ts';
import { mergeMoments, mergeSums } from '../numerics/moments.ts';
import { type Merge, mergeProgram, type Subtree } from '../numerics/tree.ts';
import type { ShardPlan } from './shard-plan.ts';

/** One block of float64 numbers for every shard, and a private room for `privateBlocks(plan)` blocks whose first is the result. */
export interface Area {
  readonly blocks: Address;
  readonly result: Address;
  /** A block is 2 x channels numbers. */
  readonly channels: number;
  /** Values of a channel in one row: the weight of a shard's moments is its rows times this. */
  readonly positions: number;
}

/** Where all ranks meet: a `Barrier`, or what wraps one. */
export interface Meeting {
  meet(): void;
}

/** How many blocks the private part of an area needs. */
export function privateBlocks(plan: ShardPlan): number {
  return plan.published.length;
}

export class SharedSync {
  readonly #f64: Float64Array;
  readonly #meeting: Meeting;
  /** The rank's own leaves and how they merge; then everybody's published subtrees and how those merge. */
  readonly #leaves: readonly Subtree[];
  readonly #leafMerges: readonly Merge[];
  readonly #published: readonly Subtree[];
  readonly #merges: readonly Merge[];
  readonly #shardRows: Int32Array;
  readonly #counts: Float64Array;

  /** `shardRows` (shards) holds the rows of every shard of the current step; whoever starts a step writes it. */
  constructor(arena: Arena, meeting: Meeting, plan: ShardPlan, rank: number, shardRows: Int32Array) {
    const { first, count } = plan.ranks[rank]!;
    this.#f64 = arena.f64;
    this.#meeting = meeting;
    this.#leaves = Array.from({ length: count }, (_, i) => ({ start: first + i, end: first + i + 1 }));
    this.#leafMerges = mergeProgram(plan.shards, this.#leaves);
    this.#published = plan.published;
    this.#merges = plan.merges;
    this.#shardRows = shardRows;
    this.#counts = new Float64Array(Math.max(count, plan.published.length));
  }

  mergeMoments(area: Area): void {
    this.#countRows(this.#leaves, area.positions);
    for (const { into, from } of this.#leafMerges) this.#moments(this.#leafBlock(area, into), into, this.#leafBlock(area, from), from, area.channels);
    this.#gather(area);
    this.#countRows(this.#published, area.positions);
    for (const { into, from } of this.#merges) this.#moments(this.#privateBlock(area, into), into, this.#privateBlock(area, from), from, area.channels);
  }

  mergeSums(area: Area): void {
    const length = 2 * area.channels;
    for (const { into, from } of this.#leafMerges) mergeSums(this.#f64, this.#leafBlock(area, into), this.#leafBlock(area, from), length);
    this.#gather(area);
    for (const { into, from } of this.#merges) mergeSums(this.#f64, this.#privateBlock(area, into), this.#privateBlock(area, from), length);
  }

  #moments(into: number, intoPlace: number, from: number, fromPlace: number, channels: number): void {
    const counts = this.#counts;
    mergeMoments(this.#f64, into, counts[intoPlace]!, from, counts[fromPlace]!, channels);
    counts[intoPlace]! += counts[fromPlace]!;
  }

  /** Meets the others, then copies all published blocks to the private room. */
  #gather(area: Area): void {
    this.#meeting.meet();
    for (let place = 0; place < this.#published.length; place++) {
      const block = (area.blocks >>> 3) + 2 * area.channels * this.#published[place]!.start;
      this.#f64.copyWithin(this.#privateBlock(area, place), block, block + 2 * area.channels);
    }
  }

  #countRows(nodes: readonly Subtree[], positions: number): void {
    for (let place = 0; place < nodes.length; place++) {
      const { start, end } = nodes[place]!;
      let rows = 0;
      for (let shard = start; shard < end; shard++) rows += this.#shardRows[shard]!;
      this.#counts[place] = rows * positions;
    }
  }

  #leafBlock(area: Area, leaf: number): number {
    return (area.blocks >>> 3) + 2 * area.channels * this.#leaves[leaf]!.start;
  }

  #privateBlock(area: Area, place: number): number {
    return (area.result >>> 3) + 2 * area.channels * place;
  }
}
