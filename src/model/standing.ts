/**
 * Room: model (level 4). How a run stands: the last step that was committed and what the next one counts on from. It is the end of
 * the state, so that whoever copies the state copies what it belongs to, and pieces that come in order bring it last.
 */
import type { Address, Arena } from '../memory/arena.ts';
import type { MemoryPlan } from '../memory/plan.ts';

/** Sums over the rows of an epoch's applied steps so far. */
export interface EpochSums {
  /** The loss's and the metrics' numbers, as `Measures` places them. */
  readonly sums: readonly number[];
  readonly rows: number;
  /** What the sum of losses is divided by: the rows, or the sum of their weights. */
  readonly weight: number;
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
  readonly measures: { readonly length: number };
}

/** Where its words are: `step` is written last. */
export const standingIndex = { step: 0, updates: 1, skippedInARow: 2 } as const;

/** Bytes of the sums, which stand before the words: whoever copies the state in pieces has all of it when the words come. */
function sumsBytes({ length }: StandingPlace['measures']): number {
  return 2 * 8 * (length + 2);
}

/**
 * Index into `arena.f64` of the sums after `step`: float64 [numbers of the measures ..., rows, weight]. Even and odd steps take turns,
 * so that a step that is concluded twice adds to what was before it both times.
 */
export function epochSumsAt({ standing, measures }: StandingPlace, step: number): number {
  return ((standing - sumsBytes(measures)) >>> 3) + (step & 1) * (measures.length + 2);
}

export function reserveStanding(plan: MemoryPlan, measures: StandingPlace['measures']): Address {
  return plan.reserve('control', sumsBytes(measures) + 12) + sumsBytes(measures);
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
export function readStanding({ i32, f64 }: Arena, place: StandingPlace): Standing {
  const { standing, measures } = place;
  const [step, updates, skippedInARow] = i32.subarray(standing >>> 2) as unknown as [number, number, number];
  const at = epochSumsAt(place, step);
  const rows = at + measures.length;
  return { step, updates, skippedInARow, epochSums: { sums: Array.from(f64.subarray(at, rows)), rows: f64[rows]!, weight: f64[rows + 1]! } };
}

export function writeStanding({ i32, f64 }: Arena, place: StandingPlace, { step, updates, skippedInARow, epochSums: { sums, rows, weight } }: Standing): void {
  const { standing } = place;
  f64.set([...sums, rows, weight], epochSumsAt(place, step));
  i32[(standing >>> 2) + 1] = updates;
  i32[(standing >>> 2) + 2] = skippedInARow;
  Atomics.store(i32, standing >>> 2, step);
}
