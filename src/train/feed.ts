/**
 * Room: train (level 5). A rank's end of the ring of inputs that are read ahead: where the inputs of its batch are, once they are there,
 * and word that it needs them no longer. It never waits for other ranks, and leaves when one of them failed or the reader did.
 */
import { throwIfAborted } from '../collectives/barrier.ts';
import type { ControlIndex } from '../collectives/control.ts';
import { type ErrorCode, LockstepError } from '../errors.ts';
import type { Address, Arena } from '../memory/arena.ts';
import { type FeedPlace, feedSlots, readFeedTrouble } from '../model/feed-place.ts';
import { type PhaseClock, phaseIndex } from '../telemetry/timing.ts';

/** How long the reader is waited for before the abort word is looked at again, ms: batches never wake a rank for an abort. */
const lookAgainMs = 50;

export class Feed {
  readonly #arena: Arena;
  readonly #place: FeedPlace;
  readonly #control: ControlIndex;
  readonly #clock: PhaseClock;
  readonly #taken: number;
  /** The batch of this rank, counted over the run. */
  #batch = 0;

  constructor(arena: Arena, place: FeedPlace, rank: number, control: ControlIndex, clock: PhaseClock) {
    this.#arena = arena;
    this.#place = place;
    this.#control = control;
    this.#clock = clock;
    this.#taken = place.taken[rank]!;
  }

  /** A command over streamed data begins. */
  begin(): void {
    this.#batch = Atomics.load(this.#arena.i32, this.#place.base);
  }

  /** The inputs of the batch: all its rows in their stored type, in the order of the batch. Throws Aborted, or what the reader failed of. */
  inputs(): Address {
    const { i32 } = this.#arena;
    const { filled, slots } = this.#place;
    if (!isBelow(this.#batch, Atomics.load(i32, filled))) this.#await();
    return slots[(this.#batch >>> 0) % feedSlots]!;
  }

  /** The batch is not needed any more. */
  next(): void {
    const { i32 } = this.#arena;
    const { bell } = this.#place;
    this.#batch = (this.#batch + 1) | 0;
    Atomics.store(i32, this.#taken, this.#batch);
    Atomics.add(i32, bell, 1);
    Atomics.notify(i32, bell);
  }

  #await(): void {
    const { i32 } = this.#arena;
    const { filled } = this.#place;
    const phase = this.#clock.enter(phaseIndex.wait);
    for (let seen = Atomics.load(i32, filled); !isBelow(this.#batch, seen); seen = Atomics.load(i32, filled)) {
      throwIfAborted(i32, this.#control);
      const trouble = readFeedTrouble(this.#arena, this.#place);
      if (trouble !== undefined) throw errorOf(trouble);
      Atomics.wait(i32, filled, seen, lookAgainMs);
    }
    this.#clock.enter(phase);
  }
}

/** Whether a count comes before another one that is not far away. */
export function isBelow(count: number, other: number): boolean {
  return ((other - count) | 0) > 0;
}

/** What a reader says it failed of: a code, then a sentence. */
export function troubleText(code: ErrorCode, message: string): string {
  return `${code} ${message}`;
}

function errorOf(text: string): LockstepError {
  const end = text.indexOf(' ');
  return new LockstepError(text.slice(0, end) as ErrorCode, text.slice(end + 1));
}
