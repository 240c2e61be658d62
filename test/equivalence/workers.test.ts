/**
 * Room: tests of equivalence. The promise of the house: who computes changes no bit. Weights, losses, norms, metrics and
 * validation of a run are held against those of the same run with another number of workers.
 */
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import type { LayerConfigInput } from '../../src/config/layers.ts';
import type { OptimizerConfigInput } from '../../src/config/optimizers.ts';
import { layers } from '../../src/layers/factories.ts';
import type { TrainOptions } from '../../src/local/train.ts';
import { sequential } from '../../src/model/model.ts';
import { optimizers } from '../../src/optimizers/factories.ts';
import { classified, kernelSets, missingSets, trace } from '../toy.ts';

/** 15 whole batches of 64 and one of 43: no number of shards here divides both. */
const data = { train: classified(1003, [3, 4], 5, 1), validation: classified(203, [3, 4], 5, 2) };

interface Recipe {
  readonly layers: readonly LayerConfigInput[];
  readonly optimizer: OptimizerConfigInput;
}

const momentum: Recipe = {
  layers: [
    layers.batchNormalization({ axis: 1 }),
    layers.flatten(),
    layers.dense({ units: 16, activation: 'elu' }),
    layers.batchNormalization(),
    layers.dropout({ rate: 0.25 }),
    layers.dense({ units: 5, activation: 'softmax' }),
  ],
  optimizer: optimizers.sgd({ learningRate: 0.2, momentum: 0.9, nesterov: true, globalClipnorm: 0.5 }),
};

const adam: Recipe = {
  layers: [
    layers.dropout({ rate: 0.1 }),
    layers.batchNormalization({ axis: [1, 2], momentum: 0.9 }),
    layers.reshape({ targetShape: [2, 6] }),
    layers.dense({ units: 7, activation: 'gelu' }),
    layers.batchNormalization({ axis: -2, scale: false }),
    layers.flatten(),
    layers.dense({ units: 5, activation: 'softmax' }),
  ],
  optimizer: optimizers.adam({ learningRate: 0.01, clipnorm: 0.05 }),
};

/** Its first normalisation is computed together with the Dense after it. */
const fused: Recipe = {
  layers: [
    layers.flatten(),
    layers.batchNormalization({ momentum: 0.9 }),
    layers.dense({ units: 17, activation: 'elu' }),
    layers.batchNormalization(),
    layers.dense({ units: 5, activation: 'softmax' }),
  ],
  optimizer: optimizers.sgd({ learningRate: 0.2, momentum: 0.9, globalClipnorm: 0.3 }),
};

/** Steps of two features, of which a quarter is masked. */
const masked = (synchronized: boolean): Recipe => ({
  layers: [
    layers.activation({ activation: 'relu' }),
    layers.reshape({ targetShape: [6, 2] }),
    layers.masking(),
    layers.batchNormalization({ synchronized, momentum: 0.9 }),
    layers.dense({ units: 7, activation: 'elu' }),
    layers.batchNormalization({ synchronized }),
    layers.flatten(),
    layers.dense({ units: 5, activation: 'softmax' }),
  ],
  optimizer: optimizers.sgd({ learningRate: 0.2, momentum: 0.9, globalClipnorm: 0.3 }),
});
/** Two residual blocks, of which the second takes the output of the first and the input, over the same numbers in another shape. */
const residual: Recipe = {
  layers: [
    layers.batchNormalization({ name: 'normal' }),
    layers.flatten({ name: 'flat' }),
    layers.dense({ units: 12, activation: 'elu' }),
    layers.scalarAffine(),
    layers.dropout({ rate: 0.25 }),
    layers.add({ from: 'flat', name: 'first' }),
    layers.dense({ units: 12, activation: 'tanh' }),
    layers.reshape({ targetShape: [3, 4] }),
    layers.add({ from: ['@input', 'normal'] }),
    layers.flatten(),
    layers.add({ from: 'first' }),
    layers.dense({ units: 5, activation: 'softmax' }),
  ],
  optimizer: optimizers.sgd({ learningRate: 0.1, momentum: 0.9, globalClipnorm: 0.5 }),
};

type Settings = Pick<TrainOptions, 'workers' | 'shards' | 'kernels' | 'seed'>;

function options({ layers, optimizer }: Recipe, settings: Settings): TrainOptions {
  const model = sequential(layers);
  return { model, data, loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'], optimizer, batchSize: 64, epochs: 2, seed: 3, ...settings };
}

/** The same recipe by other numbers of workers; all must tell and give what one worker does. */
async function compare(t: ExecutionContext, recipe: Recipe, settings: Settings, others: readonly number[]): Promise<void> {
  const expected = await trace(options(recipe, { ...settings, workers: 1 }));
  t.is(expected.steps.length, 32);
  t.is(expected.steps[15]!.samples, 43);
  t.true(
    expected.steps.some(({ clipScale }) => clipScale < 1),
    'a step must be clipped',
  );
  t.true(expected.epochs.every(({ validation }) => validation !== undefined && validation.loss > 0));
  for (const workers of others) t.deepEqual(await trace(options(recipe, { ...settings, workers })), expected, `${workers} workers`);
}

for (const kernels of kernelSets) {
  for (const shards of [7, 8]) {
    test.serial(`1, 2, 3, 4 and 7 workers give the same bits: sgd with momentum and globalClipnorm, ${shards} shards, ${kernels}`, async (t) => {
      await compare(t, momentum, { shards, kernels }, [2, 3, 4, 7]);
    });
    test.serial(`1, 2, 3 and 5 workers give the same bits: residual blocks, ${shards} shards, ${kernels}`, async (t) => {
      await compare(t, residual, { shards, kernels }, [2, 3, 5]);
    });
    test.serial(`2 and 7 workers give the bits of one: a fused first normalisation, ${shards} shards, ${kernels}`, async (t) => {
      await compare(t, fused, { shards, kernels }, [2, 7]);
    });
  }
}

for (const synchronized of [true, false]) {
  test.serial(`1, 2, 3 and 5 workers give the same bits: masked steps, ${synchronized ? 'synchronized' : 'ghost batches'}, 7 shards`, async (t) => {
    await compare(t, masked(synchronized), { shards: 7, kernels: 'wasm' }, [2, 3, 5]);
  });
}

test.serial('1, 2 and 7 workers give the same bits: adam with clipnorm and normalisation over several axes, 7 shards', async (t) => {
  await compare(t, adam, { shards: 7, kernels: 'wasm' }, [2, 7]);
});

for (const title of missingSets) test.skip(title, () => {});

test.serial('another seed and another number of shards give other bits', async (t) => {
  const run = async (settings: Settings): Promise<string> => (await trace(options(momentum, { kernels: 'wasm', workers: 2, shards: 7, ...settings }))).weightsSha256;
  const hashes = [await run({}), await run({ seed: 4 }), await run({ shards: 8 }), await run({ shards: 1 })];
  t.is(new Set(hashes).size, 4, hashes.join('\n'));
});

test.serial('shards follow the workers when nobody says how many', async (t) => {
  const run = async (settings: Settings): Promise<string> => (await trace(options(momentum, { kernels: 'wasm', ...settings }))).weightsSha256;
  t.is(await run({ workers: 3 }), await run({ workers: 1, shards: 3 }));
});

test.serial('a run that is done again in the same process, or beside others, gives the same bits', async (t) => {
  const run = async (workers: number, seed: number) => await trace(options(momentum, { kernels: 'wasm', workers, shards: 3, seed }));
  const expected = await run(2, 3);
  const other = await run(1, 4);
  t.notDeepEqual(other, expected);
  t.deepEqual(await run(2, 3), expected);
  const [a, b, c] = await Promise.all([run(1, 3), run(2, 4), run(3, 3)]);
  t.deepEqual(a, expected);
  t.deepEqual(b, other);
  t.deepEqual(c, expected);
});

test.serial('a last batch with fewer rows than shards, and more workers than shards, change nothing', async (t) => {
  const small = { train: classified(65, [3, 4], 5, 1), validation: classified(3, [3, 4], 5, 2) };
  const run = async (workers: number, shards: number) => await trace({ ...options(momentum, { kernels: 'wasm', workers, shards }), data: small });
  for (const [shards, others] of [
    [1, [3]],
    [8, [2, 9]],
  ] as const) {
    const expected = await run(1, shards);
    t.deepEqual(
      expected.steps.map(({ samples }) => samples),
      [64, 1, 64, 1],
    );
    t.true(Number.isFinite(expected.epochs[1]!.validation!.loss));
    for (const workers of others) t.deepEqual(await run(workers, shards), expected, `${workers} workers`);
  }
});

const hidden = fc.oneof(
  fc.record({ units: fc.integer({ min: 1, max: 20 }), activation: fc.constantFrom('relu', 'tanh', 'sigmoid', 'swish') }).map((dense) => layers.dense(dense)),
  fc.record({ momentum: fc.constantFrom(0.5, 0.99), center: fc.boolean(), scale: fc.boolean() }).map((normalization) => layers.batchNormalization(normalization)),
  fc.constantFrom(0.1, 0.5).map((rate) => layers.dropout({ rate })),
);
const optimizer = fc.constantFrom(
  optimizers.sgd({ learningRate: 0.1, clipvalue: 0.01 }),
  optimizers.sgd({ learningRate: 0.1, momentum: 0.9, globalClipnorm: 0.1 }),
  optimizers.adamw({ learningRate: 0.01 }),
);

test.serial('small runs of any kind give the same bits for any number of workers', async (t) => {
  const anyRun = fc
    .record({ batchSize: fc.integer({ min: 1, max: 40 }), rows: fc.integer({ min: 1, max: 120 }), hidden: fc.array(hidden, { maxLength: 4 }), optimizer, seed: fc.nat() })
    .chain((run) => fc.record({ run: fc.constant(run), shards: fc.integer({ min: 1, max: Math.min(run.batchSize, 9) }), workers: fc.integer({ min: 2, max: 5 }) }));
  await fc.assert(
    fc.asyncProperty(anyRun, async ({ run: { hidden, rows, ...settings }, shards, workers }) => {
      const run = async (count: number) =>
        await trace({
          model: sequential([...hidden, layers.dense({ units: 3, activation: 'softmax' })]),
          data: { train: classified(rows, [6], 3) },
          loss: 'sparseCategoricalCrossentropy',
          metrics: ['accuracy'],
          epochs: 2,
          kernels: kernelSets.at(-1),
          ...settings,
          shards,
          workers: count,
        });
      t.deepEqual(await run(workers), await run(1));
    }),
    { numRuns: 6 },
  );
});
