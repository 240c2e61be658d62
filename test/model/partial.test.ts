/**
 * Room: tests of the model. Weights of another model taken layer by layer: what fits is taken, what does not is told, and nothing is half taken.
 */
import test from 'ava';
import { layers } from '../../src/layers/factories.ts';
import { type Model, sequential } from '../../src/model/model.ts';

function source(): Model {
  const model = sequential([
    layers.dense({ units: 7, inputShape: [6], name: 'encoder_a' }),
    layers.batchNormalization({ name: 'encoder_norm' }),
    layers.dense({ units: 5, name: 'encoder_b' }),
    layers.dense({ units: 4, name: 'classes' }),
  ]);
  model.initialize(1);
  return model;
}

const goal = (): Model =>
  sequential([
    layers.dense({ units: 7, inputShape: [6], name: 'a' }),
    layers.batchNormalization({ name: 'norm' }),
    layers.dense({ units: 5, name: 'b' }),
    layers.dense({ units: 3, name: 'classes' }),
    layers.dense({ units: 2, useBias: false, name: 'new' }),
  ]);

const of = (model: Model, name: string): Float32Array => model.getWeights().find((weight) => weight.name === name)!.data;

test('layers that fit take their weights under their names here; the others are told, and keep what they have', (t) => {
  const model = goal();
  const report = model.setSomeWeights(source().getWeights(), { 'encoder_*': '*' });
  t.deepEqual(report, {
    loaded: [
      { layer: 'a', from: 'encoder_a' },
      { layer: 'norm', from: 'encoder_norm' },
      { layer: 'b', from: 'encoder_b' },
    ],
    kept: [
      { layer: 'classes', reason: '`classes/kernel` has the shape (5, 4), not (5, 3)' },
      { layer: 'new', reason: 'there is no layer of this name' },
    ],
    unused: ['classes'],
  });
  model.initialize(9, { missing: true });
  t.deepEqual(of(model, 'a/kernel'), of(source(), 'encoder_a/kernel'));
  t.deepEqual(of(model, 'norm/moving_variance'), of(source(), 'encoder_norm/moving_variance'));
  const fresh = goal();
  fresh.initialize(9);
  t.deepEqual(of(model, 'classes/kernel'), of(fresh, 'classes/kernel'));
});

test('a layer that lacks one weight there takes none', (t) => {
  const model = goal();
  const tensors = source()
    .getWeights()
    .filter(({ name }) => name !== 'encoder_b/bias');
  const { kept, loaded } = model.setSomeWeights(tensors, { encoder_b: 'b', encoder_a: 'a' });
  t.deepEqual(loaded, [{ layer: 'a', from: 'encoder_a' }]);
  t.deepEqual(kept[1], { layer: 'b', reason: '`encoder_b` has no `bias`' });
});

test('nothing that fits, two layers for one, and patterns that cannot be, are refused', (t) => {
  const tensors = source().getWeights();
  t.throws(() => goal().setSomeWeights(tensors.slice(0, 2)), {
    code: 'LOCKSTEP_WEIGHTS',
    message: 'Expected the weights to hold the weights of some layer of the model, got none that fit (`a`: there is no layer of this name); map the names of layers.',
  });
  t.throws(() => goal().setSomeWeights(tensors, { encoder_a: 'b', encoder_b: 'b' }), {
    code: 'LOCKSTEP_WEIGHTS',
    message: 'Expected one layer of the weights for `b`, got `encoder_a` and `encoder_b`; give them different names.',
  });
  t.throws(() => goal().setSomeWeights(tensors, { 'a*b*': 'c' }), { code: 'LOCKSTEP_USAGE', message: /at most one `\*`/ });
  t.throws(() => goal().setSomeWeights(tensors, { a: '*' }), { code: 'LOCKSTEP_USAGE' });
});

test('what is taken is a copy', (t) => {
  const [model, from] = [goal(), source()];
  const tensors = from.getWeights();
  model.setSomeWeights(tensors, { 'encoder_*': '*' });
  tensors[0]!.data.fill(0);
  model.initialize(1, { missing: true });
  t.true(of(model, 'a/kernel').some((value) => value !== 0));
});

test('a layer that has a weight more there takes none: without it, it would compute something else', (t) => {
  const from = sequential([layers.dense({ units: 3, inputShape: [6] }), layers.batchNormalization(), layers.dense({ units: 2 })]);
  from.initialize(1);
  const model = sequential([layers.dense({ units: 3, useBias: false, inputShape: [6] }), layers.batchNormalization({ scale: false }), layers.dense({ units: 2 })]);
  t.deepEqual(model.setSomeWeights(from.getWeights()), {
    loaded: [{ layer: 'dense_1', from: 'dense_1' }],
    kept: [
      { layer: 'dense', reason: '`dense` has `bias`, which this layer has not' },
      { layer: 'batch_normalization', reason: '`batch_normalization` has `gamma`, which this layer has not' },
    ],
    unused: ['dense', 'batch_normalization'],
  });
});
