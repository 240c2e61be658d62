/**
 * Room: tests of metrics. Precision, recall and AUC on numbers that a hand can count, at and around their thresholds.
 */
import test from 'ava';
import { createReferenceKernels } from '../../src/kernels/reference.ts';
import { Arena } from '../../src/memory/arena.ts';
import { auc, precision, recall } from '../../src/metrics/detection.ts';
import type { Metric } from '../../src/metrics/metric.ts';

const arena = Arena.create(2 ** 16);
const [predictions, labels, sums] = [1024, 8192, 16384];

/** The metric's numbers of rows of one prediction each, and its value. */
function measured(metric: Metric, p: readonly number[], t: readonly number[]): { readonly numbers: number[]; readonly value: number } {
  arena.f32.set(p, predictions >>> 2);
  arena.f32.set(t, labels >>> 2);
  arena.f64.fill(Number.NaN, sums >>> 3, (sums >>> 3) + metric.count);
  metric.measure(createReferenceKernels(arena), arena, predictions, labels, p.length, 1, sums);
  const numbers = Array.from(arena.f64.subarray(sums >>> 3, (sums >>> 3) + metric.count));
  return { numbers, value: metric.value(numbers, 0, p.length) };
}

test('what is above the threshold is a yes, what is on it is not', (t) => {
  const [p, is] = [
    [0.9, 0.5, 0.6, 0.1],
    [1, 1, 0, 0],
  ];
  t.deepEqual(measured(precision('precision', 0.5), p, is), { numbers: [1, 1], value: 0.5 });
  t.deepEqual(measured(recall('recall', 0.5), p, is), { numbers: [1, 1], value: 0.5 });
  t.is(measured(recall('recall', 0.05), p, is).value, 1);
  t.is(measured(precision('precision', 0.95), p, is).value, 0, 'nothing was said');
  t.is(measured(recall('recall', 0.5), p, [0, 0, 0, 0]).value, 0, 'nothing is so');
});

test('a prediction is counted by how many thresholds it is above: 0 above the first, 1 not above the last', (t) => {
  // Thresholds just below 0, 0.25, 0.5, 0.75 and just above 1.
  const { numbers } = measured(auc('auc', 5), [0, 0.25, 0.26, 0.5, 1, 2, -1, Number.NaN], [1, 1, 1, 1, 1, 0, 0, 0]);
  t.deepEqual(numbers, [0, 2, 2, 0, 1, 0, /* no: */ 2, 0, 0, 0, 0, 1]);
});

test('the area is 1 for what is told apart, 1/2 for what is all alike, 0 for what is the wrong way round', (t) => {
  const metric = auc('auc', 200);
  t.is(measured(metric, [0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1]).value, 1);
  t.is(measured(metric, [0.3, 0.3, 0.3, 0.3], [0, 1, 0, 1]).value, 0.5);
  t.is(measured(metric, [0.9, 0.8, 0.2, 0.1], [0, 0, 1, 1]).value, 0);
  // Of four pairs of a yes and a no, three are in order.
  t.is(measured(metric, [0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]).value, 0.75);
  t.is(measured(metric, [0.1, 0.4], [1, 1]).value, 0, 'without a no there is no curve');
});
