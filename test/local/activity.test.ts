/**
 * Room: tests of local. Penalties on what layers give out: their value in every loss that is told, their gradient against differences of that loss, and that nothing of
 * it depends on who computes.
 */
import test from 'ava';
import type { LayerConfigInput } from '../../src/config/layers.ts';
import { layers } from '../../src/layers/factories.ts';
import { evaluate } from '../../src/local/evaluate.ts';
import { type TrainOptions, train } from '../../src/local/train.ts';
import { type Model, sequential } from '../../src/model/model.ts';
import { classified, trace } from '../toy.ts';

const data = { train: classified(60, [8], 3), validation: classified(31, [8], 3, 2) };
const sampleWeights = Float32Array.from({ length: 60 }, (_, row) => (row % 4) / 2);

/** Penalties before and after others, of a layer whose activation is computed with it and of one that stands alone. */
const penalized = (): LayerConfigInput[] => [
  layers.layerNormalization(),
  layers.dense({ units: 9, activation: 'tanh', activityRegularizer: { type: 'l1l2', l1: 0.03, l2: 0.05 } }),
  layers.batchNormalization(),
  layers.dense({ units: 7 }),
  layers.activation({ activation: 'sigmoid', activityRegularizer: { type: 'l2', l2: 0.2 } }),
  layers.dense({ units: 3, activation: 'softmax' }),
];

function run(changes: Partial<TrainOptions> = {}): TrainOptions {
  return {
    model: sequential(penalized()),
    data,
    loss: 'sparseCategoricalCrossentropy',
    metrics: ['accuracy'],
    optimizer: { type: 'adam', globalClipnorm: 0.5, learningRate: 0.02 },
    batchSize: 17,
    epochs: 3,
    seed: 5,
    kernels: 'wasm',
    shards: 6,
    workers: 2,
    ...changes,
  };
}

/** The mean penalty on the outputs of the two layers, for rows as `penalized` makes them of `x`. */
function penaltyOf(model: Model, x: Float32Array): number {
  const inner = (count: number): ArrayLike<number> => {
    const part = sequential(model.config.layers.slice(0, count));
    part.build([8]);
    part.setWeights(model.getWeights().slice(0, part.topology.weights.length));
    return part.predict(x).data;
  };
  const rows = x.length / 8;
  const sum = (values: ArrayLike<number>, of: (value: number) => number): number => Array.from(values).reduce((total, value) => total + of(value), 0);
  return (sum(inner(2), (y) => 0.03 * Math.abs(y) + 0.05 * y * y) + sum(inner(5), (y) => 0.2 * y * y)) / rows;
}

test.serial('the same bits with other workers, in parts, after a death, and with weights of rows', async (t) => {
  for (const changes of [{}, { data: { ...data, train: { ...data.train, sampleWeights } }, classWeight: { 1: 3 } }] as const) {
    const expected = await trace(run(changes));
    for (const workers of [1, 3, 5]) t.deepEqual(await trace(run({ ...changes, workers })), expected, `${workers} workers`);
    t.deepEqual(await trace(run({ ...changes, fault: { rank: 1, step: 5, phase: 'backward', kind: 'exit', times: 1 } })), expected);
  }
  const inParts = (changes: Partial<TrainOptions>) => trace(run({ model: sequential([...penalized().slice(0, 2), ...penalized().slice(3)]), ...changes }));
  t.deepEqual(await inParts({ batchSize: 5, gradientAccumulationSteps: 4 }), await inParts({ batchSize: 20 }));
});

test.serial('the penalty is part of the loss of evaluations and epochs, whatever rows weigh', async (t) => {
  const { model } = await train(run());
  const free = sequential(model.config.layers.map(({ activityRegularizer: _, ...layer }: object & { activityRegularizer?: unknown }) => layer as LayerConfigInput));
  free.build([8]);
  free.setWeights(model.getWeights());
  const judged = { loss: 'sparseCategoricalCrossentropy', kernels: 'wasm', shards: 4 } as const;
  for (const judge of [data.validation, data.train, { ...data.train, sampleWeights }]) {
    const [with_, without] = [await evaluate({ ...judged, model, data: judge }), await evaluate({ ...judged, model: free, data: judge })];
    const expected = without.loss + penaltyOf(model, judge.x as Float32Array);
    t.true(Math.abs(with_.loss - expected) < 1e-6, `${with_.loss} and ${expected}`);
  }
  // A batch of all rows that trains nothing: its loss is that of an evaluation without statistics of the batch.
  const plain = sequential([...penalized().slice(0, 2), ...penalized().slice(3)]);
  const still = { model: plain, optimizer: { type: 'sgd', learningRate: 0 }, batchSize: 60, epochs: 1 } as const;
  for (const set of [data.train, { ...data.train, sampleWeights }]) {
    const { history } = await train(run({ ...still, data: { train: set } }));
    const { loss } = await evaluate({ ...judged, model: plain, data: set });
    t.true(Math.abs(history['loss']![0]! - loss) < 1e-6);
  }
});

test.serial('the gradient is that of differences of the loss', async (t) => {
  const shape = (): LayerConfigInput[] => [
    layers.dense({ units: 5, activation: 'tanh', activityRegularizer: { type: 'l1l2', l1: 0.3, l2: 0.5 } }),
    layers.dense({ units: 4, activityRegularizer: { type: 'l2', l2: 0.2 } }),
    layers.activation({ activation: 'softplus', activityRegularizer: 'l1' }),
    layers.dense({ units: 3, activation: 'softmax' }),
  ];
  const [before, after] = [sequential(shape()), sequential(shape())];
  for (const model of [before, after]) model.build([8]);
  before.initialize(3);
  after.setWeights(before.getWeights());
  const rate = 1e-2;
  await train(run({ model: after, data: { train: data.train }, optimizer: { type: 'sgd', learningRate: rate }, batchSize: 60, epochs: 1 }));
  const lossAt = async (weight: number, index: number, value: number): Promise<number> => {
    const model = sequential(shape());
    model.build([8]);
    model.setWeights(before.getWeights().map((tensor, w) => (w === weight ? { ...tensor, data: tensor.data.with(index, value) } : tensor)));
    return (await evaluate({ model, data: data.train, loss: 'sparseCategoricalCrossentropy', kernels: 'wasm', workers: 1 })).loss;
  };
  for (const [weight, { data: values, name }] of before.getWeights().entries()) {
    for (const index of [0, values.length - 1]) {
      const h = 2 ** -10;
      const slope = ((await lossAt(weight, index, values[index]! + h)) - (await lossAt(weight, index, values[index]! - h))) / (2 * h);
      const gradient = (values[index]! - after.getWeights()[weight]!.data[index]!) / rate;
      t.true(Math.abs(gradient - slope) < 2e-3 * Math.max(1, Math.abs(slope)), `${name}[${index}]: ${gradient} and ${slope}`);
    }
  }
});

test('the last layer has no penalty where its softmax is computed with the loss', async (t) => {
  const model = sequential([layers.dense({ units: 3, activation: 'softmax', activityRegularizer: 'l2' })]);
  await t.throwsAsync(train(run({ model })), {
    code: 'LOCKSTEP_CONFIG',
    message:
      'Expected the last layer to have no `activityRegularizer` with the loss sparseCategoricalCrossentropy, which is computed together with its softmax; give it to a layer before.',
  });
});
