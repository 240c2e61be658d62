/**
 * Room: tests of local. Statistics of a whole data set in the place of moving averages: their values against sums by hand, that nothing else changes, and that nothing of it
 * depends on who computes.
 */
import test from 'ava';
import type { LayerConfigInput } from '../../src/config/layers.ts';
import { encodeNpy } from '../../src/data/npy.ts';
import { layers } from '../../src/layers/factories.ts';
import { recalibrate } from '../../src/local/recalibrate.ts';
import { type Model, sequential } from '../../src/model/model.ts';
import { noStep } from '../../src/train/loop.ts';
import { temporaryFolder } from '../data/folder.ts';
import { classified } from '../toy.ts';

const rows = 203;
const data = classified(rows, [4, 3], 5, 7);
const x = data.x as Float32Array;
const file = temporaryFolder();
const onDisk = {
  format: 'npy',
  inputs: file('x.npy', encodeNpy([rows, 4, 3], x)),
  labels: file('y.npy', encodeNpy([rows, 1], new Float32Array(rows))),
  streaming: true,
} as const;

function built(config: readonly LayerConfigInput[]): Model {
  const model = sequential(config);
  model.build([4, 3]);
  model.initialize(1);
  return model;
}

const valuesOf = (model: Model, name: string): Float32Array => model.getWeights().find((weight) => weight.name === name)!.data;

/** Mean and biased variance of each column. */
function columnMoments(values: ArrayLike<number>, columns: number): { mean: number[]; variance: number[] } {
  const count = values.length / columns;
  const mean = Array.from({ length: columns }, (_, c) => Array.from({ length: count }, (__, r) => values[r * columns + c]!).reduce((a, b) => a + b, 0) / count);
  const variance = mean.map((m, c) => Array.from({ length: count }, (_, r) => (values[r * columns + c]! - m) ** 2).reduce((a, b) => a + b, 0) / count);
  return { mean, variance };
}

const near = (a: ArrayLike<number>, b: readonly number[]): boolean => b.every((value, i) => Math.abs(a[i]! - value) < 1e-5 * Math.max(1, Math.abs(value)));

const network = (synchronized: boolean): LayerConfigInput[] => [
  layers.batchNormalization({ axis: -1, name: 'first', synchronized }),
  layers.flatten(),
  layers.dense({ units: 9, activation: 'relu', name: 'hidden' }),
  layers.dropout({ rate: 0.5 }),
  layers.batchNormalization({ name: 'second', synchronized }),
  layers.dense({ units: 5, activation: 'softmax' }),
];

for (const synchronized of [true, false]) {
  test.serial(`masked steps do not count, ${synchronized ? 'synchronized' : 'ghost batches'}`, async (t) => {
    const padded = x.map((value, i) => (Math.floor(i / 3) % 5 < 2 || i < 12 * 20 ? 0 : value));
    const steps = Array.from({ length: padded.length / 3 }, (_, step) => [...padded.subarray(3 * step, 3 * step + 3)]);
    const { mean, variance } = columnMoments(steps.filter((step) => step.some((value) => value !== 0)).flat(), 3);
    const hashes = new Set<string>();
    for (const workers of [1, 3]) {
      const model = built([
        layers.masking(),
        layers.batchNormalization({ name: 'first', synchronized }),
        layers.flatten(),
        layers.dense({ units: 5, activation: 'softmax' }),
      ]);
      hashes.add((await recalibrate({ model, data: { ...data, x: padded }, batchSize: 20, workers, shards: 4 })).weightsSha256);
      t.true(near(valuesOf(model, 'first/moving_mean'), mean));
      t.true(near(valuesOf(model, 'first/moving_variance'), variance));
    }
    t.is(hashes.size, 1);
  });
}

test.serial('statistics become those of all rows, and weights stay', async (t) => {
  const model = built(network(true));
  const before = model.getWeights();
  const { samples, weightsSha256 } = await recalibrate({ model, data, batchSize: rows, workers: 2, shards: 4 });
  t.is(samples, rows);
  t.is(weightsSha256, model.weightsSha256);
  const { mean, variance } = columnMoments(x, 3);
  t.true(near(valuesOf(model, 'first/moving_mean'), mean));
  t.true(near(valuesOf(model, 'first/moving_variance'), variance));
  // One batch of all rows: what comes after is normalised by the very statistics that are kept, and nothing is dropped.
  const inner = sequential(model.config.layers.slice(0, 3));
  inner.build([4, 3]);
  inner.setWeights(model.getWeights().slice(0, inner.topology.weights.length));
  const hidden = columnMoments(inner.predict(x).data, 9);
  t.true(near(valuesOf(model, 'second/moving_mean'), hidden.mean));
  t.true(near(valuesOf(model, 'second/moving_variance'), hidden.variance));
  for (const { name, data: values } of before) if (!name.includes('moving')) t.deepEqual(valuesOf(model, name), values, name);
});

test.serial('with a single normalisation, too: nobody overtakes anybody', async (t) => {
  const config = [layers.flatten(), layers.dense({ units: 9, activation: 'relu' }), layers.batchNormalization(), layers.dense({ units: 5, activation: 'softmax' })];
  const result = async (workers: number): Promise<string> =>
    (await recalibrate({ model: built(config), data, batchSize: 10, shards: 6, kernels: 'wasm', workers })).weightsSha256;
  const expected = await result(1);
  for (const workers of [2, 3, 5, 6]) t.is(await result(workers), expected, `${workers} workers`);
});

for (const synchronized of [true, false]) {
  test.serial(`the same bits with other workers, from disk, and after a death: ${synchronized ? 'whole batches' : 'ghost batches'}`, async (t) => {
    const result = async (options: object): Promise<string> =>
      (await recalibrate({ model: built(network(synchronized)), data, batchSize: 20, shards: 6, kernels: 'wasm', ...options })).weightsSha256;
    const expected = await result({ workers: 1 });
    for (const workers of [2, 3, 5]) t.is(await result({ workers }), expected, `${workers} workers`);
    t.is(await result({ workers: 2, fault: { rank: 1, step: noStep, phase: 'forward', kind: 'exit', times: 1 } }), expected);
    t.is(await result({ workers: 3, data: onDisk }), expected);
    t.not(await result({ workers: 1, batchSize: 50 }), expected);
  });
}

test.serial('what is frozen is left, and a model without statistics is refused', async (t) => {
  const model = built([layers.batchNormalization({ trainable: false, name: 'frozen' }), layers.flatten(), layers.batchNormalization({ name: 'own' })]);
  await recalibrate({ model, data, workers: 2 });
  t.deepEqual(valuesOf(model, 'frozen/moving_mean'), new Float32Array(3));
  t.true(valuesOf(model, 'own/moving_mean').some((value) => value !== 0));
  await t.throwsAsync(recalibrate({ model: built([layers.flatten(), layers.dense({ units: 2 })]), data }), {
    code: 'LOCKSTEP_CONFIG',
    message: 'Expected a model with batch normalizations that are not frozen, got none; there are no statistics to recompute.',
  });
});
