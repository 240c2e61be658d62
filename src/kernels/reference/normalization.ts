/**
 * Room: kernels (level 2). What batch normalisation's kernels mean, in plain TypeScript: one loop per formula, letters as in
 * the contract. Sums are float64 in row order; elementwise results are float32, rounded after every operation, so a fast
 * kernel can be compared bit for bit. It is written to be read, not to be quick.
 */
import type { Arena } from '../../memory/arena.ts';
import type { Kernels } from '../contract.ts';

const f = Math.fround;

/** The kernels of batch normalisation over `arena`. */
export function normalizationReference(arena: Arena): Pick<Kernels, 'moments' | 'normalize' | 'normalizeSums' | 'normalizeBackward'> {
  const { f32, f64 } = arena;

  /** (x - meanHi) - meanLo: subtracted before anything is multiplied, so a mean far above the spread costs no digits. */
  const centred = (x: number, meanHi: number, meanLo: number): number => f(f(x - meanHi) - meanLo);

  return {
    moments(x, mean, m2, rows, channels) {
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let r = 0; r < rows; r++) sum += f32[(x >>> 2) + r * channels + c]!;
        const centre = rows === 0 ? 0 : sum / rows;
        let squares = 0;
        for (let r = 0; r < rows; r++) {
          const d = f32[(x >>> 2) + r * channels + c]! - centre;
          squares += d * d;
        }
        f64[(mean >>> 3) + c] = centre;
        f64[(m2 >>> 3) + c] = squares;
      }
    },

    normalize(x, y, meanHi, meanLo, scale, beta, rows, channels) {
      for (let r = 0; r < rows; r++) {
        for (let c = 0; c < channels; c++) {
          const i = r * channels + c;
          const d = centred(f32[(x >>> 2) + i]!, f32[(meanHi >>> 2) + c]!, f32[(meanLo >>> 2) + c]!);
          const scaled = f(d * f32[(scale >>> 2) + c]!);
          f32[(y >>> 2) + i] = beta === 0 ? scaled : f(scaled + f32[(beta >>> 2) + c]!);
        }
      }
    },

    normalizeSums(dy, x, meanHi, meanLo, sumDy, sumDyX, rows, channels) {
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        let product = 0;
        for (let r = 0; r < rows; r++) {
          const i = r * channels + c;
          const slope = f32[(dy >>> 2) + i]!;
          sum += slope;
          product += slope * centred(f32[(x >>> 2) + i]!, f32[(meanHi >>> 2) + c]!, f32[(meanLo >>> 2) + c]!);
        }
        f64[(sumDy >>> 3) + c] = sum;
        f64[(sumDyX >>> 3) + c] = product;
      }
    },

    normalizeBackward(dy, x, dx, meanHi, meanLo, scale, a, b, rows, channels) {
      for (let r = 0; r < rows; r++) {
        for (let c = 0; c < channels; c++) {
          const i = r * channels + c;
          const d = centred(f32[(x >>> 2) + i]!, f32[(meanHi >>> 2) + c]!, f32[(meanLo >>> 2) + c]!);
          const rest = f(f(f32[(dy >>> 2) + i]! - f32[(a >>> 2) + c]!) - f(d * f32[(b >>> 2) + c]!));
          f32[(dx >>> 2) + i] = f(f32[(scale >>> 2) + c]! * rest);
        }
      }
    },
  };
}
