/**
 * Room: local (level 6). What the reader's thread does: batch after batch of an order from disk into the ring, as far ahead of the ranks
 * as there are slots, in the order that ranks compute for themselves. It knows no rank but by how many batches it took.
 */
import { lookAgainMs } from '../collectives/control.ts';
import { type RowFile, RowReader } from '../data/row-file.ts';
import { batchRows } from '../data/sampler.ts';
import type { Arena } from '../memory/arena.ts';
import { type FeedPlace, feedSlots } from '../model/feed-place.ts';
import { halfBits, orderKeys, permute } from '../numerics/permutation.ts';
import { isBelow } from '../train/feed.ts';

/** A data set of which the inputs are on disk. Plain data: it crosses threads as it is. */
interface StreamedSet {
  readonly file: RowFile;
  readonly length: number;
  readonly batchSize: number;
  /** The seed of the order of epochs; absent: the rows' own order. */
  readonly shuffleSeed?: number;
}

export type StreamedSets = { readonly [set in 'train' | 'validation']?: StreamedSet | undefined };

/** Batches [firstBatch, firstBatch + batches) of an epoch of a set, of which the first is batch `base` of the run, for so many ranks. */
export interface ReadOrder {
  readonly set: 'train' | 'validation';
  /** True: rows come in their own order, whatever the set says. */
  readonly inOrder?: boolean;
  readonly epoch: number;
  readonly firstBatch: number;
  readonly batches: number;
  readonly base: number;
  readonly ranks: number;
}

interface OpenSet extends StreamedSet {
  readonly reader: RowReader;
  readonly indices: Int32Array;
}

export class ReadAhead {
  readonly #arena: Arena;
  readonly #place: FeedPlace;
  readonly #sets: StreamedSets;
  readonly #open = new Map<ReadOrder['set'], OpenSet>();

  constructor(arena: Arena, place: FeedPlace, sets: StreamedSets) {
    this.#arena = arena;
    this.#place = place;
    this.#sets = sets;
  }

  /** Follows the newest order of those that `next` gives, one by one, until it gives `end`. Throws what reading throws. */
  follow(next: () => ReadOrder | 'end' | undefined): void {
    const { i32 } = this.#arena;
    const { bell, filled } = this.#place;
    let order: ReadOrder | undefined;
    let keys: Uint32Array | undefined;
    let done = 0;
    for (let heard = Atomics.load(i32, bell), isNews = true; ; isNews = Atomics.load(i32, bell) !== heard) {
      if (isNews) {
        // Read before looking: what comes after it rings once more.
        heard = Atomics.load(i32, bell);
        for (let message = next(); message !== undefined; message = next()) {
          if (message === 'end') return;
          order = message;
          done = 0;
        }
        if (order && done === 0) keys = this.#begin(order);
      }
      if (order && done < order.batches && this.#hasRoom(order, done)) {
        this.#fill(order, done++, keys);
        Atomics.store(i32, filled, (order.base + done) | 0);
        Atomics.notify(i32, filled);
      } else Atomics.wait(i32, bell, heard, lookAgainMs);
    }
  }

  /** Opens what the order reads, if it is not open yet, and computes the keys of its epoch. */
  #begin({ set, inOrder = false, epoch }: ReadOrder): Uint32Array | undefined {
    const { shuffleSeed, reader } = this.#opened(set);
    reader.checkUnchanged();
    return inOrder || shuffleSeed === undefined ? undefined : orderKeys(shuffleSeed, epoch);
  }

  #opened(set: ReadOrder['set']): OpenSet {
    const open = this.#open.get(set);
    if (open) return open;
    const streamed = this.#sets[set]!;
    const rows = Math.min(streamed.batchSize, streamed.length);
    const opened = { ...streamed, reader: new RowReader(streamed.file, rows), indices: new Int32Array(rows) };
    this.#open.set(set, opened);
    return opened;
  }

  /** Whether the slot of a batch is free: every rank has taken the one that was in it. */
  #hasRoom({ base, ranks }: ReadOrder, batch: number): boolean {
    const needed = (base + batch - feedSlots) | 0;
    for (let rank = 0; rank < ranks; rank++) if (!isBelow(needed, Atomics.load(this.#arena.i32, this.#place.taken[rank]!))) return false;
    return true;
  }

  /** Reads one batch. What is written to a file behind its reader's back is found before the last batch of an order is given away. */
  #fill({ set, firstBatch, batches, base }: ReadOrder, batch: number, keys: Uint32Array | undefined): void {
    const { length, batchSize, indices, reader } = this.#open.get(set)!;
    const first = (firstBatch + batch) * batchSize;
    const rows = batchRows(length, batchSize, firstBatch + batch);
    const bits = halfBits(length);
    for (let row = 0; row < rows; row++) indices[row] = keys ? permute(first + row, length, keys, bits) : first + row;
    reader.read(indices, rows, this.#arena, this.#place.slots[((base + batch) >>> 0) % feedSlots]!);
    if (batch === batches - 1) reader.checkUnchanged();
  }
}
