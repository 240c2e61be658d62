/**
 * Room: kernels (level 2). What folding a scale and a shift of the inputs into a matrix means, and the way back for gradients,
 * in plain TypeScript: sums in float64 in the order that the contract states, rounded once; elementwise results float32,
 * rounded after every operation. It is written to be read, not to be quick.
 */
import type { Arena } from '../../memory/arena.ts';
import type { Kernels } from '../contract.ts';

const f = Math.fround;

/** The reference `fold` and `unfold` over an arena. */
export function foldingReference({ f32 }: Arena): Pick<Kernels, 'fold' | 'unfold'> {
  return {
    fold(w, bias, gamma, beta, foldedW, foldedBias, rows, columns) {
      for (let c = 0; c < columns; c++) {
        let sum = bias === 0 ? 0 : f32[(bias >>> 2) + c]!;
        for (let r = 0; r < rows; r++) {
          const i = r * columns + c;
          sum += f32[(w >>> 2) + i]! * f32[(beta >>> 2) + r]!;
          f32[(foldedW >>> 2) + i] = f32[(w >>> 2) + i]! * f32[(gamma >>> 2) + r]!;
        }
        f32[(foldedBias >>> 2) + c] = sum;
      }
    },

    unfold(w, g, db, gamma, beta, dgamma, dbeta, rows, columns) {
      for (let r = 0; r < rows; r++) {
        const [scale, shift] = [f32[(gamma >>> 2) + r]!, f32[(beta >>> 2) + r]!];
        const s: [number, number, number, number] = [0, 0, 0, 0];
        const t: [number, number, number, number] = [0, 0, 0, 0];
        for (let c = 0; c < columns; c++) {
          const i = r * columns + c;
          const [weight, slope, sum] = [f32[(w >>> 2) + i]!, f32[(g >>> 2) + i]!, f32[(db >>> 2) + c]!];
          s[c % 4]! += weight * slope;
          t[c % 4]! += weight * sum;
          f32[(g >>> 2) + i] = f(slope * scale) + f(sum * shift);
        }
        f32[(dgamma >>> 2) + r] = s[0] + s[1] + (s[2] + s[3]);
        f32[(dbeta >>> 2) + r] = t[0] + t[1] + (t[2] + t[3]);
      }
    },
  };
}
