/**
 * Room: tests of model. Predictions as in training: dropout and noise are drawn, normalizations take the statistics of the rows, and nothing is kept of it.
 */
import test from 'ava';
import type { LayerConfigInput } from '../../src/config/layers.ts';
import { layers } from '../../src/layers/factories.ts';
import { predict } from '../../src/local/predict.ts';
import { type Model, sequential } from '../../src/model/model.ts';
import { Network } from '../contracts/network.ts';
import { numbers } from '../toy.ts';

const rows = 300;
const x = numbers(rows * 6, 1);

function initialized(given: readonly LayerConfigInput[]): Model {
  const model = sequential([...given]);
  model.build([6]);
  model.initialize(7);
  return model;
}

const chain = (): LayerConfigInput[] => [
  layers.batchNormalization(),
  layers.dense({ units: 9, activation: 'relu' }),
  layers.dropout({ rate: 0.5 }),
  layers.dense({ units: 5 }),
  layers.batchNormalization({ synchronized: false }),
  layers.gaussianNoise({ stddev: 0.2 }),
  layers.alphaDropout({ rate: 0.1 }),
  layers.dense({ units: 3 }),
];

for (const seed of [0, 11, 2 ** 40 + 3]) {
  test(`outputs are those of the forward pass of the first training step of seed ${seed}`, (t) => {
    const model = initialized(chain());
    // More rows than inference computes at once, so that a batch that was cut would show.
    const step = new Network(chain(), { inputShape: [6], rows, kernels: 'wasm', seed, inputGradient: false });
    for (const { name, data } of model.getWeights()) step.setWeight(name, data);
    const expected = step.forward(x, true);
    t.deepEqual(model.predict(x, { training: true, seed }).data, expected);
    t.notDeepEqual(model.predict(x).data, expected);
  });
}

test('batch normalization takes the statistics of the rows, by the formula, and moving statistics stay as they are', (t) => {
  const model = initialized([layers.batchNormalization({ epsilon: 1e-3 })]);
  const before = model.weightsSha256;
  const two = [
    [1, 2, 3, 4, 5, 6],
    [3, 2, 1, 0, 5, 10],
  ];
  const [first, second] = model.predict(two, { training: true }).toRows();
  const normalized = (spread: number): number => Math.fround(spread / Math.sqrt(spread * spread + 1e-3));
  const expected = [-1, 0, 1, 2, 0, -2].map((spread) => normalized(spread));
  for (const [i, value] of expected.entries()) {
    t.true(Math.abs(first![i]! - value) < 1e-6);
    t.true(Math.abs(second![i]! + value) < 1e-6);
  }
  t.is(model.weightsSha256, before);
  t.deepEqual(model.predict(two).data, model.predict(two, { training: false }).data);
});

test('a frozen normalization keeps to its moving statistics', (t) => {
  const model = initialized([layers.batchNormalization({ trainable: false }), layers.dense({ units: 2 })]);
  t.deepEqual(model.predict(x, { training: true }).data, model.predict(x).data);
});

test('dropout is off by default; with training the same seed gives the same bits, and another one others', (t) => {
  const model = initialized([layers.dropout({ rate: 0.4 })]);
  t.deepEqual(model.predict(x).data, x);
  t.deepEqual(model.predict(x, { seed: 5 }).data, x);
  const draw = (seed?: number): Float32Array => model.predict(x, { training: true, ...(seed !== undefined && { seed }) }).data;
  t.deepEqual(draw(5), draw(5));
  t.deepEqual(draw(), draw(0));
  t.notDeepEqual(draw(5), draw(6));
  // Monte Carlo dropout: the mean of many samples comes near what inference gives.
  const samples = Array.from({ length: 400 }, (_, seed) => draw(seed));
  const mean = samples.reduce((sum, sample) => sum + sample[0]!, 0) / samples.length;
  t.true(Math.abs(mean - x[0]!) < 5 * Math.abs(x[0]!) * Math.sqrt(0.4 / 0.6 / samples.length));
});

test('other options are refused', (t) => {
  const model = initialized([layers.dense({ units: 2 })]);
  t.is(t.throws(() => model.predict(x, { training: 1 as never }), { code: 'LOCKSTEP_USAGE' })?.message, 'Expected `options.training` to be true or false, got `1`.');
  t.throws(() => model.predict(x, { seed: -1 }), { code: 'LOCKSTEP_USAGE', message: /`options\.seed` to be an integer >= 0/ });
  t.throws(() => model.predict(x, { trainig: true } as never), { code: 'LOCKSTEP_CONFIG', message: /did you mean `training`/ });
  t.throws(() => model.predict(x, true as never), { code: 'LOCKSTEP_USAGE' });
});

test('many ranks refuse it by name', async (t) => {
  const model = initialized([layers.dense({ units: 2 })]);
  const options = { model, data: { x, inputShape: [6] }, training: true };
  await t.throwsAsync(predict(options), {
    code: 'LOCKSTEP_USAGE',
    message: /Expected `options\.training` to be absent.*`model\.predict\(rows, \{ training: true \}\)` does/,
  });
});
