/**
 * Room: model (level 4). How a run stands: the last step that was committed and what the next one counts on from. It is the end of
 * the state, so that whoever copies the state copies what it belongs to, and pieces that come in order bring it last.
 */
import type { Address, Arena } from '../memory/arena.ts';
import type { MemoryPlan } from '../memory/plan.ts';

/** Sums over the rows of an epoch's applied steps so far. */
export interface EpochSums {
  readonly loss: number;
  readonly correct: number;
  readonly rows: number;
}

export interface Standing {
  /** The last step that was committed or skipped; 0 before the first. */
  readonly step: number;
  readonly updates: number;
  readonly skippedInARow: number;
  readonly epochSums: EpochSums;
}

interface StandingPlace {
  readonly standing: Address;
}

/** Where its words are: `step` is written last. */
export const standingIndex = { step: 0, updates: 1, skippedInARow: 2 } as const;
/** float64 [loss, correct, rows] from this byte on. */
export const epochSumsAt = 16;

export function reserveStanding(plan: MemoryPlan): Address {
  return plan.reserve('control', epochSumsAt + 24);
}

/** The last step that was committed or skipped here. */
export function stoodStep({ i32 }: Arena, { standing }: StandingPlace): number {
  return Atomics.load(i32, standing >>> 2);
}

/** The state is about to be overwritten: until it is there as a whole it is that of no step. */
export function forgetStanding({ i32 }: Arena, { standing }: StandingPlace): void {
  Atomics.store(i32, standing >>> 2, 0);
}

/** Only while no rank is in a step. */
export function readStanding({ i32, f64 }: Arena, { standing }: StandingPlace): Standing {
  const [step, updates, skippedInARow] = i32.subarray(standing >>> 2) as unknown as [number, number, number];
  const [loss, correct, rows] = f64.subarray((standing + epochSumsAt) >>> 3) as unknown as [number, number, number];
  return { step, updates, skippedInARow, epochSums: { loss, correct, rows } };
}

export function writeStanding({ i32, f64 }: Arena, { standing }: StandingPlace, { step, updates, skippedInARow, epochSums: { loss, correct, rows } }: Standing): void {
  f64.set([loss, correct, rows], (standing + epochSumsAt) >>> 3);
  i32[(standing >>> 2) + 1] = updates;
  i32[(standing >>> 2) + 2] = skippedInARow;
  Atomics.store(i32, standing >>> 2, step);
}
