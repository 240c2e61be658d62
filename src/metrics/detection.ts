/**
 * Room: metrics (level 3). How well yes is told from no, number by number: precision, recall, and the area under the ROC curve.
 * A target above one half is a yes. As Keras' metrics of these names.
 */
import type { Arena } from '../memory/arena.ts';
import type { Metric } from './metric.ts';

/** a / b, or 0 when there is nothing to divide by. */
function ratio(a: number, b: number): number {
  return b === 0 ? 0 : a / b;
}

/** Among what was predicted (`precision`) or is so (`recall`): [the true positives, the others]. */
function trueOfAll(name: string, threshold: number, of: 'precision' | 'recall'): Metric {
  return {
    name,
    count: 2,
    activated: true,
    measure(_kernels, { f32, f64 }: Arena, predictions, labels, rows, columns, sums) {
      let [both, others] = [0, 0];
      for (let i = 0; i < rows * columns; i++) {
        const said = f32[(predictions >>> 2) + i]! > threshold;
        const is = f32[(labels >>> 2) + i]! > 0.5;
        if (said && is) both++;
        else if (of === 'precision' ? said : is) others++;
      }
      f64[sums >>> 3] = both;
      f64[(sums >>> 3) + 1] = others;
    },
    value: (sums, at) => ratio(sums[at]!, sums[at]! + sums[at + 1]!),
  };
}

/** True positives among the predictions above `threshold`; 0 without any. */
export function precision(name: string, threshold: number): Metric {
  return trueOfAll(name, threshold, 'precision');
}

/** True positives among the targets that are a yes; 0 without any. */
export function recall(name: string, threshold: number): Metric {
  return trueOfAll(name, threshold, 'recall');
}

/** Keras' thresholds: evenly from 0 to 1, the ends moved out a little so that 0 is above the first and 1 is not above the last. */
function rocThresholds(count: number): Float64Array {
  const margin = 1e-7;
  return Float64Array.from({ length: count }, (_, i) => (i === 0 ? -margin : i === count - 1 ? 1 + margin : i / (count - 1)));
}

/**
 * The area under the curve of the share of true positives over the share of false ones, at `count` thresholds, by trapezoids. Its
 * numbers are two histograms: of the yes, and of the no, how many predictions are above exactly 0, 1, ..., `count` thresholds.
 */
export function auc(name: string, count: number): Metric {
  const thresholds = rocThresholds(count);
  const bins = count + 1;
  return {
    name,
    count: 2 * bins,
    activated: true,
    measure(_kernels, { f32, f64 }, predictions, labels, rows, columns, sums) {
      const first = sums >>> 3;
      f64.fill(0, first, first + 2 * bins);
      for (let i = 0; i < rows * columns; i++) {
        const p = f32[(predictions >>> 2) + i]!;
        // About the right bin by dividing, the right one by comparing.
        let above = Math.min(Math.max(Math.ceil(p * (count - 1)), 0), count) || 0;
        while (above < count && p > thresholds[above]!) above++;
        while (above > 0 && !(p > thresholds[above - 1]!)) above--;
        f64[first + (f32[(labels >>> 2) + i]! > 0.5 ? 0 : bins) + above]!++;
      }
    },
    value(sums, at) {
      let [yes, no] = [0, 0];
      for (let b = 0; b < bins; b++) {
        yes += sums[at + b]!;
        no += sums[at + bins + b]!;
      }
      // At threshold i everything in bins beyond i is a yes.
      let [truly, falsely] = [yes - sums[at]!, no - sums[at + bins]!];
      let area = 0;
      for (let i = 1; i < count; i++) {
        const [trulyNext, falselyNext] = [truly - sums[at + i]!, falsely - sums[at + bins + i]!];
        area += (ratio(falsely, no) - ratio(falselyNext, no)) * ((ratio(truly, yes) + ratio(trulyNext, yes)) / 2);
        [truly, falsely] = [trulyNext, falselyNext];
      }
      return area;
    },
  };
}
