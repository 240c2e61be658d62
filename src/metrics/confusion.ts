/**
 * Room: metrics (level 3). The confusion matrix: how many rows of each class were predicted as which. Only evaluations count it.
 */
import { firstLargest } from './accuracy.ts';
import type { Metric } from './metric.ts';

/** Counts at [class x classes + predicted class]; rows with predictions that are not finite are in no cell. */
export function confusionMatrix(name: string, labelKind: 'class' | 'target', columns: number): Metric {
  // A single output tells two classes apart.
  const classes = Math.max(2, columns);
  return {
    name,
    count: classes * classes,
    activated: columns === 1,
    measure(_kernels, { f32, i32, f64 }, predictions, labels, rows, _columns, sums) {
      const [p, l, first] = [predictions >>> 2, labels >>> 2, sums >>> 3];
      const classAt = (at: number): number => (columns > 1 ? firstLargest(f32, at, columns) : Number.isFinite(f32[at]!) ? (f32[at]! > 0.5 ? 1 : 0) : -1);
      f64.fill(0, first, first + classes * classes);
      for (let row = 0; row < rows; row++) {
        const predicted = classAt(p + row * columns);
        const actual = labelKind === 'class' ? i32[l + row]! : classAt(l + row * columns);
        if (predicted >= 0) f64[first + actual * classes + predicted]!++;
      }
    },
    value: () => Number.NaN,
  };
}

/** Row by row, of `count` numbers. */
export function matrixOf(sums: ArrayLike<number>, at: number, count: number): number[][] {
  const classes = Math.sqrt(count);
  return Array.from({ length: classes }, (_, actual) => Array.from({ length: classes }, (__, predicted) => sums[at + actual * classes + predicted]!));
}
