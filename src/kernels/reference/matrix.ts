/**
 * Room: kernels/reference (level 2). The meaning of the matrix product and the sums, in plain TypeScript with float64
 * accumulators. It promises to be the definition that the fast kernels are checked against, and never to be fast.
 */
import type { Address, Arena } from '../../memory/arena.ts';
import { type GemmForm, gemmForm, type Kernels } from '../contract.ts';

/** The reference `gemm`, `columnSums`, `add` and `squareSum` over an arena. */
export function matrixReference(arena: Arena): Pick<Kernels, 'gemm' | 'columnSums' | 'add' | 'squareSum'> {
  const { f32 } = arena;

  return {
    /** c[i, j] = sum over p of op(a)[i, p] op(b)[p, j], float64, rounded once. */
    gemm(form: GemmForm, m: number, n: number, k: number, a: Address, b: Address, c: Address): void {
      const [a0, b0, c0] = [a >>> 2, b >>> 2, c >>> 2];
      const [aRow, aStep] = form === gemmForm.TN ? [1, m] : [k, 1];
      const [bStep, bColumn] = form === gemmForm.NT ? [1, k] : [n, 1];
      for (let i = 0; i < m; i++) {
        for (let j = 0; j < n; j++) {
          let sum = 0;
          for (let p = 0; p < k; p++) sum += f32[a0 + i * aRow + p * aStep]! * f32[b0 + p * bStep + j * bColumn]!;
          f32[c0 + i * n + j] = sum;
        }
      }
    },

    /** out[j] = sum over i of x[i, j], float64 in row order, rounded once. */
    columnSums(x: Address, out: Address, rows: number, columns: number): void {
      for (let j = 0; j < columns; j++) {
        let sum = 0;
        for (let i = 0; i < rows; i++) sum += f32[(x >>> 2) + i * columns + j]!;
        f32[(out >>> 2) + j] = sum;
      }
    },

    /** x[i] += y[i]. */
    add(x: Address, y: Address, count: number): void {
      for (let i = 0; i < count; i++) f32[(x >>> 2) + i]! += f32[(y >>> 2) + i]!;
    },

    /** out = sum of x[i]^2 by eight lanes: element i goes to lane i % 8. */
    squareSum(x: Address, count: number, out: Address): void {
      const l: [number, number, number, number, number, number, number, number] = [0, 0, 0, 0, 0, 0, 0, 0];
      for (let i = 0; i < count; i++) {
        const value = f32[(x >>> 2) + i]!;
        l[i % 8]! += value * value;
      }
      arena.f64[out >>> 3] = l[0] + l[1] + (l[2] + l[3]) + (l[4] + l[5] + (l[6] + l[7]));
    },
  };
}
