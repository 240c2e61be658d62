/**
 * Room: metrics (level 3). What a metric is: numbers that each shard adds up over its rows, and the value that follows from their
 * sums. Sums over shards and over steps are sums of these numbers, so a value is that of all rows, never a mean of means.
 */
import type { Kernels } from '../kernels/contract.ts';
import type { Address, Arena } from '../memory/arena.ts';

export interface Metric {
  /** What the history calls it. */
  readonly name: string;
  /** float64 numbers that it adds up; 0 for one whose number the loss counts. */
  readonly count: number;
  /** True when it looks at what the model gives; false when logits do as well, as for which is the largest. */
  readonly activated: boolean;
  /** Writes the numbers of `rows` rows of `columns` predictions at `sums`. Labels are as the loss has them. */
  measure(kernels: Kernels, arena: Arena, predictions: Address, labels: Address, rows: number, columns: number, sums: Address): void;
  /** From the sums over `rows` rows, which are `sums[at]` and following. NaN when there is nothing to tell. */
  value(sums: ArrayLike<number>, at: number, rows: number): number;
}

/** How many are right; predictions and labels are indices of float32 or int32 numbers. */
type CountRight = (arena: Arena, predictions: number, labels: number, rows: number, columns: number) => number;

/** The share of rows, or of all numbers, for which something holds: an exact count. */
export function share(name: string, activated: boolean, countRight: CountRight, perRow: number): Metric {
  return {
    name,
    count: 1,
    activated,
    measure(_kernels, arena, predictions, labels, rows, columns, sums) {
      arena.f64[sums >>> 3] = countRight(arena, predictions >>> 2, labels >>> 2, rows, columns);
    },
    value: (sums, at, rows) => sums[at]! / (rows * perRow),
  };
}
