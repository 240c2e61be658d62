/**
 * Room: tests of the model. Folded models against unfolded ones: the same outputs within rounding, for normalisations in every place, and the reason for each that stays.
 */
import test from 'ava';
import fc from 'fast-check';
import type { LayerConfigInput } from '../../src/config/layers.ts';
import { layers } from '../../src/layers/factories.ts';
import { type Model, sequential } from '../../src/model/model.ts';
import { numbers } from '../toy.ts';

/** A model whose normalisations have seen something. */
function built(config: readonly LayerConfigInput[], inputShape: readonly number[]): Model {
  const model = sequential(config);
  model.build(inputShape);
  model.initialize(1);
  const positive = /moving_variance|gamma/;
  model.setWeights(
    model.getWeights().map((tensor, i) => {
      const data = numbers(tensor.data.length, i + 3);
      return { ...tensor, data: positive.test(tensor.name) ? data.map((value) => 0.2 + Math.abs(value)) : data };
    }),
  );
  return model;
}

/** The largest difference between outputs, relative to the largest output. */
function distance(a: Model, b: Model, inputShape: readonly number[]): number {
  const x = numbers(200 * inputShape.reduce((product, size) => product * size, 1), 99).map((value) => 3 * value);
  const [before, after] = [a.predict(x).data, b.predict(x).data];
  const largest = before.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  return before.reduce((most, value, i) => Math.max(most, Math.abs(value - after[i]!)), 0) / largest;
}

const places: readonly (readonly [name: string, inputShape: readonly number[], config: readonly LayerConfigInput[], into: readonly string[]])[] = [
  [
    'first, with names that are counted',
    [6],
    [layers.batchNormalization(), layers.dense({ units: 5, activation: 'relu' }), layers.batchNormalization(), layers.dense({ units: 3 })],
    ['dense', 'dense_1'],
  ],
  [
    'after, before the activation, without a bias',
    [6],
    [layers.dense({ units: 5, useBias: false }), layers.batchNormalization(), layers.activation({ activation: 'relu' }), layers.dense({ units: 3 })],
    ['dense'],
  ],
  [
    'after what only renames and what rests',
    [2, 3],
    [layers.flatten(), layers.batchNormalization(), layers.dropout({ rate: 0.5 }), layers.dense({ units: 4, activation: 'softmax' })],
    ['dense'],
  ],
  ['of pixels, before a flatten', [4, 3], [layers.batchNormalization({ axis: [1, 2] }), layers.flatten(), layers.dense({ units: 4 })], ['dense']],
  ['of rows, before a flatten', [4, 3], [layers.batchNormalization({ axis: 1, center: false }), layers.flatten(), layers.dense({ units: 4 })], ['dense']],
  [
    'of features of every position',
    [4, 3],
    [layers.batchNormalization({ scale: false }), layers.dense({ units: 2 }), layers.batchNormalization(), layers.flatten(), layers.dense({ units: 2 })],
    ['dense', 'dense'],
  ],
  [
    'behind a mask',
    [4, 3],
    [layers.masking({ maskValue: 0.5 }), layers.batchNormalization(), layers.dense({ units: 2 }), layers.batchNormalization(), layers.flatten()],
    ['dense', 'dense'],
  ],
  [
    'twice into the same',
    [6],
    [layers.batchNormalization(), layers.dense({ units: 5 }), layers.batchNormalization({ synchronized: false }), layers.activation({ activation: 'tanh' })],
    ['dense', 'dense'],
  ],
];

for (const [name, inputShape, config, into] of places) {
  test(`a normalisation folds: ${name}`, (t) => {
    const model = built(config, inputShape);
    const { model: smaller, folded, kept } = model.fold();
    t.deepEqual(kept, []);
    t.deepEqual(
      folded.map((one) => one.into),
      into,
    );
    t.false(smaller.config.layers.some(({ type }) => type === 'batchNormalization'));
    const off = distance(model, smaller, inputShape);
    t.true(off < 1e-5, String(off));
    // What it holds is kept under the names of before.
    const names = new Set(model.topology.layers.map((layer) => layer.name));
    t.true(smaller.topology.layers.every((layer) => names.has(layer.name)));
  });
}

test('a normalisation that stays is told with its reason, and computes on', (t) => {
  const config = [
    layers.batchNormalization({ axis: 1, name: 'rows' }),
    layers.dense({ units: 3, activation: 'relu', name: 'hidden' }),
    layers.batchNormalization({ name: 'last' }),
    layers.layerNormalization(),
    layers.batchNormalization({ name: 'alone' }),
    layers.activation({ activation: 'relu' }),
  ];
  const model = built(config, [4, 3]);
  const { model: same, folded, kept } = model.fold();
  t.deepEqual(folded, []);
  t.deepEqual(kept, [
    { layer: 'rows', reason: 'its channels are not those of the dense layer beside it, which has the same weights for all of them' },
    { layer: 'last', reason: 'the dense layer before it has an activation, and none follows' },
    { layer: 'alone', reason: 'no dense layer stands beside it' },
  ]);
  t.is(distance(model, same, [4, 3]), 0);
});

test('what another layer adds stays as it is; in a branch, and between the sum and the next layer, normalisations fold', (t) => {
  const config = [
    layers.dense({ units: 6, name: 'stem' }),
    layers.batchNormalization({ name: 'after_stem' }),
    layers.dropout({ rate: 0.5, name: 'start' }),
    layers.dense({ units: 6, activation: 'relu' }),
    layers.dense({ units: 6, name: 'branch' }),
    layers.batchNormalization({ name: 'in_branch' }),
    layers.add({ from: ['stem', 'start'], name: 'sum' }),
    layers.batchNormalization({ name: 'behind_sum' }),
    layers.dense({ units: 6, name: 'next' }),
    layers.batchNormalization({ name: 'a_source' }),
    layers.dense({ units: 6, name: 'between' }),
    layers.add({ from: 'a_source' }),
    layers.batchNormalization({ name: 'last' }),
    layers.activation({ activation: 'tanh' }),
  ];
  const model = built(config, [6]);
  const { model: smaller, folded, kept } = model.fold();
  t.deepEqual(folded, [
    { layer: 'in_branch', into: 'branch' },
    { layer: 'behind_sum', into: 'next' },
  ]);
  t.deepEqual(kept, [
    { layer: 'after_stem', reason: 'another layer adds the output of `start`, which would change' },
    { layer: 'a_source', reason: 'another layer adds the output of `a_source`, which would change' },
    { layer: 'last', reason: 'no dense layer stands beside it' },
  ]);
  const off = distance(model, smaller, [6]);
  t.true(off < 1e-5, String(off));
});

const hidden = fc.oneof(
  fc.record({ units: fc.integer({ min: 1, max: 6 }), activation: fc.constantFrom('linear', 'relu', 'tanh'), useBias: fc.boolean() }).map((dense) => layers.dense(dense)),
  fc.record({ center: fc.boolean(), scale: fc.boolean(), axis: fc.constantFrom(1, -1) }).map((normalization) => layers.batchNormalization(normalization)),
  fc.constantFrom(layers.dropout({ rate: 0.3 }), layers.flatten(), layers.activation({ activation: 'relu' }), layers.layerNormalization()),
);

/** Each number adds, behind the layer of its place, one of the outputs before it that have the shape; too large ones add nothing. */
function withAdditions(config: readonly LayerConfigInput[], additions: readonly number[], inputShape: readonly number[]): LayerConfigInput[] {
  const chain: LayerConfigInput[] = [];
  for (const [i, layer] of config.entries()) {
    chain.push(layer);
    const { topology } = built(chain, inputShape);
    const from = topology.layers.filter(({ definition }) => definition.outputShape.join() === topology.outputShape.join())[additions[i] ?? 9]?.name;
    if (from !== undefined) chain.push(layers.add({ from }));
  }
  return chain;
}

test('whatever stands beside whatever, outputs are the same within rounding, and each normalisation is told once', (t) => {
  fc.assert(
    fc.property(fc.array(hidden, { minLength: 1, maxLength: 7 }), fc.array(fc.nat(4), { maxLength: 7 }), (drawn, additions) => {
      const config = withAdditions(drawn, additions, [3, 4]);
      const model = built(config, [3, 4]);
      const { model: smaller, folded, kept } = model.fold();
      const off = distance(model, smaller, [3, 4]);
      t.true(off < 1e-5, `${off}: ${JSON.stringify(config)}`);
      t.is(folded.length + kept.length, config.filter(({ type }) => type === 'batchNormalization').length);
      t.is(smaller.config.layers.filter(({ type }) => type === 'batchNormalization').length, kept.length);
    }),
    { numRuns: 100, seed: 1 },
  );
});

test('a model without weights is refused', (t) => {
  t.throws(() => sequential([layers.dense({ units: 1, inputShape: [2] })]).fold(), { code: 'LOCKSTEP_USAGE' });
});
