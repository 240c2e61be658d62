/**
 * Room: metrics (level 3). Accuracies: the share of rows, or of numbers, that are predicted right. As Keras' metrics of these names.
 */
import type { Arena } from '../memory/arena.ts';
import { type Metric, share } from './metric.ts';

/** Place of the first largest of `columns` numbers from `at` on, counted from it; -1 when one of them is not finite. */
export function firstLargest(f32: Float32Array, at: number, columns: number): number {
  let largest = 0;
  for (let c = 0; c < columns; c++) {
    const value = f32[at + c]!;
    if (!Number.isFinite(value)) return -1;
    if (value > f32[at + largest]!) largest = c;
  }
  return largest;
}

/** The first largest prediction is the class, as an integer. */
export function sparseCategoricalAccuracy(name: string): Metric {
  const count = ({ f32, i32 }: Arena, predictions: number, labels: number, rows: number, columns: number): number => {
    let right = 0;
    for (let row = 0; row < rows; row++) if (firstLargest(f32, predictions + row * columns, columns) === i32[labels + row]!) right++;
    return right;
  };
  return share(name, false, count, 1);
}

/** The first largest prediction is where the first largest target is. */
export function categoricalAccuracy(name: string): Metric {
  const count = ({ f32 }: Arena, predictions: number, labels: number, rows: number, columns: number): number => {
    let right = 0;
    for (let row = 0; row < rows; row++) {
      if (firstLargest(f32, predictions + row * columns, columns) === firstLargest(f32, labels + row * columns, columns)) right++;
    }
    return right;
  };
  return share(name, false, count, 1);
}

/** A prediction above `threshold` and a target above one half agree, number by number. */
export function binaryAccuracy(name: string, threshold: number, columns: number): Metric {
  const count = ({ f32 }: Arena, predictions: number, labels: number, rows: number): number => {
    let right = 0;
    for (let i = 0; i < rows * columns; i++) {
      const p = f32[predictions + i]!;
      if (p > threshold === f32[labels + i]! > 0.5 && Number.isFinite(p)) right++;
    }
    return right;
  };
  return share(name, true, count, columns);
}

/** Fewer than `k` predictions of the row are larger than that of its class: of equal ones all are in, as in TensorFlow's `in_top_k`. */
function isInTopK(f32: Float32Array, at: number, columns: number, label: number, k: number): boolean {
  const own = f32[at + label]!;
  let larger = 0;
  for (let c = 0; c < columns; c++) {
    const value = f32[at + c]!;
    if (!Number.isFinite(value)) return false;
    if (value > own) larger++;
  }
  return larger < k;
}

export function sparseTopKCategoricalAccuracy(name: string, k: number): Metric {
  const count = ({ f32, i32 }: Arena, predictions: number, labels: number, rows: number, columns: number): number => {
    let right = 0;
    for (let row = 0; row < rows; row++) if (isInTopK(f32, predictions + row * columns, columns, i32[labels + row]!, k)) right++;
    return right;
  };
  return share(name, false, count, 1);
}

export function topKCategoricalAccuracy(name: string, k: number): Metric {
  const count = ({ f32 }: Arena, predictions: number, labels: number, rows: number, columns: number): number => {
    let right = 0;
    for (let row = 0; row < rows; row++) {
      const label = firstLargest(f32, labels + row * columns, columns);
      if (isInTopK(f32, predictions + row * columns, columns, label, k)) right++;
    }
    return right;
  };
  return share(name, false, count, 1);
}

/** What the loss counted on its way: no number of its own, and no time. */
export function countedByLoss(name: string): Metric {
  return { name, count: 0, activated: false, measure() {}, value: (sums, at, rows) => sums[at]! / rows };
}
