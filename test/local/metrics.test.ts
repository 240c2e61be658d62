/**
 * Room: tests of local. Every metric against an independent computation in float64 from the model's predictions; the same bits in
 * steps, epochs and validation for any number of workers.
 */
import test from 'ava';
import type { LossConfig } from '../../src/config/losses.ts';
import type { MetricConfig } from '../../src/config/metrics.ts';
import type { ArrayData } from '../../src/data/arrays.ts';
import { layers } from '../../src/layers/factories.ts';
import { evaluate } from '../../src/local/evaluate.ts';
import { train } from '../../src/local/train.ts';
import { type Model, sequential } from '../../src/model/model.ts';
import { optimizers } from '../../src/optimizers/factories.ts';
import { classified, exclusiveOr, numbers, trace } from '../toy.ts';

type Rows = readonly (readonly number[])[];

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const argMax = (row: readonly number[]): number => row.indexOf(Math.max(...row));
const shareOf = (rows: Rows, holds: (row: readonly number[], i: number) => boolean): number => mean(rows.map((row, i) => (holds(row, i) ? 1 : 0)));
const inTop = (row: readonly number[], label: number, k: number): boolean => row.toSorted((a, b) => b - a).indexOf(row[label]!) < k;

/** Pairs of a probability and whether it should be a yes. */
function pairs(p: Rows, t: Rows): [number, boolean][] {
  return p.flatMap((row, r) => row.map((value, c): [number, boolean] => [value, t[r]![c]! === 1]));
}

/** Keras' definition, threshold by threshold. */
function areaByHand(all: readonly [number, boolean][], count: number): number {
  const points = Array.from({ length: count }, (_, i) => {
    const threshold = i === 0 ? -1e-7 : i === count - 1 ? 1 + 1e-7 : i / (count - 1);
    const rate = (side: boolean): number => mean(all.filter(([, is]) => is === side).map(([value]) => (value > threshold ? 1 : 0)));
    return [rate(false), rate(true)] as const;
  });
  return points.slice(1).reduce((area, [x, y], i) => area + (points[i]![0] - x) * ((points[i]![1] + y) / 2), 0);
}

const precisionByHand = (p: Rows, t: Rows, threshold: number): number =>
  mean(
    pairs(p, t)
      .filter(([value]) => value > threshold)
      .map(([, is]) => (is ? 1 : 0)),
  );
const recallByHand = (p: Rows, t: Rows, threshold: number): number =>
  mean(
    pairs(p, t)
      .filter(([, is]) => is)
      .map(([value]) => (value > threshold ? 1 : 0)),
  );

/** Metrics with their values by hand. */
type Expectations = readonly (readonly [MetricConfig, (p: Rows, t: Rows) => number])[];

const onTargets: Expectations = [
  ['categoricalAccuracy', (p, t) => shareOf(p, (row, i) => argMax(row) === argMax(t[i]!))],
  ['binaryAccuracy', (p, t) => mean(pairs(p, t).map(([value, is]) => (value > 0.5 === is ? 1 : 0)))],
  [{ type: 'binaryAccuracy', threshold: 0.3, name: 'easy' }, (p, t) => mean(pairs(p, t).map(([value, is]) => (value > 0.3 === is ? 1 : 0)))],
  [{ type: 'topKCategoricalAccuracy', k: 2 }, (p, t) => shareOf(p, (row, i) => inTop(row, argMax(t[i]!), 2))],
  ['precision', (p, t) => precisionByHand(p, t, 0.5)],
  [{ type: 'recall', threshold: 0.4 }, (p, t) => recallByHand(p, t, 0.4)],
  ['auc', (p, t) => areaByHand(pairs(p, t), 200)],
  [{ type: 'auc', numThresholds: 7, name: 'coarse' }, (p, t) => areaByHand(pairs(p, t), 7)],
  ['meanAbsoluteError', (p, t) => mean(p.map((row, r) => mean(row.map((value, c) => Math.abs(value - t[r]![c]!)))))],
  ['meanSquaredError', (p, t) => mean(p.map((row, r) => mean(row.map((value, c) => (value - t[r]![c]!) ** 2))))],
];
const onClasses: Expectations = [
  ['accuracy', (p, t) => shareOf(p, (row, i) => argMax(row) === t[i]![0])],
  ['sparseCategoricalAccuracy', (p, t) => shareOf(p, (row, i) => argMax(row) === t[i]![0])],
  [{ type: 'sparseTopKCategoricalAccuracy', k: 2 }, (p, t) => shareOf(p, (row, i) => inTop(row, t[i]![0]!, 2))],
];

interface Case {
  readonly title: string;
  readonly loss: LossConfig;
  readonly activation: 'softmax' | 'sigmoid' | 'linear';
  readonly units: number;
  readonly expectations: Expectations;
  readonly data: (rows: number, seed: number) => { readonly data: ArrayData; readonly t: Rows };
}

function oneHot(rows: number, seed: number): { readonly data: ArrayData; readonly t: Rows } {
  const { x, y } = classified(rows, [4], 3, seed);
  const t = Array.from(y as Int32Array, (label) => [0, 1, 2].map((c) => (c === label ? 1 : 0)));
  return { data: { x: x as Float32Array, y: t, inputShape: [4] }, t };
}

function multiLabel(rows: number, seed: number): { readonly data: ArrayData; readonly t: Rows } {
  const x = numbers(4 * rows, seed);
  const t = Array.from({ length: rows }, (_, row) => [0, 1, 2].map((c) => (x[4 * row + c]! > 0.1 ? 1 : 0)));
  return { data: { x, y: t, inputShape: [4] }, t };
}

function classLabels(rows: number, seed: number): { readonly data: ArrayData; readonly t: Rows } {
  const data = classified(rows, [4], 3, seed);
  return { data, t: Array.from(data.y as Int32Array, (label) => [label]) };
}

function binary(rows: number, seed: number): { readonly data: ArrayData; readonly t: Rows } {
  const data = exclusiveOr(rows, seed);
  return { data, t: Array.from(data.y as Int32Array, (label) => [label]) };
}

const cases: readonly Case[] = [
  {
    title: 'one-hot targets',
    loss: 'categoricalCrossentropy',
    activation: 'softmax',
    units: 3,
    data: oneHot,
    expectations: [...onTargets, ['accuracy', (p, t) => shareOf(p, (row, i) => argMax(row) === argMax(t[i]!))]],
  },
  {
    title: 'several labels a row',
    loss: 'binaryCrossentropy',
    activation: 'sigmoid',
    units: 3,
    data: multiLabel,
    expectations: [...onTargets, ['accuracy', (p, t) => mean(pairs(p, t).map(([value, is]) => (value > 0.5 === is ? 1 : 0)))]],
  },
  {
    title: 'a loss that takes nothing over',
    loss: 'meanSquaredError',
    activation: 'sigmoid',
    units: 3,
    data: multiLabel,
    expectations: onTargets,
  },
  {
    title: 'two classes of a single output',
    loss: 'binaryCrossentropy',
    activation: 'sigmoid',
    units: 1,
    data: binary,
    expectations: [
      ...onTargets.filter(([metric]) => metric !== 'categoricalAccuracy'),
      ['accuracy', (p, t) => shareOf(p, ([value], i) => value! > 0.5 === (t[i]![0] === 1))],
    ],
  },
  { title: 'class labels', loss: 'sparseCategoricalCrossentropy', activation: 'softmax', units: 3, data: classLabels, expectations: onClasses },
];

const named = (metric: MetricConfig): string => (typeof metric === 'string' ? metric : (metric.name ?? metric.type));

/** Weights that are not learnt to the end: metrics of all rows right would tell little. */
async function trained({ units, activation, loss, data }: Case): Promise<Model> {
  const model = sequential([layers.dense({ units: 6, activation: 'tanh' }), layers.dense({ units, activation })]);
  await train({ model, data: { train: data(80, 1).data }, loss, optimizer: optimizers.adam({ learningRate: 0.02 }), epochs: 3, workers: 1 });
  return model;
}

for (const subject of cases) {
  const { title, loss, units, activation, expectations, data } = subject;
  const metrics = expectations.map(([metric]) => metric);

  test.serial(`${title}: every metric of an evaluation is what a hand computes`, async (t) => {
    const model = await trained(subject);
    const { data: rows, t: targets } = data(203, 2);
    const predictions = model.predict(rows.x as Float32Array).toRows();
    const { metrics: values } = await evaluate({ model, data: rows, loss, metrics, batchSize: 48, workers: 2, shards: 3, kernels: 'wasm' });
    t.deepEqual(Object.keys(values), metrics.map(named));
    for (const [metric, byHand] of expectations) {
      const expected = byHand(predictions, targets);
      t.true(Math.abs(values[named(metric)]! - expected) <= 1e-6 * Math.abs(expected) && expected > 0, `${named(metric)}: ${values[named(metric)]}, by hand ${expected}`);
    }
  });

  test.serial(`${title}: 1, 2, 3 and 5 workers give the same bits, and metrics change none of a run's`, async (t) => {
    const sets = { train: data(203, 1).data, validation: data(67, 2).data };
    const run = async (workers: number, told: readonly MetricConfig[]) =>
      await trace({
        model: sequential([layers.batchNormalization(), layers.dense({ units, activation })]),
        data: sets,
        loss,
        metrics: [...told],
        optimizer: optimizers.adam({ learningRate: 0.02 }),
        batchSize: 40,
        epochs: 2,
        shards: 5,
        kernels: 'wasm',
        workers,
      });
    const expected = await run(1, metrics);
    const names = metrics.map(named);
    t.deepEqual(Object.keys(expected.history).toSorted(), ['loss', ...names].flatMap((name) => [name, `val_${name}`]).toSorted());
    t.true(expected.steps.every((step) => Object.values(step.metrics).every(Number.isFinite) && Object.keys(step.metrics).join() === names.join()));
    for (const workers of [2, 3, 5]) t.deepEqual(await run(workers, metrics), expected, `${workers} workers`);
    const bare = await run(2, []);
    t.is(bare.weightsSha256, expected.weightsSha256);
    t.deepEqual(bare.history['val_loss'], expected.history['val_loss']);
  });
}

test.serial('the metrics of an epoch come from the sums over its rows, not from means of its steps', async (t) => {
  const rows = 100;
  const { data, t: targets } = multiLabel(rows, 1);
  const model = sequential([layers.dense({ units: 3, activation: 'sigmoid', inputShape: [4] })]);
  model.initialize(3);
  const predictions = model.predict(data.x as Float32Array).toRows();
  // Nothing is learnt: every step sees the same weights.
  const { history } = await train({
    model,
    data: { train: data },
    loss: 'binaryCrossentropy',
    metrics: ['precision', 'recall', 'auc', 'accuracy'],
    optimizer: optimizers.sgd({ learningRate: 1e-30 }),
    batchSize: 7,
    workers: 2,
  });
  t.is(history['precision']![0], precisionByHand(predictions, targets, 0.5));
  t.is(history['recall']![0], recallByHand(predictions, targets, 0.5));
  t.true(Math.abs(history['auc']![0]! - areaByHand(pairs(predictions, targets), 200)) < 1e-12);
});

test('a metric that does not fit the labels, or has the name of another, is refused with its mend', async (t) => {
  const run = (metrics: MetricConfig[], loss: LossConfig = 'sparseCategoricalCrossentropy') =>
    evaluate({ model: sequential([layers.dense({ units: 3, activation: 'softmax', inputShape: [4] })]), data: classified(9, [4], 3), loss, metrics });
  await t.throwsAsync(run(['auc']), {
    code: 'LOCKSTEP_CONFIG',
    message:
      'Expected a loss on target values for the metric auc, got one on class labels; take accuracy, or train on targets with categoricalCrossentropy or binaryCrossentropy.',
  });
  await t.throwsAsync(run(['sparseCategoricalAccuracy'], 'categoricalCrossentropy'), {
    code: 'LOCKSTEP_CONFIG',
    message: 'Expected a loss on class labels for the metric sparseCategoricalAccuracy, got one on target values; take categoricalAccuracy or accuracy.',
  });
  await t.throwsAsync(run(['auc', { type: 'recall', threshold: 0.5, name: 'auc' }]), {
    code: 'LOCKSTEP_CONFIG',
    message: /^Expected `options.metrics` to be a list of metrics with different names/,
  });
});
