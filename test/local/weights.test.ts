/**
 * Room: tests of local. Weights of rows and classes: the loss is the weighted mean over the global batch, its gradient too, with the
 * same bits for any number of workers; metrics count all rows alike.
 */
import test from 'ava';
import type { LossConfig } from '../../src/config/losses.ts';
import type { ArrayData } from '../../src/data/arrays.ts';
import { layers } from '../../src/layers/factories.ts';
import { evaluate } from '../../src/local/evaluate.ts';
import { type TrainOptions, train } from '../../src/local/train.ts';
import { sequential } from '../../src/model/model.ts';
import { optimizers } from '../../src/optimizers/factories.ts';
import { classified, exclusiveOr, numbers, trace } from '../toy.ts';

const sampleWeights = (rows: number): Float32Array => numbers(rows, 31).map((value) => (value < -0.6 ? 0 : 1 + value));
const weighted = (data: ArrayData): ArrayData => ({ ...data, sampleWeights: sampleWeights((data.y as Int32Array).length) });

function options(data: ArrayData, others: Partial<TrainOptions> = {}): TrainOptions {
  return {
    model: sequential([layers.batchNormalization(), layers.dense({ units: 7, activation: 'tanh' }), layers.dense({ units: 3, activation: 'softmax' })]),
    data: { train: data, validation: weighted(classified(67, [4], 3, 2)) },
    loss: 'sparseCategoricalCrossentropy',
    metrics: ['accuracy'],
    optimizer: optimizers.adam({ learningRate: 0.02 }),
    batchSize: 40,
    epochs: 2,
    shards: 5,
    kernels: 'wasm',
    ...others,
  };
}

for (const shuffle of [true, false]) {
  test.serial(`weights of rows and classes give the same bits for 1, 2, 3 and 5 workers, shuffle ${shuffle}`, async (t) => {
    const run = async (workers: number) => await trace(options(weighted(classified(203, [4], 3)), { classWeight: { 0: 2, 2: 0.5 }, workers, shuffle }));
    const expected = await run(1);
    t.true(expected.history['val_loss']!.every(Number.isFinite));
    for (const workers of [2, 3, 5]) t.deepEqual(await run(workers), expected, `${workers} workers`);
    const bare = await trace(options(classified(203, [4], 3), { workers: 1, shuffle }));
    t.not(bare.weightsSha256, expected.weightsSha256);
  });
}

test.serial('the loss of a step and of an epoch is the mean weighted by rows and classes', async (t) => {
  const data = weighted(classified(50, [4], 3));
  const model = sequential([layers.dense({ units: 3, activation: 'softmax', inputShape: [4] })]);
  model.initialize(2);
  const predictions = model.predict(data.x as Float32Array).toRows();
  const classWeight = [1, 3, 0];
  const labels = data.y as Int32Array;
  const weights = Array.from(data.sampleWeights as Float32Array, (weight, row) => Math.fround(weight * classWeight[labels[row]!]!));
  const meanOf = (from: number, to: number): number => {
    let [sum, weight] = [0, 0];
    for (let row = from; row < to; row++) {
      sum -= weights[row]! * Math.log(predictions[row]![labels[row]!]!);
      weight += weights[row]!;
    }
    return sum / weight;
  };
  const { steps, history } = await trace({
    ...options(data, { classWeight, shuffle: false, optimizer: optimizers.sgd({ learningRate: 1e-30 }), model, batchSize: 20, epochs: 1, shards: 3, workers: 2 }),
    data: { train: data },
  });
  for (const [i, { loss, metrics }] of steps.entries()) {
    const [from, to] = [20 * i, Math.min(50, 20 * (i + 1))];
    t.true(Math.abs(loss - meanOf(from, to)) < 1e-6, `step ${i}: ${loss}, by hand ${meanOf(from, to)}`);
    const right = predictions.slice(from, to).filter((p, row) => p.indexOf(Math.max(...p)) === labels[from + row]).length;
    t.is(metrics['accuracy'], right / (to - from), 'metrics count all rows alike');
  }
  t.true(Math.abs(history['loss']![0]! - meanOf(0, 50)) < 1e-6);
});

test.serial('the loss of an evaluation is weighted by its rows', async (t) => {
  const model = sequential([layers.dense({ units: 1, inputShape: [2] })]);
  model.initialize(5);
  const data: ArrayData = { x: numbers(140, 1), y: Array.from(numbers(70, 2), (value) => [value]), inputShape: [2], sampleWeights: [...sampleWeights(70)] };
  const predictions = model.predict(data.x as Float32Array).data;
  const weights = Float32Array.from(data.sampleWeights!);
  const sum = weights.reduce((total, weight, row) => total + weight * (predictions[row]! - (data.y as number[][])[row]![0]!) ** 2, 0);
  const { loss } = await evaluate({ model, data, loss: 'meanSquaredError', batchSize: 16, workers: 2, shards: 3 });
  const expected = sum / weights.reduce((a, b) => a + b, 0);
  t.true(Math.abs(loss - expected) < 1e-6 * expected, `${loss}, by hand ${expected}`);
});

test.serial('weights of whole numbers are as rows that come so often', async (t) => {
  const losses: readonly [LossConfig, 'linear' | 'sigmoid'][] = [
    ['binaryCrossentropy', 'sigmoid'],
    ['hinge', 'linear'],
    ['meanSquaredError', 'linear'],
  ];
  const [x, y] = [numbers(24, 5), [1, 0, 1, 1, 0, 1, 0, 0, 1, 0, 1, 0]];
  const counts = [1, 3, 0, 2, 1, 1, 0, 4, 1, 2, 1, 1];
  const rows = counts.flatMap((count, row) => Array.from({ length: count }, () => row));
  const at = (row: number): number[] => [x[2 * row]!, x[2 * row + 1]!];
  for (const [loss, activation] of losses) {
    const run = async (data: ArrayData) => {
      const model = sequential([layers.dense({ units: 1, activation })]);
      await train({ model, data: { train: data }, loss, optimizer: optimizers.sgd({ learningRate: 0.5 }), batchSize: 64, epochs: 4, workers: 2, shuffle: false });
      return model.getWeights().flatMap((weight) => [...weight.data]);
    };
    const expected = await run({ x: rows.map(at), y: rows.map((row) => [y[row]!]) });
    const actual = await run({ x: y.map((_, row) => at(row)), y: y.map((label) => [label]), sampleWeights: counts });
    actual.forEach((value, i) => {
      t.true(Math.abs(value - expected[i]!) < 1e-5, `${JSON.stringify(loss)}: ${value}, ${expected[i]}`);
    });
  }
});

test.serial('a batch without any weight has no loss and changes nothing, whatever its rows hold', async (t) => {
  const data = { ...exclusiveOr(40), sampleWeights: Float32Array.from({ length: 40 }, (_, row) => (row < 20 ? 0 : 1)) };
  const model = sequential([layers.dense({ units: 1, activation: 'sigmoid', inputShape: [2] })]);
  model.initialize(4);
  const before = model.weightsSha256;
  const { history } = await train({
    model,
    data: { train: data },
    loss: 'binaryCrossentropy',
    optimizer: optimizers.sgd({ learningRate: 1 }),
    batchSize: 20,
    shuffle: false,
    steps: 1,
    workers: 2,
  });
  t.is(model.weightsSha256, before);
  t.deepEqual(history['loss'], [0]);
});

test.serial('weights of 1 give the loss of none', async (t) => {
  const data = classified(120, [4], 3);
  const run = async (train: ArrayData) => (await trace(options(train, { workers: 2 }))).history['loss']!;
  const plain = await run(data);
  (await run({ ...data, sampleWeights: new Float32Array(120).fill(1) })).forEach((loss, epoch) => {
    t.true(Math.abs(loss - plain[epoch]!) < 1e-5);
  });
});

test('weights that are none are refused with their row or class', async (t) => {
  const run = (data: ArrayData, classWeight?: Record<string, number>) => train(options(data, { workers: 1, ...(classWeight && { classWeight }) }));
  const rows = classified(4, [4], 3);
  await t.throwsAsync(run({ ...rows, sampleWeights: [1, 2] }), {
    code: 'LOCKSTEP_DATA',
    message: 'Expected `sampleWeights` to be a Float32Array of 4 numbers for 4 rows, got 2; give every row its weight.',
  });
  await t.throwsAsync(run({ ...rows, sampleWeights: [1, 2, -1, 0] }), {
    code: 'LOCKSTEP_DATA',
    message: 'Expected `sampleWeights` to be finite numbers >= 0, got `-1` in row 2; give a row that shall not count the weight 0.',
  });
  await t.throwsAsync(run(rows, { 3: 1 }), {
    code: 'LOCKSTEP_CONFIG',
    message: 'Expected the classes of `classWeight` to be from 0 to 2, got `"3"`; leave it out, or give the model an output for it.',
  });
  await t.throwsAsync(run(rows, { one: 1 }), { code: 'LOCKSTEP_CONFIG', message: /the weight of each class, like/ });
  await t.throwsAsync(run(rows, { 1: -1 }), { code: 'LOCKSTEP_CONFIG' });
});

test.serial('a confusion matrix counts every row once, for any number of workers', async (t) => {
  const model = sequential([layers.dense({ units: 3, activation: 'softmax' })]);
  const settings = { loss: 'sparseCategoricalCrossentropy', batchSize: 32, shards: 5, kernels: 'wasm' } as const;
  await train({ model, data: { train: classified(60, [4], 3) }, optimizer: optimizers.sgd({ learningRate: 0.5 }), ...settings, workers: 1 });
  const data = classified(203, [4], 3, 2);
  const predicted = model.predict(data.x as Float32Array).argMax();
  const expected = [0, 1, 2].map((label) => [0, 1, 2].map((guess) => predicted.filter((p, row) => p === guess && (data.y as Int32Array)[row] === label).length));
  for (const workers of [1, 2, 5]) {
    const { confusionMatrix, metrics } = await evaluate({ model, data, metrics: ['accuracy'], confusionMatrix: true, ...settings, workers });
    t.deepEqual(confusionMatrix, expected);
    t.deepEqual(Object.keys(metrics), ['accuracy']);
  }
  t.false('confusionMatrix' in (await evaluate({ model, data, ...settings, workers: 1 })));

  const single = sequential([layers.dense({ units: 1, activation: 'sigmoid', inputShape: [2] })]);
  single.initialize(3);
  const points = exclusiveOr(100);
  const sure = single.predict(points.x as Float32Array).data;
  const two = [0, 1].map((label) => [0, 1].map((guess) => sure.filter((p, row) => Number(p > 0.5) === guess && (points.y as Int32Array)[row] === label).length));
  t.deepEqual((await evaluate({ model: single, data: points, loss: 'binaryCrossentropy', confusionMatrix: true, workers: 2 })).confusionMatrix, two);
});
