/**
 * Room: tests of the model. Layers of one model in another: with its weights, sharing them or copying them, as they are or frozen, below a new head.
 */
import test from 'ava';
import { layers } from '../../src/layers/factories.ts';
import { train } from '../../src/local/train.ts';
import { type Model, sequential } from '../../src/model/model.ts';
import { classified } from '../toy.ts';

function old(): Model {
  const model = sequential([
    layers.dense({ units: 7, activation: 'relu', inputShape: [6] }),
    layers.batchNormalization(),
    layers.dense({ units: 5, activation: 'tanh' }),
    layers.dense({ units: 4, activation: 'softmax' }),
  ]);
  model.initialize(1);
  return model;
}

const values = (model: Model, name: string): Float32Array => model.getWeights().find((weight) => weight.name === name)!.data;
const settings = {
  data: { train: classified(90, [6], 3) },
  loss: 'sparseCategoricalCrossentropy',
  optimizer: { type: 'sgd', learningRate: 0.1 },
  batchSize: 30,
  seed: 2,
  workers: 1,
} as const;

test('a layer tells its name, what it is, its shapes and its weights', (t) => {
  const [first, normalization, , last] = old().layers;
  t.deepEqual([first!.name, normalization!.name, last!.name], ['dense', 'batch_normalization', 'dense_2']);
  t.deepEqual([first!.inputShape, first!.outputShape], [[6], [7]]);
  t.deepEqual(
    normalization!.getWeights().map(({ name }) => name),
    ['gamma', 'beta', 'moving_mean', 'moving_variance'],
  );
  t.deepEqual(sequential([layers.dense({ units: 2, inputShape: [3] })]).layers[0]!.getWeights(), []);
});

test('layers in a new model compute as in the old one', (t) => {
  const model = old();
  const upper = sequential(model.layers.slice(2));
  const lower = sequential(model.layers.slice(0, 2));
  const x = classified(5, [6], 3).x as Float32Array;
  t.deepEqual(upper.predict(lower.predict(x).data).data, model.predict(x).data);
  t.deepEqual(upper.topology.inputShape, [7]);
  t.deepEqual(
    upper.getWeights().map(({ name }) => name),
    ['dense_1/kernel', 'dense_1/bias', 'dense_2/kernel', 'dense_2/bias'],
  );
});

test('what layers add is found by name in the new model, or asked for', (t) => {
  const model = sequential([
    layers.dense({ units: 6, inputShape: [6] }),
    layers.dense({ units: 6, activation: 'tanh' }),
    layers.add({ from: 'dense' }),
    layers.dense({ units: 2 }),
  ]);
  model.initialize(1);
  const body = sequential(model.layers.slice(0, 3));
  const head = sequential(model.layers.slice(3));
  const x = classified(5, [6], 3).x as Float32Array;
  t.deepEqual(head.predict(body.predict(x).data).data, model.predict(x).data);
  t.is(
    t.throws(() => sequential(model.layers.slice(1)), { code: 'LOCKSTEP_CONFIG' })?.message,
    'Expected `model.layers[1].from` to be the name of an earlier layer, or "@input", got `"dense"`; did you mean `dense_1`?',
  );
});

test('shared weights are those of both models, a copy is its own', async (t) => {
  const model = old();
  const head = layers.dense({ units: 3, activation: 'softmax', name: 'head' });
  const sharing = sequential([...model.layers.slice(0, -1), head]);
  const copying = sequential([...model.layers.slice(0, -1).map((layer) => layer.copy()), head]);
  const before = values(model, 'dense/kernel').slice();
  await train({ model: copying, ...settings });
  t.deepEqual(values(model, 'dense/kernel'), before);
  t.notDeepEqual(values(copying, 'dense/kernel'), before);
  await train({ model: sharing, ...settings });
  t.notDeepEqual(values(model, 'dense/kernel'), before);
  // Both began with the same weights and the same new head.
  t.is(sharing.weightsSha256, copying.weightsSha256);
  for (const name of ['dense/kernel', 'batch_normalization/moving_mean', 'dense_1/bias']) t.deepEqual(values(model, name), values(sharing, name), name);
});

test('below a new head old layers are frozen by name, or one by one', async (t) => {
  const model = old();
  const before = model.getWeights();
  const frozen = sequential([
    ...model.layers.slice(0, -1).map((layer) => layer.with({ trainable: false })),
    layers.dense({ units: 3, activation: 'softmax', name: 'head' }),
  ]);
  t.is(frozen.countParams().trainable, 5 * 3 + 3);
  await train({ model: frozen, ...settings });
  for (const { name, data } of before.filter((weight) => !weight.name.startsWith('dense_2'))) t.deepEqual(values(frozen, name), data, name);
  const free = sequential([...model.layers.slice(0, -1), layers.dense({ units: 3, activation: 'softmax', name: 'head' })]);
  const { weightsSha256 } = await train({ model: free, ...settings, freeze: [{ layers: ['dense*', 'batch*'] }] });
  t.is(weightsSha256, frozen.weightsSha256);
  t.is(frozen.layers[0]!.with({ name: 'other' }).name, 'other');
});

test('a model of which some layers have weights says which have none, and gets only those', (t) => {
  const model = old();
  const mixed = sequential([...model.layers.slice(0, -1), layers.dense({ units: 3, name: 'head' })]);
  t.false(mixed.isInitialized);
  t.throws(() => mixed.getWeights(), {
    code: 'LOCKSTEP_USAGE',
    message: 'Expected the model to have weights, got none yet for `head`; train it, or call `initialize(seed, { missing: true })`.',
  });
  const kernel = values(model, 'dense/kernel');
  mixed.initialize(9, { missing: true });
  t.deepEqual(values(mixed, 'dense/kernel'), kernel);
  mixed.initialize(9);
  t.notDeepEqual(values(mixed, 'dense/kernel'), kernel);
});

test('a layer below which the numbers changed does not fit with its weights, nor twice under one name', (t) => {
  const model = old();
  const wider = sequential([layers.dense({ units: 9, inputShape: [6], name: 'wider' }), ...model.layers.slice(2)]);
  wider.initialize(1, { missing: true });
  t.throws(() => wider.getWeights(), {
    code: 'LOCKSTEP_WEIGHTS',
    message: /^Expected `dense_1\/kernel` of the layers of the model to have the shape \(9, 5\), got \(7, 5\)/,
  });
  t.throws(() => sequential([model.layers[0]!, model.layers[0]!]), { code: 'LOCKSTEP_CONFIG' });
});

test('a layer is once in a model, under whatever names', (t) => {
  const [, , layer] = old().layers;
  t.throws(() => sequential([layer!, layers.dense({ units: 7 }), layer!.with({ name: 'again' })]), {
    code: 'LOCKSTEP_CONFIG',
    message: 'Expected every layer once in a model, got one as `dense_1` and `again`, with the same weights; put a `copy()` in one of the places.',
  });
  t.notThrows(() => sequential([layer!, layers.dense({ units: 7 }), layer!.copy().with({ name: 'again' })]));
});
