/**
 * Room: kernels (level 2), reference. The meaning of the losses and their gradients: formulas in float64, columns and
 * rows summed in index order, gradients rounded to float32 once. It promises plainness, not speed.
 */
import type { Arena } from '../../memory/arena.ts';
import { exp, log } from '../../numerics/elementary.ts';
import type { Kernels } from '../contract.ts';

/** The loss kernels over `arena`. */
export function lossesReference(arena: Arena): Pick<Kernels, 'sparseCrossentropy' | 'meanSquaredError'> {
  const { f32, i32, f64 } = arena;

  return {
    /** A label outside [0, columns) makes its row's loss and gradient NaN; a row whose sum is not finite is not correct. */
    sparseCrossentropy(logits, labels, dlogits, rows, columns, divisor, sums) {
      let loss = 0;
      let correct = 0;
      for (let row = 0; row < rows && columns > 0; row++) {
        const x = (logits >>> 2) + row * columns;
        const label = i32[(labels >>> 2) + row]!;
        const known = label >= 0 && label < columns;
        const own = known ? f32[x + label]! : NaN;
        let largest = -Infinity;
        let largestAt = -1;
        for (let c = 0; c < columns; c++) {
          if (f32[x + c]! > largest) largestAt = c;
          largest = Math.max(largest, f32[x + c]!);
        }
        let sum = 0;
        for (let c = 0; c < columns; c++) sum += exp(f32[x + c]! - largest);
        loss += log(sum) - (own - largest);
        if (Number.isFinite(sum) && largestAt === label) correct++;
        for (let c = 0; c < columns && dlogits !== 0; c++) {
          const p = exp(f32[x + c]! - largest) / sum;
          f32[(dlogits >>> 2) + row * columns + c] = known ? (p - (c === label ? 1 : 0)) / divisor : NaN;
        }
      }
      f64[sums >>> 3] = loss;
      f64[(sums >>> 3) + 1] = correct;
    },

    meanSquaredError(p, t, dp, rows, columns, divisor, sums) {
      let loss = 0;
      for (let row = 0; row < rows && columns > 0; row++) {
        let squares = 0;
        for (let i = row * columns; i < (row + 1) * columns; i++) {
          const difference = f32[(p >>> 2) + i]! - f32[(t >>> 2) + i]!;
          squares += difference * difference;
          if (dp !== 0) f32[(dp >>> 2) + i] = difference * (2 / (columns * divisor));
        }
        loss += squares / columns;
      }
      f64[sums >>> 3] = loss;
      f64[(sums >>> 3) + 1] = 0;
    },
  };
}
