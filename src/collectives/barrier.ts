/**
 * Room: collectives (level 3). The barrier at which the ranks of one host meet. It never lets a rank through before all have
 * come, and never keeps one after anybody aborted: then it throws `Aborted`.
 */
import type { Arena } from '../memory/arena.ts';
import { type ControlIndex, lookAgainMs } from './control.ts';

/** Thrown in ranks whose peer failed: not a failure of their own. */
export class Aborted extends Error {
  override readonly name = 'Aborted';
}

/** Always worth a look: a few microseconds. */
const fewestSpins = 2000;

/** Leaves, by throwing Aborted, when somebody of this run gave up. */
export function throwIfAborted(i32: Int32Array, control: ControlIndex): void {
  if (Atomics.load(i32, control.abort) !== 0) throw new Aborted('Another rank of this run failed.');
}

export class Barrier {
  readonly #i32: Int32Array;
  readonly #control: ControlIndex;
  readonly #parties: number;
  readonly #mostSpins: number;
  /** How often to look at the next meeting: halved when it was in vain, doubled when it was not. */
  #spins: number;

  /**
   * `spins`: the most looks at the word before sleeping; 0 when ranks outnumber cores, where spinning would hold up who is
   * awaited. Where others use the cores too, looking is mostly in vain, and soon given up.
   */
  constructor(arena: Arena, control: ControlIndex, parties: number, spins: number) {
    this.#i32 = arena.i32;
    this.#control = control;
    this.#parties = parties;
    this.#mostSpins = spins;
    this.#spins = spins;
  }

  /** Returns when all parties have called it. Throws Aborted when somebody gave up. */
  meet(): void {
    const words = this.#i32;
    const { arrived, meeting, asleep } = this.#control;
    // Read before arriving: once the last has arrived, `meeting` may change at any time.
    const current = Atomics.load(words, meeting);
    // After that: an abort is announced before `meeting` is changed for it, so who reads the changed one sees the abort.
    throwIfAborted(this.#i32, this.#control);
    if (Atomics.add(words, arrived, 1) === this.#parties - 1) {
      // Zero `arrived` before opening: who leaves may arrive at the next meeting at once.
      Atomics.store(words, arrived, 0);
      Atomics.store(words, meeting, (current + 1) | 0);
      // A sleeper counts itself before it looks at `meeting` a last time, so either it sees the new value or we see it.
      if (Atomics.load(words, asleep) > 0) Atomics.notify(words, meeting);
    } else {
      this.#await(current);
    }
    throwIfAborted(this.#i32, this.#control);
  }

  #await(current: number): void {
    const words = this.#i32;
    const { meeting, asleep } = this.#control;
    for (let i = 0; i < this.#spins; i++) {
      if (Atomics.load(words, meeting) === current) continue;
      this.#spins = Math.min(this.#mostSpins, 2 * this.#spins);
      return;
    }
    this.#spins = Math.max(Math.min(this.#mostSpins, fewestSpins), this.#spins >>> 1);
    Atomics.add(words, asleep, 1);
    while (Atomics.load(words, meeting) === current) Atomics.wait(words, meeting, current, lookAgainMs);
    Atomics.sub(words, asleep, 1);
  }
}
