/**
 * Room: tests of local. Runs with every loss: the same bits for any number of workers, a loss that falls, and values as computed by
 * hand from the model's predictions.
 */
import test from 'ava';
import type { LossConfig } from '../../src/config/losses.ts';
import type { ArrayData } from '../../src/data/arrays.ts';
import { layers } from '../../src/layers/factories.ts';
import { evaluate } from '../../src/local/evaluate.ts';
import { train } from '../../src/local/train.ts';
import { sequential } from '../../src/model/model.ts';
import { optimizers } from '../../src/optimizers/factories.ts';
import { classified, exclusiveOr, numbers, trace } from '../toy.ts';

type Activation = 'linear' | 'softmax' | 'sigmoid';

interface Case {
  readonly loss: LossConfig;
  readonly activation: Activation;
  /** What the targets are: one of several classes as 0 and 1, each output 0 or 1 by itself, any numbers, or one class of two. */
  readonly targets: 'oneHot' | 'labels' | 'values' | 'binary';
  /** The loss of one row, from what the model predicts. */
  readonly byHand: (p: readonly number[], t: readonly number[]) => number;
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const softmax = (x: readonly number[]): number[] => {
  const e = x.map((value) => Math.exp(value));
  const sum = e.reduce((a, b) => a + b, 0);
  return e.map((value) => value / sum);
};
const crossentropy = (p: readonly number[], t: readonly number[], smoothing: number): number =>
  p.reduce((sum, value, c) => sum - (t[c]! * (1 - smoothing) + smoothing / p.length) * Math.log(value), 0);
const binary = (p: readonly number[], t: readonly number[], smoothing: number): number =>
  mean(p.map((value, c) => crossentropy([value, 1 - value], [t[c]!, 1 - t[c]!], smoothing)));
const sign = (t: number): number => (t === 0 ? -1 : t);
const hinge = (p: readonly number[], t: readonly number[]): number[] => p.map((value, c) => Math.max(0, 1 - sign(t[c]!) * value));

const cases: readonly Case[] = [
  { loss: 'categoricalCrossentropy', activation: 'softmax', targets: 'oneHot', byHand: (p, t) => crossentropy(p, t, 0) },
  {
    loss: { type: 'categoricalCrossentropy', fromLogits: true, labelSmoothing: 0.1 },
    activation: 'linear',
    targets: 'oneHot',
    byHand: (p, t) => crossentropy(softmax(p), t, 0.1),
  },
  { loss: 'binaryCrossentropy', activation: 'sigmoid', targets: 'labels', byHand: (p, t) => binary(p, t, 0) },
  { loss: 'binaryCrossentropy', activation: 'sigmoid', targets: 'binary', byHand: (p, t) => binary(p, t, 0) },
  {
    loss: { type: 'binaryCrossentropy', fromLogits: true, labelSmoothing: 0.2 },
    activation: 'linear',
    targets: 'labels',
    byHand: (p, t) =>
      binary(
        p.map((value) => 1 / (1 + Math.exp(-value))),
        t,
        0.2,
      ),
  },
  { loss: 'meanSquaredError', activation: 'linear', targets: 'values', byHand: (p, t) => mean(p.map((value, c) => (value - t[c]!) ** 2)) },
  { loss: 'meanAbsoluteError', activation: 'linear', targets: 'values', byHand: (p, t) => mean(p.map((value, c) => Math.abs(value - t[c]!))) },
  {
    loss: { type: 'huber', delta: 0.25 },
    activation: 'linear',
    targets: 'values',
    byHand: (p, t) => mean(p.map((value, c) => ((e) => (e <= 0.25 ? e ** 2 / 2 : 0.25 * (e - 0.125)))(Math.abs(value - t[c]!)))),
  },
  { loss: 'hinge', activation: 'linear', targets: 'labels', byHand: (p, t) => mean(hinge(p, t)) },
  { loss: 'squaredHinge', activation: 'linear', targets: 'binary', byHand: (p, t) => mean(hinge(p, t).map((value) => value ** 2)) },
  {
    loss: 'categoricalHinge',
    activation: 'linear',
    targets: 'oneHot',
    byHand: (p, t) => Math.max(0, 1 + Math.max(...p.map((value, c) => (1 - t[c]!) * value)) - p.reduce((sum, value, c) => sum + t[c]! * value, 0)),
  },
  {
    loss: 'kullbackLeiblerDivergence',
    activation: 'softmax',
    targets: 'oneHot',
    byHand: (p, t) => p.reduce((sum, value, c) => sum + Math.max(t[c]!, 1e-7) * Math.log(Math.max(t[c]!, 1e-7) / Math.max(value, 1e-7)), 0),
  },
];

/** Rows of four numbers and three targets, or of two numbers and a class of two. */
function dataFor(targets: Case['targets'], rows: number, seed: number): { readonly data: ArrayData; readonly t: readonly (readonly number[])[] } {
  if (targets === 'binary') {
    const data = exclusiveOr(rows, seed);
    return { data, t: Array.from(data.y as Int32Array, (label) => [label]) };
  }
  const { x, y } = classified(rows, [4], 3, seed);
  const values = numbers(3 * rows, seed + 50);
  const t = Array.from(y as Int32Array, (label, row) =>
    [0, 1, 2].map((c) =>
      targets === 'oneHot' ? (c === label ? 1 : 0) : targets === 'labels' ? ((x as Float32Array)[4 * row + c]! > 0.2 ? 1 : 0) : values[3 * row + c]!,
    ),
  );
  return { data: { x: x as Float32Array, y: t, inputShape: [4] }, t };
}

for (const { loss, activation, targets, byHand } of cases) {
  const title = `${typeof loss === 'string' ? loss : JSON.stringify(loss)} on ${targets}`;
  const model = () => sequential([layers.dense({ units: 8, activation: 'tanh' }), layers.dense({ units: targets === 'binary' ? 1 : 3, activation })]);

  test.serial(`${title}: 1, 2, 3 and 5 workers give the same bits, and it learns`, async (t) => {
    const data = { train: dataFor(targets, 203, 1).data, validation: dataFor(targets, 65, 2).data };
    const run = async (workers: number) =>
      await trace({ model: model(), data, loss, optimizer: optimizers.adam({ learningRate: 0.01 }), batchSize: 40, epochs: 4, shards: 5, kernels: 'wasm', workers });
    const expected = await run(1);
    const losses = expected.history['loss']!;
    t.true(losses.at(-1)! < losses[0]!, losses.join(', '));
    for (const workers of [2, 3, 5]) t.deepEqual(await run(workers), expected, `${workers} workers`);
  });

  test.serial(`${title}: the loss of an evaluation is the mean over rows of what a hand computes`, async (t) => {
    const trained = model();
    await train({ model: trained, data: { train: dataFor(targets, 80, 1).data }, loss, optimizer: optimizers.sgd({ learningRate: 0.1 }), workers: 1 });
    const { data, t: rows } = dataFor(targets, 65, 2);
    const predictions = trained.predict(data.x as Float32Array).toRows();
    const expected = mean(predictions.map((p, row) => byHand(p, rows[row]!.map(Math.fround))));
    const { loss: actual } = await evaluate({ model: trained, data, loss, batchSize: 16, workers: 2, shards: 3 });
    t.true(Math.abs(actual - expected) <= 1e-5 * Math.abs(expected), `${actual}, by hand ${expected}`);
  });
}

test('a loss that is fused with its activation is that on logits, bit for bit', async (t) => {
  for (const [type, activation] of [
    ['categoricalCrossentropy', 'softmax'],
    ['binaryCrossentropy', 'sigmoid'],
  ] as const) {
    const run = async (fused: boolean) =>
      await trace({
        model: sequential([layers.dense({ units: 3, activation: fused ? activation : 'linear' })]),
        data: { train: dataFor('oneHot', 50, 1).data },
        loss: { type, fromLogits: !fused },
        optimizer: optimizers.sgd({ learningRate: 0.1 }),
        workers: 1,
      });
    t.deepEqual(await run(true), await run(false));
  }
});

test('what does not fit a loss is refused with its mend', async (t) => {
  const run = (loss: LossConfig, activation: Activation, data: ArrayData, units = 1) =>
    train({ model: sequential([layers.dense({ units, activation })]), data: { train: data }, loss, optimizer: optimizers.sgd(), workers: 1 });
  await t.throwsAsync(run('binaryCrossentropy', 'linear', exclusiveOr(4)), {
    code: 'LOCKSTEP_CONFIG',
    message:
      'Expected the last layer to end in sigmoid for the loss binaryCrossentropy; give it `activation: "sigmoid"`, or the loss `{ type: "binaryCrossentropy", fromLogits: true }`.',
  });
  await t.throwsAsync(run({ type: 'binaryCrossentropy', fromLogits: true, labelSmoothing: 0 }, 'sigmoid', exclusiveOr(4)), {
    code: 'LOCKSTEP_CONFIG',
    message: 'Expected the last layer to give logits for a loss with `fromLogits: true`, got one that ends in sigmoid; leave out `fromLogits` or the sigmoid.',
  });
  await t.throwsAsync(run('binaryCrossentropy', 'sigmoid', { x: [[1], [2]], y: [1, 2] }), {
    code: 'LOCKSTEP_DATA',
    message:
      'Expected the labels of the arrays to be 0 or 1 for the loss binaryCrossentropy and a single output, got `2` in row 1; mend the labels, or give the model an output for each class.',
  });
  await t.throwsAsync(run('categoricalCrossentropy', 'softmax', { x: [[1], [2]], y: [1, 0] }, 2), {
    code: 'LOCKSTEP_DATA',
    message:
      'Expected the labels of `data.train` to be target values for the loss categoricalCrossentropy, got classes; give targets, or use sparseCategoricalCrossentropy.',
  });
});
