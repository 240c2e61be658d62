/**
 * Room: tests of model. What users hold: made, described, initialised, saved, loaded and asked for predictions.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { writeSafetensors } from '../../src/checkpoint/safetensors.ts';
import { layers } from '../../src/layers/factories.ts';
import { Model, sequential } from '../../src/model/model.ts';
import { bookModel } from './book.ts';

const folder = mkdtempSync(join(tmpdir(), 'lockstep-model-'));
test.after.always(() => rmSync(folder, { recursive: true }));

const tiny = (): Model => sequential([layers.dense({ units: 3, activation: 'softmax', inputShape: [2] })]);

function initialized(model: Model, seed = 1): Model {
  model.initialize(seed);
  return model;
}

test('a model goes through JSON and comes back the same', (t) => {
  const model = bookModel();
  const config = JSON.parse(JSON.stringify(model.toConfig())) as ReturnType<Model['toConfig']>;
  const again = sequential(config.layers);
  t.deepEqual(again.toConfig(), model.toConfig());
  t.is(initialized(again).weightsSha256, initialized(model).weightsSha256);
  t.deepEqual(new Model(config).toConfig(), model.toConfig());
});

test("a config that was taken is nobody else's", (t) => {
  const model = tiny();
  (model.toConfig().layers as unknown[]).length = 0;
  t.is(model.toConfig().layers.length, 1);
});

test('a model that cannot be is refused when it is made', (t) => {
  t.throws(() => sequential([]), { code: 'LOCKSTEP_CONFIG', message: 'Expected `model.layers` to be a list of at least one layer, got `[]`.' });
  t.throws(() => sequential([layers.flatten({ inputShape: [4] }), layers.reshape({ targetShape: [3] })]), {
    code: 'LOCKSTEP_SHAPE',
    message: /layers\[1\]\.targetShape/,
  });
});

test('a model without an input shape gets it from data, and keeps what was declared', (t) => {
  const open = sequential([layers.dense({ units: 3 })]);
  t.throws(() => open.topology, { code: 'LOCKSTEP_SHAPE' });
  open.build([5]);
  t.deepEqual(open.topology.inputShape, [5]);
  open.build([4]);
  t.deepEqual(open.topology.inputShape, [4], 'without weights, other data may come');
  t.throws(() => tiny().build([5]), { code: 'LOCKSTEP_SHAPE', message: /to be the shape of the data's samples, \(5,\), got \(2,\)/ });
});

test('weights are not carried over to data of another shape', (t) => {
  const model = sequential([layers.dense({ units: 3 })]);
  model.build([5]);
  model.initialize(1);
  t.throws(() => model.build([4]), { code: 'LOCKSTEP_SHAPE' });
  t.notThrows(() => model.build([5]));
  t.is(model.predict([[1, 2, 3, 4, 5]]).data.length, 3);
});

test('before there are weights, whatever needs them says how to get them', async (t) => {
  const model = tiny();
  t.false(model.isInitialized);
  const message = 'Expected the model to have weights, got none yet; train it, or call `initialize(seed)` or `load(path)` first.';
  for (const act of [() => model.getWeights(), () => model.weightsSha256, () => model.predict([[1, 2]])]) t.throws(act, { code: 'LOCKSTEP_USAGE', message });
  await t.throwsAsync(model.save(join(folder, 'none.safetensors')), { code: 'LOCKSTEP_USAGE', message });
  t.true(initialized(model).isInitialized);
});

test('a seed is an integer >= 0', (t) => {
  for (const seed of [-1, 1.5, Number.NaN, 2 ** 53])
    t.throws(() => tiny().initialize(seed), { code: 'LOCKSTEP_USAGE', message: /^Expected `seed` to be an integer >= 0, got/ });
  t.not(initialized(tiny(), 0).weightsSha256, initialized(tiny(), 2 ** 32).weightsSha256);
});

test('predictions of softmax are probabilities, and repeat', (t) => {
  const model = initialized(bookModel());
  const rows = Float32Array.from({ length: 3 * 784 }, (_, i) => ((i * 31) % 97) / 97);
  const { shape, data } = model.predict(rows);
  t.deepEqual(shape, [3, 10]);
  for (let row = 0; row < 3; row++) {
    const values = data.subarray(10 * row, 10 * row + 10);
    t.true(values.every((value) => value > 0 && value < 1));
    t.true(Math.abs(values.reduce((sum, value) => sum + value, 0) - 1) < 1e-6);
  }
  t.deepEqual(model.predict(rows).data, data);
});

test("predictions are by the formula, and a row's do not depend on the others", (t) => {
  const model = sequential([layers.dense({ units: 2, inputShape: [3] })]);
  model.setWeights([
    { name: 'dense/kernel', shape: [3, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
    { name: 'dense/bias', shape: [2], data: Float32Array.of(0.5, -1) },
  ]);
  t.deepEqual(
    model
      .predict([
        [1, 0, 0],
        [1, 1, 1],
      ])
      .toRows(),
    [
      [1.5, 1],
      [9.5, 11],
    ],
  );
  t.deepEqual(
    [
      ...model
        .predict([
          [1, 0, 0],
          [1, 1, 1],
        ])
        .argMax(),
    ],
    [0, 1],
  );
  const many = Array.from({ length: 600 }, (_, i) => [i, 1, 0]);
  const rows = model.predict(many).toRows();
  t.deepEqual(
    rows,
    many.map(([i]) => [i! + 3.5, 2 * i! + 3]),
    'more rows than are computed at a time',
  );
  t.deepEqual(model.predict(new Float32Array([5, 1, 0])).toRows(), [rows[5]!]);
});

test('predictions of several dimensions keep their shape', (t) => {
  const model = initialized(sequential([layers.dense({ units: 2, inputShape: [4, 3] })]));
  const { shape, data } = model.predict([
    [
      [1, 2, 3],
      [1, 2, 3],
      [1, 2, 3],
      [0, 0, 0],
    ],
  ]);
  t.deepEqual(shape, [1, 4, 2]);
  t.is(data.length, 8);
});

test('rows of another shape are refused with both shapes', (t) => {
  const model = initialized(bookModel());
  t.is(
    t.throws(() => model.predict([[1, 2, 3]]), { code: 'LOCKSTEP_SHAPE' })?.message,
    "Expected rows of shape [28, 28], got [3]; one row of the model's input is that shape.",
  );
  t.is(
    t.throws(() => model.predict(new Float32Array(785)), { code: 'LOCKSTEP_SHAPE' })?.message,
    'Expected rows of (28, 28), 784 numbers each, got 785 numbers; give whole rows.',
  );
  t.throws(() => model.predict(new Float32Array(0)), { code: 'LOCKSTEP_SHAPE' });
  for (const rows of [[], undefined, null, 7, 'rows', [[1, [2]]], [[1], [1, 2]]]) t.throws(() => model.predict(rows as never), { code: 'LOCKSTEP_DATA' });
});

test('weights go through a file and come back bit for bit', async (t) => {
  const path = join(folder, 'book.safetensors');
  const model = initialized(bookModel(), 5);
  await model.save(path);
  const other = bookModel();
  other.load(path);
  t.is(other.weightsSha256, model.weightsSha256);
  t.deepEqual(
    other.getWeights().map(({ name, shape }) => [name, shape]),
    model.getWeights().map(({ name, shape }) => [name, shape]),
  );
});

test('a file of another model is refused by name', async (t) => {
  const path = join(folder, 'foreign.safetensors');
  await initialized(sequential([layers.dense({ units: 3, inputShape: [2], name: 'head' })])).save(path);
  t.is(
    t.throws(() => tiny().load(path), { code: 'LOCKSTEP_WEIGHTS' })?.message,
    `Expected \`${path}\` to hold exactly the weights of the model, got without \`dense/kernel\`, \`dense/bias\` and with the unknown \`head/kernel\`, \`head/bias\`; it belongs to another model or its layers have other names.`,
  );
  await initialized(sequential([layers.dense({ units: 3, inputShape: [7] })])).save(path);
  t.is(
    t.throws(() => tiny().load(path), { code: 'LOCKSTEP_WEIGHTS' })?.message,
    `Expected \`dense/kernel\` of \`${path}\` to have the shape (2, 3), got (7, 3); it belongs to another model.`,
  );
});

test('weights that are refused leave the old ones', (t) => {
  const model = initialized(tiny());
  const before = model.weightsSha256;
  t.throws(() => model.setWeights([]), { code: 'LOCKSTEP_WEIGHTS', message: /^Expected the weights to hold exactly the weights of the model, got without/ });
  t.is(model.weightsSha256, before);
});

test('weights of other numbers than their shape says are refused', (t) => {
  const [kernel, bias] = initialized(tiny()).getWeights();
  t.throws(() => tiny().setWeights([{ ...kernel!, data: new Float32Array(600) }, bias!]), {
    code: 'LOCKSTEP_WEIGHTS',
    message: /hold the 6 numbers of its shape, got 600/,
  });
});

test('weights are copied when they are taken, so nobody changes them from outside', (t) => {
  const model = tiny();
  const tensors = initialized(tiny()).getWeights();
  model.setWeights(tensors);
  const before = model.weightsSha256;
  tensors[0]!.data.fill(7);
  t.is(model.weightsSha256, before);
});

test('weights that are no float32 numbers, or come twice, are refused', (t) => {
  const [kernel, bias] = initialized(tiny()).getWeights();
  const refused = (...tensors: object[]): string | undefined => t.throws(() => tiny().setWeights(tensors as never), { code: 'LOCKSTEP_WEIGHTS' })?.message;
  t.is(
    refused({ ...kernel!, data: [1, 2, 3, 4, 5, 6] }, bias!),
    'Expected `dense/kernel` of the weights to have a Float32Array as its `data`, got `[1,2,3,4,5,6]`; convert it.',
  );
  t.regex(refused({ ...kernel!, data: new Float64Array(6) }, bias!)!, /got `Float64Array of 48 bytes`; convert it\.$/);
  t.is(
    refused({ name: 'dense/kernel', data: kernel!.data }, bias!),
    'Expected `dense/kernel` of the weights to have a list of sizes as its `shape`, got nothing; add it.',
  );
  t.is(refused(kernel!, bias!, kernel!), 'Expected the weights to hold each weight once, got `dense/kernel` twice; leave one out.');
});

test('bytes are no rows to predict: nobody would know their scale', (t) => {
  t.is(
    t.throws(() => initialized(tiny()).predict(new Uint8Array(2) as never), { code: 'LOCKSTEP_DATA' })?.message,
    'Expected rows as nested arrays or a Float32Array, got `Uint8Array of 2 bytes`; convert typed arrays with Float32Array.from, and divide by the scale of the training data.',
  );
});

test('a saved model comes back whole from its file alone, and its file still gives weights to a model of the same layers', async (t) => {
  const path = join(folder, 'whole.safetensors');
  const model = sequential([{ type: 'flatten' }, { type: 'dense', units: 3, activation: 'elu' }, { type: 'batchNormalization' }], { name: 'small' });
  model.build([2, 2]);
  model.initialize(7);
  await model.save(path);
  const again = Model.from(path);
  t.deepEqual(again.config, model.config);
  t.deepEqual(again.topology.inputShape, [2, 2]);
  t.is(again.weightsSha256, model.weightsSha256);
  const rows = [
    [
      [1, 2],
      [3, 4],
    ],
  ];
  t.deepEqual(again.predict(rows).data, model.predict(rows).data);
  const other = sequential(model.config.layers);
  other.build([2, 2]);
  other.load(path);
  t.is(other.weightsSha256, model.weightsSha256);
});

test('a file of weights alone is no model, and damaged metadata are refused', async (t) => {
  const path = join(folder, 'weights.safetensors');
  const model = sequential([{ type: 'dense', units: 1, inputShape: [1] }]);
  model.initialize(1);
  await writeSafetensors(path, model.getWeights(), { format: 'lockstep' });
  t.throws(() => Model.from(path), {
    code: 'LOCKSTEP_WEIGHTS',
    message: `Expected \`${path}\` to hold a model, got weights alone; make the model from its config and \`load\` them.`,
  });
  await writeSafetensors(path, model.getWeights(), { model: '{' });
  t.throws(() => Model.from(path), { code: 'LOCKSTEP_WEIGHTS', message: /metadata of .* to be whole, got one that breaks a rule \(.*JSON/ });
  await writeSafetensors(path, model.getWeights(), { model: '{"config":{"layers":[]},"inputShape":[1]}' });
  t.throws(() => Model.from(path), {
    code: 'LOCKSTEP_WEIGHTS',
    message: /to be whole, got one that breaks a rule \(Expected `model.layers` to be a list of at least one layer, got `\[\]`\);/,
  });
});
