/**
 * Room: scripts (level 8). Expected against received: one number that says how far apart they are.
 */

/** A tensor of a case file. */
export interface Expected {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** What a check came to. `error` is Infinity when lengths differ or a number is not finite. */
export interface Check {
  readonly name: string;
  readonly error: number;
  readonly tolerance: number;
}

/** The largest difference, relative to the largest expected value of the tensor. */
export function relativeError(expected: ArrayLike<number>, received: ArrayLike<number>): number {
  if (expected.length !== received.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  let difference = 0;
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]!));
    const distance = Math.abs(expected[i]! - received[i]!);
    difference = Number.isNaN(distance) ? Number.POSITIVE_INFINITY : Math.max(difference, distance);
  }
  if (difference === 0) return 0;
  return difference / (largest || 1);
}

/** Tolerances by kind of case: single layers; the case that cancels on purpose; whole runs. */
export const tolerance = { layer: 2e-5, cancellation: 1e-3, run: 1e-3 } as const;
