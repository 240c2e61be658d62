/**
 * Room: tests of equivalence. Gradient accumulation computes the large batch in parts and changes no bit: whatever the model, the number of
 * parts and the workers, a run tells what the run of the large batch does.
 */
import test from 'ava';
import type { LayerConfigInput } from '../../src/config/layers.ts';
import { layers } from '../../src/layers/factories.ts';
import type { TrainOptions } from '../../src/local/train.ts';
import { sequential } from '../../src/model/model.ts';
import { optimizers } from '../../src/optimizers/factories.ts';
import { classified, kernelSets, trace } from '../toy.ts';

/** The last batch of 96 has 43 rows: some shards have one more than others. */
const data = { train: classified(1003, [12], 5, 1), validation: classified(203, [12], 5, 2) };

const models: { readonly [name: string]: readonly LayerConfigInput[] } = {
  plain: [
    layers.gaussianNoise({ stddev: 0.1 }),
    layers.dense({ units: 17, activation: 'elu' }),
    layers.layerNormalization(),
    layers.dropout({ rate: 0.25 }),
    layers.dense({ units: 9, activation: 'tanh', kernelRegularizer: { type: 'l2', l2: 1e-3 } }),
    layers.dense({ units: 5, activation: 'softmax' }),
  ],
  residual: [
    layers.dense({ units: 9, activation: 'elu', name: 'stem' }),
    layers.layerNormalization(),
    layers.dense({ units: 9, activation: 'tanh' }),
    layers.scalarAffine(),
    layers.add({ from: 'stem', name: 'sum' }),
    layers.dense({ units: 9, activation: 'relu' }),
    layers.add({ from: ['sum', 'stem'] }),
    layers.dense({ units: 5, activation: 'softmax' }),
  ],
  'ghost batches': [
    layers.batchNormalization({ synchronized: false }),
    layers.dense({ units: 16, activation: 'relu' }),
    layers.batchNormalization({ synchronized: false, momentum: 0.9 }),
    layers.dense({ units: 5, activation: 'softmax' }),
  ],
  'ghost batches of masked steps': [
    layers.activation({ activation: 'relu' }),
    layers.reshape({ targetShape: [6, 2] }),
    layers.masking(),
    layers.batchNormalization({ synchronized: false }),
    layers.flatten(),
    layers.dense({ units: 5, activation: 'softmax' }),
  ],
  'synchronized statistics': [layers.dense({ units: 16, activation: 'relu' }), layers.batchNormalization(), layers.dense({ units: 5, activation: 'softmax' })],
};

function options(name: string, settings: Partial<TrainOptions>): TrainOptions {
  const optimizer = optimizers.adam({ learningRate: 0.01, globalClipnorm: 0.5 });
  const model = sequential(models[name]!);
  return { model, data, loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'], optimizer, epochs: 2, seed: 3, shards: 12, ...settings } as TrainOptions;
}

for (const name of Object.keys(models)) {
  for (const kernels of kernelSets) {
    test.serial(`parts of a batch give the bits of the whole: ${name}, ${kernels}`, async (t) => {
      const expected = await trace(options(name, { kernels, batchSize: 96, workers: 1 }));
      t.is(expected.steps.length, 22);
      t.true(expected.steps.some(({ clipScale }) => clipScale < 1));
      for (const [parts, workers] of [
        [2, 1],
        [3, 2],
        [4, 5],
        [8, 3],
        // A shard at a time, and fewer rows than shards.
        [96, 2],
      ] as const) {
        const told = await trace(options(name, { kernels, batchSize: 96 / parts, gradientAccumulationSteps: parts, workers }));
        t.deepEqual(told, expected, `${parts} parts, ${workers} workers`);
      }
    });
  }
}

test.serial('weights of rows and of classes count as in the whole batch', async (t) => {
  const weighted = { ...data, train: { ...data.train, sampleWeights: Float32Array.from({ length: 1003 }, (_, row) => row % 3) } };
  const run = async (settings: Partial<TrainOptions>) => await trace({ ...options('plain', { classWeight: { 1: 2 }, workers: 2, ...settings }), data: weighted });
  t.deepEqual(await run({ batchSize: 24, gradientAccumulationSteps: 4 }), await run({ batchSize: 96 }));
});

test.serial('what is not finite is found in the same place', async (t) => {
  const x = Float32Array.from(data.train.x as Float32Array);
  // Row 700 overflows in the second layer's sums.
  x.fill(3e38, 700 * 12, 701 * 12);
  const sick = { ...data, train: { ...data.train, x } };
  const run = async (settings: Partial<TrainOptions>) => await trace({ ...options('plain', { onNonFinite: 'skip', workers: 2, ...settings }), data: sick });
  const expected = await run({ batchSize: 96 });
  t.is(expected.steps.filter(({ skipped }) => skipped !== undefined).length, 2);
  t.deepEqual(await run({ batchSize: 16, gradientAccumulationSteps: 6 }), expected);
});
