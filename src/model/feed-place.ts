/**
 * Room: model (level 4). The ring through which inputs that stay on disk come into the arena: slots of one global batch each, and the
 * words by which the reader's thread and the ranks keep out of each other's way. Batches are counted over the whole run, so a word
 * never goes back, whoever dies or stops; a count is an int32 that may wrap.
 *
 *   main  --order (a message), bell--> reader --slot, then filled--> ranks --taken, bell--> reader
 *         --base--> ranks               reader --text, then trouble--> ranks
 *
 * Batch n of the run is in slot n modulo `feedSlots`. The reader fills it when every rank has taken batch n - `feedSlots`, so nobody
 * reads it; ranks read it when `filled` is above n.
 */
import type { Address, Arena } from '../memory/arena.ts';
import { alignmentBytes, type MemoryPlan } from '../memory/plan.ts';
import { sizeOf } from '../memory/shape.ts';
import type { DataSpec } from './data-place.ts';

/** Batches that are in memory: the one that is computed and those that are read ahead of it. */
export const feedSlots = 4;

/** Bytes of the longest text of an error; what is longer is cut. */
const textBytes = 1000;

/** Plain data: it crosses threads as it is. Words are indices into `arena.i32`, of a cache line each. */
export interface FeedPlace {
  /** Changed by whoever has news for the reader: main, and every rank that took a batch. */
  readonly bell: number;
  /** The first batch of the order that ranks obey (main, while they rest). */
  readonly base: number;
  /** All batches below it are in the ring, or were (reader). */
  readonly filled: number;
  /** 0, or 1 when the reader cannot go on; then bytes and text of the reason follow (reader, or main when its thread died). */
  readonly trouble: number;
  readonly text: Address;
  /** A word each rank: all batches below it were taken (that rank; main, while ranks rest). */
  readonly taken: readonly number[];
  readonly slots: readonly Address[];
}

/** Reserves the ring for those of the sets that are streamed; undefined when none is. There are words for `ranks` ranks. */
export function reserveFeed(memory: MemoryPlan, sets: readonly (DataSpec | undefined)[], batchRows: number, ranks: number): FeedPlace | undefined {
  const rowBytes = sets.map((spec) => (spec?.streamed ? inputBytes(spec) : 0));
  const largest = Math.max(...rowBytes);
  if (largest === 0) return undefined;
  const word = (): number => memory.reserve('control', alignmentBytes) >>> 2;
  return {
    bell: word(),
    base: word(),
    filled: word(),
    trouble: word(),
    text: memory.reserve('control', 4 + textBytes),
    taken: Array.from({ length: ranks }, word),
    slots: Array.from({ length: feedSlots }, () => memory.reserve('data', batchRows * largest)),
  };
}

/** Bytes of one row's inputs in the type that they are stored in. */
export function inputBytes({ inputShape, inputType }: Pick<DataSpec, 'inputShape' | 'inputType'>): number {
  return sizeOf(inputShape) * (inputType === 'uint8' ? 1 : 4);
}

/** Says why no more batches come; only the first reason counts. */
export function reportFeedTrouble({ i32, u8 }: Arena, { trouble, text, filled }: FeedPlace, reason: string): void {
  if (Atomics.load(i32, trouble) !== 0) return;
  const bytes = new Uint8Array(textBytes);
  const { written } = new TextEncoder().encodeInto(reason, bytes);
  u8.set(bytes, text + 4);
  i32[text >>> 2] = written;
  Atomics.store(i32, trouble, 1);
  Atomics.notify(i32, filled);
}

/** The reason, if there is one. */
export function readFeedTrouble({ i32, u8 }: Arena, { trouble, text }: FeedPlace): string | undefined {
  if (Atomics.load(i32, trouble) === 0) return undefined;
  return new TextDecoder().decode(u8.slice(text + 4, text + 4 + i32[text >>> 2]!));
}
