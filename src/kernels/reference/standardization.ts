/**
 * Room: kernels (level 2). What layer normalisation's kernels mean, in plain TypeScript: one row after the other, letters as in the contract.
 */
import type { Arena } from '../../memory/arena.ts';
import type { Kernels } from '../contract.ts';

const f = Math.fround;

/** The kernels of layer normalisation over `arena`. */
export function standardizationReference({ f32 }: Arena): Pick<Kernels, 'standardizeRows' | 'standardizeRowsBackward'> {
  /** Number c goes to lane c % 4, then (l0 + l1) + (l2 + l3). */
  function rowSum(columns: number, value: (c: number) => number): number {
    const lanes: [number, number, number, number] = [0, 0, 0, 0];
    for (let c = 0; c < columns; c++) lanes[c % 4]! += value(c);
    return lanes[0] + lanes[1] + (lanes[2] + lanes[3]);
  }

  return {
    standardizeRows(x, xhat, invStds, rows, columns, epsilon) {
      for (let r = 0; r < rows; r++) {
        const row = f32.subarray((x >>> 2) + r * columns, (x >>> 2) + (r + 1) * columns);
        const mean = rowSum(columns, (c) => row[c]!) / columns;
        const variance = rowSum(columns, (c) => (row[c]! - mean) * (row[c]! - mean)) / columns;
        const invStd = f(1 / Math.sqrt(variance + epsilon));
        const meanLo = f(mean - f(mean));
        f32[(invStds >>> 2) + r] = invStd;
        for (let c = 0; c < columns; c++) f32[(xhat >>> 2) + r * columns + c] = f(f(f(row[c]! - f(mean)) - meanLo) * invStd);
      }
    },

    standardizeRowsBackward(g, xhat, invStds, dx, rows, columns) {
      for (let r = 0; r < rows; r++) {
        const slopes = f32.subarray((g >>> 2) + r * columns, (g >>> 2) + (r + 1) * columns);
        const normal = f32.subarray((xhat >>> 2) + r * columns, (xhat >>> 2) + (r + 1) * columns);
        const mean = f(rowSum(columns, (c) => slopes[c]!) / columns);
        const slope = f(rowSum(columns, (c) => slopes[c]! * normal[c]!) / columns);
        const invStd = f32[(invStds >>> 2) + r]!;
        for (let c = 0; c < columns; c++) f32[(dx >>> 2) + r * columns + c] = f(invStd * f(f(slopes[c]! - mean) - f(normal[c]! * slope)));
      }
    },
  };
}
