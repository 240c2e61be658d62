/**
 * Room: tests of model. Names, shapes and weights of a model from its config.
 */
import test from 'ava';
import { layerNames } from '../../src/config/layer-names.ts';
import type { LayerConfigInput } from '../../src/config/layers.ts';
import { parseModelConfig } from '../../src/config/parse.ts';
import { layers } from '../../src/layers/factories.ts';
import type { Shape } from '../../src/memory/shape.ts';
import { endsIn, resolveTopology, type Topology, withoutFinal } from '../../src/model/topology.ts';
import { bookModel } from './book.ts';

const config = (list: readonly LayerConfigInput[]) => parseModelConfig({ layers: list });
const resolve = (list: readonly LayerConfigInput[], inputShape?: Shape): Topology => resolveTopology(config(list), inputShape);

test('layers are named as by Keras: the type in snake case, numbered from the second on', (t) => {
  t.deepEqual(
    bookModel().topology.layers.map(({ name }) => name),
    ['flatten', 'batch_normalization', 'dense', 'batch_normalization_1', 'dense_1', 'batch_normalization_2', 'dense_2'],
  );
});

test('names that were given are kept, and skipped by the others', (t) => {
  const names = (list: readonly LayerConfigInput[]): string[] => layerNames(config(list).layers);
  const dense = (name?: string) => layers.dense({ units: 1, ...(name !== undefined && { name }) });
  t.deepEqual(names([dense('head'), dense(), dense()]), ['head', 'dense', 'dense_1']);
  t.deepEqual(names([dense(), dense('dense_1'), dense(), dense()]), ['dense', 'dense_1', 'dense_2', 'dense_3']);
  t.deepEqual(names([dense(), dense('dense')]), ['dense_1', 'dense']);
  t.deepEqual(names([layers.dropout({ rate: 0.5, name: 'dense' }), dense()]), ['dense', 'dense_1']);
});

test('weights are in model order, named layer/weight, with roles that say who sums their gradients', (t) => {
  const { weights, inputShape, outputShape } = bookModel().topology;
  t.deepEqual([inputShape, outputShape], [[28, 28], [10]]);
  t.deepEqual(
    weights.slice(0, 8).map(({ name, size, layer, definition }) => [name, size, layer, definition.role]),
    [
      ['batch_normalization/gamma', 784, 1, 'synced'],
      ['batch_normalization/beta', 784, 1, 'synced'],
      ['batch_normalization/moving_mean', 784, 1, 'state'],
      ['batch_normalization/moving_variance', 784, 1, 'state'],
      ['dense/kernel', 235_200, 2, 'summed'],
      ['dense/bias', 300, 2, 'summed'],
      ['batch_normalization_1/gamma', 300, 3, 'synced'],
      ['batch_normalization_1/beta', 300, 3, 'synced'],
    ],
  );
  t.is(weights.length, 18);
  t.is(new Set(weights.map(({ name }) => name)).size, 18);
});

test('shapes go from layer to layer', (t) => {
  const { layers: resolved } = resolve([layers.reshape({ targetShape: [4, -1], inputShape: [12] }), layers.dense({ units: 7 }), layers.flatten()]);
  t.deepEqual(
    resolved.map(({ inputShape, definition }) => [inputShape, definition.outputShape]),
    [
      [[12], [4, 3]],
      [
        [4, 3],
        [4, 7],
      ],
      [[4, 7], [28]],
    ],
  );
});

test('the input shape comes from the first layer, from data, or from both when they agree', (t) => {
  t.deepEqual(resolve([layers.flatten({ inputShape: [2, 3] })]).inputShape, [2, 3]);
  t.deepEqual(resolve([layers.flatten()], [2, 3]).inputShape, [2, 3]);
  t.deepEqual(resolve([layers.flatten({ inputShape: [2, 3] })], [2, 3]).inputShape, [2, 3]);
});

test('no input shape, or two different ones, are refused with what to do', (t) => {
  t.is(
    t.throws(() => resolve([layers.flatten()]), { code: 'LOCKSTEP_SHAPE' })?.message,
    'Expected `model.layers[0].inputShape` to be set, as there is no data to take it from; add the shape of one sample, without the batch dimension.',
  );
  t.is(
    t.throws(() => resolve([layers.flatten({ inputShape: [28, 28] })], [32, 32]), { code: 'LOCKSTEP_SHAPE' })?.message,
    "Expected `model.layers[0].inputShape` to be the shape of the data's samples, (32, 32), got (28, 28); change it or leave it out.",
  );
});

test('what does not fit is told with its place in the config', (t) => {
  const error = t.throws(() => resolve([layers.flatten({ inputShape: [4] }), layers.reshape({ targetShape: [3] })]), { code: 'LOCKSTEP_SHAPE' });
  t.regex(error?.message ?? '', /^Expected `model\.layers\[1\]\.targetShape` to hold the 4 numbers/);
});

test('what is added is known by number, and has the shape of what it is added to', (t) => {
  const named = resolve([layers.dense({ units: 4, inputShape: [4] }), layers.flatten(), layers.add({ from: ['flatten', '@input', 'dense'] })]);
  t.deepEqual(
    named.layers.map(({ sources }) => sources),
    [[], [], [1, -1, 0]],
  );
  t.deepEqual(named.outputShape, [4]);
  t.is(
    t.throws(() => resolve([layers.dense({ units: 3, inputShape: [6] }), layers.dense({ units: 6 }), layers.add({ from: ['@input', 'dense'] })]), {
      code: 'LOCKSTEP_SHAPE',
    })?.message,
    'Expected `model.layers[2].from` to name layers whose outputs have the shape of its input, (6,), got (3,) of `dense`; put a dense or reshape layer into one of the two ways.',
  );
  // As many numbers are not enough.
  const turned = [layers.reshape({ targetShape: [3, 2], inputShape: [2, 3] }), layers.add({ from: '@input' })];
  t.regex(t.throws(() => resolve(turned), { code: 'LOCKSTEP_SHAPE' })?.message ?? '', /, \(3, 2\), got \(2, 3\) of `@input`; /);
});

test('a softmax at the end is found in either of its spellings, and taken off alone', (t) => {
  for (const last of [layers.dense({ units: 2, activation: 'softmax' }), layers.activation({ activation: { type: 'softmax' } })]) {
    const given = config([layers.dense({ units: 2 }), last]);
    t.true(endsIn(given, 'softmax'));
    const off = withoutFinal(given, 'softmax');
    t.deepEqual(off, { ...given, layers: [given.layers[0]!, { ...given.layers[1]!, activation: 'linear' } as never] });
    t.true(endsIn(given, 'softmax'), 'the config that was given is as it was');
  }
  for (const last of [layers.dense({ units: 2, activation: 'sigmoid' }), layers.flatten()]) {
    const given = config([layers.dense({ units: 2, activation: 'softmax' }), last]);
    t.false(endsIn(given, 'softmax'));
    t.is(withoutFinal(given, 'softmax'), given);
  }
});
