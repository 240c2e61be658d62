/**
 * Room: kernels (level 2), reference. The meaning of the losses on target values and of their gradients: formulas in float64,
 * columns and rows summed in index order, gradients rounded to float32 once. It promises plainness, not speed.
 */
import type { Arena } from '../../memory/arena.ts';
import { exp, log, log1p } from '../../numerics/elementary.ts';
import { type Kernels, type TargetLossCode, targetLossCode } from '../contract.ts';

/** Keras' epsilon: probabilities are clipped to [epsilon, 1]. */
const epsilon = 1e-7;

/** [f(p, t), f'(p, t)] of the contract's `targetLoss`. */
function pointLoss(code: TargetLossCode, parameter: number, p: number, t: number): [number, number] {
  const error = p - t;
  switch (code) {
    case targetLossCode.meanAbsoluteError:
      return [Math.abs(error), Math.sign(error)];
    case targetLossCode.huber: {
      const size = Math.abs(error);
      const value = size <= parameter ? 0.5 * (size * size) : parameter * (size - 0.5 * parameter);
      return [value, Math.min(Math.max(error, -parameter), parameter)];
    }
    case targetLossCode.hinge:
    case targetLossCode.squaredHinge: {
      const sign = t === 0 ? -1 : t;
      const margin = 1 - sign * p;
      const cut = Math.max(margin, 0);
      // An infinite prediction shows, on the right side too.
      if (code === targetLossCode.hinge) return [cut + (p - p), margin >= 0 ? -sign : 0];
      return [cut * cut + (p - p), -2 * sign * cut];
    }
    case targetLossCode.binaryCrossentropy: {
      const target = t * (1 - parameter) + 0.5 * parameter;
      const e = exp(-Math.abs(p));
      const share = e / (1 + e);
      return [Math.max(p, 0) - p * target + log1p(e), p < 0 ? share - target : 1 - target - share];
    }
    case targetLossCode.kullbackLeiblerDivergence: {
      const clip = (value: number): number => Math.min(Math.max(value, epsilon), 1);
      const [q, target] = [clip(p), clip(t)];
      return [target * (log(target) - log(q)) + (p - p), p >= epsilon && p <= 1 ? -(target / q) : 0];
    }
    default:
      return code satisfies never;
  }
}

/** The loss kernels over target values, over `arena`. */
export function targetLossesReference({ f32, f64 }: Arena): Pick<Kernels, 'categoricalCrossentropy' | 'targetLoss' | 'categoricalHinge'> {
  return {
    categoricalCrossentropy(logits, t, dlogits, rows, columns, smoothing, divisor, sums) {
      let loss = 0;
      for (let row = 0; row < rows && columns > 0; row++) {
        const x = Array.from(f32.subarray((logits >>> 2) + row * columns, (logits >>> 2) + (row + 1) * columns));
        const targets = Array.from(f32.subarray((t >>> 2) + row * columns, (t >>> 2) + (row + 1) * columns), (value) => value * (1 - smoothing) + smoothing / columns);
        const largest = Math.max(...x);
        const sum = x.reduce((total, value) => total + exp(value - largest), 0);
        const total = targets.reduce((a, b) => a + b, 0);
        const inner = x.reduce((products, value, c) => products + targets[c]! * (value - largest), 0);
        loss += total * log(sum) - inner;
        for (let c = 0; c < columns && dlogits !== 0; c++) {
          f32[(dlogits >>> 2) + row * columns + c] = ((exp(x[c]! - largest) / sum) * total - targets[c]!) / divisor;
        }
      }
      f64[sums >>> 3] = loss;
      f64[(sums >>> 3) + 1] = 0;
    },

    targetLoss(code, parameter, p, t, dp, rows, columns, divisor, sums) {
      const share = code === targetLossCode.kullbackLeiblerDivergence ? 1 : columns;
      const factor = 1 / (share * divisor);
      let loss = 0;
      for (let row = 0; row < rows && columns > 0; row++) {
        let sum = 0;
        for (let i = row * columns; i < (row + 1) * columns; i++) {
          const [value, slope] = pointLoss(code, parameter, f32[(p >>> 2) + i]!, f32[(t >>> 2) + i]!);
          sum += value;
          if (dp !== 0) f32[(dp >>> 2) + i] = slope * factor;
        }
        loss += sum / share;
      }
      f64[sums >>> 3] = loss;
      f64[(sums >>> 3) + 1] = 0;
    },

    categoricalHinge(p, t, dp, rows, columns, divisor, sums) {
      let loss = 0;
      for (let row = 0; row < rows && columns > 0; row++) {
        let [right, wrong, wrongAt] = [0, -Infinity, 0];
        for (let i = row * columns; i < (row + 1) * columns; i++) {
          const [value, target] = [f32[(p >>> 2) + i]!, f32[(t >>> 2) + i]!];
          // An infinite prediction shows, wherever it stands.
          right += target * value + (value - value);
          if ((1 - target) * value > wrong) {
            wrong = (1 - target) * value;
            wrongAt = i;
          }
        }
        const margin = 1 + wrong - right;
        loss += Math.max(margin, 0);
        for (let i = row * columns; i < (row + 1) * columns && dp !== 0; i++) {
          const target = f32[(t >>> 2) + i]!;
          f32[(dp >>> 2) + i] = margin >= 0 ? ((i === wrongAt ? 1 - target : 0) - target) / divisor : 0;
        }
      }
      f64[sums >>> 3] = loss;
      f64[(sums >>> 3) + 1] = 0;
    },
  };
}
