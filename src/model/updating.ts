/**
 * Room: model (level 4). How far each rank is in applying a step: while it does, the state is neither that of the step before nor
 * that of this one, and a rank that dies leaves it so. From these words others finish what it began.
 */
import type { Address, Arena } from '../memory/arena.ts';
import { alignmentBytes, type MemoryPlan } from '../memory/plan.ts';

/** A cache line a rank: int32 [step, twice the units of work that are done, plus one inside of a unit]. */
export function reserveUpdating(plan: MemoryPlan, ranks: number): Address {
  return plan.reserve('control', ranks * alignmentBytes);
}

/** One rank's words. A unit is what is done wholly or not at all, unless its thread was ended from outside. */
export class Updating {
  readonly #i32: Int32Array;
  readonly #at: number;

  constructor({ i32 }: Arena, updating: Address, rank: number) {
    this.#i32 = i32;
    this.#at = (updating + rank * alignmentBytes) >>> 2;
  }

  /** Units of `step` that are done; it begins with none. */
  begin(step: number): number {
    if (this.#i32[this.#at] !== step) {
      this.#i32[this.#at + 1] = 0;
      this.#i32[this.#at] = step;
    }
    return this.#i32[this.#at + 1]! >>> 1;
  }

  enter(unit: number): void {
    this.#i32[this.#at + 1] = 2 * unit + 1;
  }

  leave(unit: number): void {
    this.#i32[this.#at + 1] = 2 * unit + 2;
  }

  /** Whether it began to apply `step`, and was stopped within a unit: what that unit made of the state cannot be known. */
  of(step: number): 'untouched' | 'begun' | 'torn' {
    if (this.#i32[this.#at] !== step) return 'untouched';
    return (this.#i32[this.#at + 1]! & 1) === 0 ? 'begun' : 'torn';
  }
}

interface UpdatingPlace {
  readonly updating: Address;
  readonly ranks: readonly unknown[];
}

/** What ranks that are gone have made of the state with `step`: nothing, a part that others can finish, or what nobody can tell. */
export function updatingOf(arena: Arena, { updating, ranks }: UpdatingPlace, step: number): 'untouched' | 'begun' | 'torn' {
  const found = ranks.map((_, rank) => new Updating(arena, updating, rank).of(step));
  if (found.includes('torn')) return 'torn';
  return found.includes('begun') ? 'begun' : 'untouched';
}
