/**
 * Room: model (level 4). How a run stands: the last step that was committed and what the next one counts on from. It is the end of
 * the state, so that whoever copies the state copies what it belongs to, and pieces that come in order bring it last.
 */
import type { Address, Arena } from '../memory/arena.ts';
import type { MemoryPlan } from '../memory/plan.ts';
import type { OptimizerRoom } from '../optimizers/room.ts';

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
  /** Norms of the gradients of the last updates, the oldest first; absent where none are remembered. */
  readonly gradNorms?: readonly number[];
}

interface StandingPlace {
  readonly standing: Address;
  readonly measures: { readonly length: number };
  readonly spec: Pick<OptimizerRoom, 'clipHistory'>;
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

/**
 * Index into `arena.f64` of the gradients' norms, which stand before the sums: that of update u, from 1, is at place (u - 1) % clipHistory. Written once
 * the update is made; whoever writes it again writes the same.
 */
export function gradNormsAt({ standing, measures, spec: { clipHistory = 0 } }: StandingPlace): number {
  return ((standing - sumsBytes(measures)) >>> 3) - clipHistory;
}

export function reserveStanding(plan: MemoryPlan, { measures, spec: { clipHistory = 0 } }: Omit<StandingPlace, 'standing'>): Address {
  const before = 8 * clipHistory + sumsBytes(measures);
  return plan.reserve('control', before + 12) + before;
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
  const epochSums = { sums: Array.from(f64.subarray(at, rows)), rows: f64[rows]!, weight: f64[rows + 1]! };
  const { clipHistory } = place.spec;
  if (clipHistory === undefined) return { step, updates, skippedInARow, epochSums };
  const first = gradNormsAt(place);
  const count = Math.min(updates, clipHistory);
  const gradNorms = Array.from({ length: count }, (_, i) => f64[first + ((updates - count + i) % clipHistory)]!);
  return { step, updates, skippedInARow, epochSums, gradNorms };
}

/** `gradNorms` are as many as are remembered after so many updates. */
export function writeStanding({ i32, f64 }: Arena, place: StandingPlace, { step, updates, skippedInARow, epochSums, gradNorms = [] }: Standing): void {
  const { standing } = place;
  const { sums, rows, weight } = epochSums;
  const first = gradNormsAt(place);
  for (const [i, norm] of gradNorms.entries()) f64[first + ((updates - gradNorms.length + i) % place.spec.clipHistory!)] = norm;
  f64.set([...sums, rows, weight], epochSumsAt(place, step));
  i32[(standing >>> 2) + 1] = updates;
  i32[(standing >>> 2) + 2] = skippedInARow;
  Atomics.store(i32, standing >>> 2, step);
}
