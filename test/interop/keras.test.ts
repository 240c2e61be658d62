/**
 * Room: tests of interop. Models of Keras, read from files made after its sources; what they predict is judged by TensorFlow.js with the same weights.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { isLockstepError } from '../../src/errors.ts';
import { loadModel } from '../../src/interop/files.ts';
import { train } from '../../src/local/train.ts';
import { optimizers } from '../../src/optimizers/factories.ts';
import { classified, numbers } from '../toy.ts';
import { archiveWeights, functionalConfig, hdf5, keras3, kerasArchive, type Layer, legacyHdf5, sequentialConfig, type Weight, zip } from './keras-files.ts';
import { difference } from './random-models.ts';
import { outputsOf, tf } from './tfjs-judge.ts';

const folder = mkdtempSync(join(tmpdir(), 'lockstep-keras-'));
test.after.always(() => rmSync(folder, { recursive: true }));

let made = 0;
function fileOf(bytes: Uint8Array, ending: string): string {
  const path = join(folder, `${made++}${ending}`);
  writeFileSync(path, bytes);
  return path;
}

function weight(shape: readonly number[], seed: number, from = 0): Weight {
  const size = shape.reduce((product, dimension) => product * dimension, 1);
  return { shape, data: numbers(size, seed).map((value) => from + value / 2) };
}

const dense = (name: string, inputs: number, units: number, seed: number, options = {}): Layer => ({
  className: 'Dense',
  config: keras3.dense(name, units, options),
  weights: [
    ['kernel', weight([inputs, units], seed)],
    ['bias', weight([units], seed + 1)],
  ],
});

/** (2, 3) to 4 classes, through everything that has weights. */
const layers: readonly Layer[] = [
  { className: 'Flatten', config: keras3.plain('flatten', { data_format: 'channels_last' }) },
  dense('first', 6, 5, 1, { activation: 'gelu' }),
  {
    className: 'BatchNormalization',
    config: keras3.batchNormalization('norm'),
    weights: [
      ['gamma', weight([5], 3, 1)],
      ['beta', weight([5], 4)],
      ['moving_mean', weight([5], 5)],
      ['moving_variance', weight([5], 6, 1)],
    ],
  },
  { className: 'Dropout', config: keras3.plain('dropout', { rate: 0.5, seed: null, noise_shape: null }) },
  dense('second', 5, 5, 7, { activation: { module: 'builtins', class_name: 'function', config: 'silu', registered_name: 'function' } }),
  { className: 'LeakyReLU', config: keras3.plain('leaky', { negative_slope: 0.25 }) },
  {
    className: 'LayerNormalization',
    config: keras3.layerNormalization('layer.norm'),
    weights: [
      ['gamma', weight([5], 9, 1)],
      ['beta', weight([5], 10)],
    ],
  },
  dense('last', 5, 4, 11, { activation: 'softmax' }),
];

/** TensorFlow.js' own layers with these weights. */
function judge(): tf.LayersModel {
  const model = tf.sequential({
    layers: [
      tf.layers.flatten({ inputShape: [2, 3] }),
      tf.layers.dense({ units: 5, activation: 'gelu' as 'relu' }),
      tf.layers.batchNormalization(),
      tf.layers.dense({ units: 5, activation: 'swish' as 'relu' }),
      tf.layers.leakyReLU({ alpha: 0.25 }),
      tf.layers.layerNormalization(),
      tf.layers.dense({ units: 4, activation: 'softmax' }),
    ],
  });
  const own = model.layers.filter((layer) => layer.weights.length > 0);
  layers
    .filter(({ weights }) => weights)
    .forEach(({ weights }, i) => {
      own[i]!.setWeights(weights!.map(([, { shape, data }]) => tf.tensor(data, [...shape])));
    });
  return model;
}

const sequential = sequentialConfig([2, 3], layers);
const files: Readonly<Record<string, () => Promise<string>>> = {
  'a .keras file': async () => fileOf(await kerasArchive(sequential, layers), '.keras'),
  'a .keras file of Keras 2.13': async () => fileOf(await kerasArchive(sequential, layers, '_layer_checkpoint_dependencies'), '.keras'),
  'a .keras file of a functional model': async () => fileOf(await kerasArchive(functionalConfig([2, 3], layers), layers), '.keras'),
  'a .h5 file of Keras 2': async () => fileOf(await legacyHdf5(sequential, layers), '.h5'),
  'a .h5 file of Keras 3': async () => fileOf(await legacyHdf5(sequential, layers, ''), '.h5'),
  'a .h5 file called .keras': async () => fileOf(await legacyHdf5(sequential, layers), '.keras'),
};

for (const [what, write] of Object.entries(files)) {
  test(`${what} loads and predicts as TensorFlow.js does with its weights`, async (t) => {
    const model = await loadModel(await write());
    t.deepEqual(
      model.topology.layers.map(({ name }) => name),
      layers.map(({ config }) => config.name),
    );
    const rows = numbers(10 * 6, 20);
    t.true(difference(model.predict(rows).data, outputsOf(judge(), model, rows)) < 1e-5);
  });
}

test('a model of Keras trains on', async (t) => {
  const model = await loadModel(await files['a .keras file']!());
  const before = model.weightsSha256;
  const run = await train({
    model,
    data: { train: classified(64, [2, 3], 4) },
    loss: 'sparseCategoricalCrossentropy',
    optimizer: optimizers.sgd(),
    epochs: 1,
    kernels: 'wasm',
    workers: 1,
    shards: 1,
  });
  t.is(run.steps, 2);
  t.not(model.weightsSha256, before);
});

const one = (className: string, options: object): Promise<Buffer> => {
  const config = keras3.plain('odd', { ...options });
  return kerasArchive(sequentialConfig([4], [{ className, config }]), [{ className, config }]);
};

test('a layer that is not supported is named with what is', async (t) => {
  const error = await t.throwsAsync(loadModel(fileOf(await one('Conv2D', { filters: 3 }), '.keras')), { code: 'LOCKSTEP_CONFIG' });
  t.regex(
    error!.message,
    /^Expected the layers of `.*` to have types that Lockstep has, got `odd` of type Conv2D; supported are Dense, BatchNormalization, .*, GaussianNoise, Add\.$/,
  );
});

test('Masking is read with its value', async (t) => {
  const chain = [
    { className: 'Masking', config: keras3.plain('padding', { mask_value: 0.5 }) },
    { className: 'Flatten', config: keras3.plain('flat', { data_format: 'channels_last' }) },
  ];
  const model = await loadModel(fileOf(await kerasArchive(sequentialConfig([2, 2], chain), chain), '.keras'));
  t.deepEqual(model.config.layers[0], { type: 'masking', name: 'padding', maskValue: 0.5, inputShape: [2, 2] });
  t.deepEqual([...model.predict(Float32Array.of(0.5, 0.5, 0.5, 1)).data], [0, 0, 0.5, 1]);
});

test('options without a counterpart are refused', async (t) => {
  const refused = async (className: string, options: object, message: RegExp): Promise<void> => {
    await t.throwsAsync(loadModel(fileOf(await one(className, options), '.keras')), { code: 'LOCKSTEP_CONFIG', message }, `${className} ${JSON.stringify(options)}`);
  };
  await refused('Dropout', { rate: 0.5, noise_shape: [null, 1] }, /layer `odd` \(Dropout\) .* `noise_shape`/);
  await refused('Softmax', { axis: 0 }, /the last `axis`, -1, got `0`/);
  await refused('ReLU', { max_value: 6 }, /no `max_value`/);
  await refused('Activation', { activation: 'hard_sigmoid' }, /have as `activation` one of linear, relu, .*, got `"hard_sigmoid"`/);
  await refused('Activation', { activation: 'relu', dtype: 'mixed_float16' }, /compute in float32, got `"mixed_float16"`/);
  await refused('Dense', keras3.dense('odd', 2, { lora_rank: 4 }), /`lora_rank` `4`/);
  await refused('Dense', keras3.dense('odd', 2, { kernel_initializer: { class_name: 'Mine', config: {} } }), /have as `kernel_initializer` one of zeros, /);
  await refused('LayerNormalization', keras3.layerNormalization('odd', { rms_scaling: true }), /`rms_scaling` `true`/);
  await refused('LayerNormalization', keras3.layerNormalization('odd', { axis: [2, 1] }), /ascending order/);
  const size = { height: 3, width: 2, data_format: 'channels_last' };
  await refused('Resizing', size, /samples \(height, width, channels\), got 1 dimensions/);
  await refused('Resizing', { ...size, data_format: 'channels_first' }, /`data_format`/);
  await refused('Resizing', { height: 3, width: 2, interpolation: 'bilinear', crop_to_aspect_ratio: false }, /without `data_format`; .*aligns corners/);
  await refused('Flatten', { data_format: 'channels_first' }, /`data_format`/);
});

test('Resizing of Keras 3 is read, and refused where it crops, pads, averages or knows more interpolations', async (t) => {
  const options = {
    height: 5,
    width: 4,
    interpolation: 'bilinear',
    crop_to_aspect_ratio: false,
    pad_to_aspect_ratio: false,
    fill_mode: 'constant',
    fill_value: 0,
    data_format: 'channels_last',
  };
  const load = async (changed: object) => {
    const config = keras3.plain('resized', { ...options, ...changed });
    const chain = [{ className: 'Resizing', config }];
    return await loadModel(fileOf(await kerasArchive(sequentialConfig([2, 3, 2], chain), chain), '.keras'));
  };
  const rows = numbers(3 * 12, 20);
  const images = tf.tensor4d(rows, [3, 2, 3, 2]);
  const bilinear = (await load({})).predict(rows);
  t.deepEqual(bilinear.shape, [3, 5, 4, 2]);
  t.true(difference(bilinear.data, tf.image.resizeBilinear(images, [5, 4], false, true).dataSync()) < 1e-5);
  const nearest = (await load({ interpolation: 'nearest' })).predict(rows);
  t.deepEqual([...nearest.data], [...tf.image.resizeNearestNeighbor(images, [5, 4], false, true).dataSync()]);
  for (const changed of [{ crop_to_aspect_ratio: true }, { pad_to_aspect_ratio: true }, { antialias: true }]) {
    await t.throwsAsync(load(changed), { code: 'LOCKSTEP_CONFIG', message: new RegExp(`\`${Object.keys(changed)[0]}\` \`true\``) });
  }
  await t.throwsAsync(load({ interpolation: 'bicubic' }), { code: 'LOCKSTEP_CONFIG', message: /interpolation` to be one of bilinear, nearest, got `"bicubic"`/ });
});

test('a frozen layer stays frozen', async (t) => {
  const frozen = [dense('first', 6, 5, 1, { trainable: false }), dense('last', 5, 4, 3, { activation: 'softmax' })];
  const model = await loadModel(fileOf(await kerasArchive(sequentialConfig([6], frozen), frozen), '.keras'));
  const before = model.getWeights();
  await train({
    model,
    data: { train: classified(64, [6], 4) },
    loss: 'sparseCategoricalCrossentropy',
    optimizer: optimizers.sgd(),
    epochs: 1,
    kernels: 'wasm',
    workers: 1,
    shards: 1,
  });
  const kept = model.getWeights().map(({ data }, i) => difference(data, before[i]!.data) === 0);
  t.deepEqual(kept, [true, true, false, false]);
});

test('names of axes, defaults and numbers are those of Keras', async (t) => {
  const config = [
    { className: 'Activation', config: keras3.plain('a', { activation: 'leaky_relu' }) },
    { className: 'LeakyReLU', config: keras3.plain('b') },
    { className: 'ReLU', config: keras3.plain('c', { max_value: null, negative_slope: 0.5, threshold: 0 }) },
    { className: 'Activation', config: keras3.plain('d', { activation: { module: 'keras.layers', class_name: 'LeakyReLU', config: { negative_slope: 0.75 } } }) },
    { className: 'Softmax', config: keras3.plain('e', { axis: [2] }) },
  ];
  const model = await loadModel(fileOf(await kerasArchive(sequentialConfig([2, 3], config), config), '.keras'));
  t.deepEqual(
    model.config.layers.map((layer) => 'activation' in layer && layer.activation),
    [{ type: 'leakyReLU', alpha: 0.2 }, { type: 'leakyReLU', alpha: 0.3 }, { type: 'leakyReLU', alpha: 0.5 }, { type: 'leakyReLU', alpha: 0.75 }, 'softmax'],
  );
});

test('a chain in which Add takes earlier outputs is read, and an Add of one output is not', async (t) => {
  const parts: Layer[] = [
    dense('stem', 3, 3, 1),
    dense('hidden', 3, 3, 3, { activation: 'relu' }),
    { className: 'Add', config: keras3.plain('sum', {}) },
    dense('last', 3, 2, 5),
  ];
  const tensor = (name: string) => ({ class_name: '__keras_tensor__', config: { shape: [null, 3], dtype: 'float32', keras_history: [name, 0, 0] } });
  const read = async (inputs: readonly string[]) => {
    const config = functionalConfig([3], parts) as { config: { layers: { inbound_nodes: unknown[] }[] } };
    config.config.layers[3]!.inbound_nodes = [{ args: [inputs.map(tensor)], kwargs: {} }];
    return await loadModel(fileOf(await kerasArchive(config, parts), '.keras'));
  };
  const model = await read(['input_layer', 'hidden', 'stem']);
  t.deepEqual(model.toConfig().layers[2], { type: 'add', name: 'sum', from: ['@input', 'stem'] });
  const [input, stem, hidden, ...others] = [
    tf.input({ shape: [3] }),
    ...[3, 3, 2].map((units, i) => tf.layers.dense({ units, activation: i === 1 ? 'relu' : 'linear' })),
  ] as const;
  const first = (stem as tf.layers.Layer).apply(input) as tf.SymbolicTensor;
  const sum = tf.layers.add().apply([input, (hidden as tf.layers.Layer).apply(first) as tf.SymbolicTensor, first]);
  const theirs = tf.model({ inputs: input, outputs: (others[0] as tf.layers.Layer).apply(sum) as tf.SymbolicTensor });
  const own = theirs.layers.filter((layer) => layer.weights.length > 0);
  for (const [i, { weights }] of parts.filter((part) => part.weights).entries()) own[i]!.setWeights(weights!.map(([, { shape, data }]) => tf.tensor(data, [...shape])));
  const rows = numbers(15, 8);
  t.true(difference(model.predict(rows).data, outputsOf(theirs, model, rows)) < 1e-6);
  await t.throwsAsync(read(['hidden']), { code: 'LOCKSTEP_CONFIG', message: /`sum` \(Add\) .* to add the outputs of several layers, got one/ });
});

test('models that are no chain are refused', async (t) => {
  const branched = functionalConfig([2, 3], layers) as { config: { layers: { inbound_nodes: unknown[] }[]; output_layers: unknown } };
  branched.config.layers[3]!.inbound_nodes = branched.config.layers[2]!.inbound_nodes;
  await t.throwsAsync(loadModel(fileOf(await kerasArchive(branched, layers), '.keras')), { code: 'LOCKSTEP_CONFIG', message: /only chains of layers are supported/ });
  const nested = sequentialConfig([2, 3], [{ className: 'Sequential', config: { name: 'inner', layers: [] } }]);
  await t.throwsAsync(loadModel(fileOf(await kerasArchive(nested, []), '.keras')), { code: 'LOCKSTEP_CONFIG', message: /`inner` of type Sequential/ });
  const own = sequentialConfig([2, 3], layers) as { config: { layers: { module: string; registered_name: string }[] } };
  Object.assign(own.config.layers[2]!, { module: 'mine', registered_name: 'mine>Dense' });
  await t.throwsAsync(loadModel(fileOf(await kerasArchive(own, layers), '.keras')), { code: 'LOCKSTEP_CONFIG', message: /Keras' own classes, got `"mine>Dense"`/ });
});

test('damaged files are refused', async (t) => {
  const whole = await kerasArchive(sequential, layers);
  const weights = Buffer.from(await archiveWeights(layers));
  const config = Buffer.from(JSON.stringify(sequential));
  const shorter = layers.map((layer, i) => (i === 1 ? dense('first', 6, 4, 1) : layer));
  const fewer = layers.map((layer) => (layer.config.name === 'norm' ? { ...layer, weights: layer.weights!.slice(0, 3) } : layer));
  const cases: Readonly<Record<string, readonly [Uint8Array, string]>> = {
    'a zip without its end': [whole.subarray(0, whole.length - 50), 'LOCKSTEP_DATA'],
    'no archive': [Buffer.from('nonsense'), 'LOCKSTEP_FILE'],
    'an archive without weights': [zip({ 'config.json': config }), 'LOCKSTEP_FILE'],
    'weights cut in the middle': [zip({ 'config.json': config, 'model.weights.h5': weights.subarray(0, weights.length / 2) }), 'LOCKSTEP_FILE'],
    'weights of zeros': [zip({ 'config.json': config, 'model.weights.h5': Buffer.alloc(1000) }), 'LOCKSTEP_FILE'],
    'a config that is no JSON': [zip({ 'config.json': Buffer.from('{'), 'model.weights.h5': weights }), 'LOCKSTEP_FILE'],
    'weights of another shape': [await kerasArchive(sequential, shorter), 'LOCKSTEP_FILE'],
    'a weight missing': [await kerasArchive(sequential, fewer), 'LOCKSTEP_WEIGHTS'],
    'a legacy file without a config': [await hdf5((file) => file.create_group('model_weights')), 'LOCKSTEP_FILE'],
  };
  for (const [what, [bytes, code]] of Object.entries(cases)) await t.throwsAsync(loadModel(fileOf(bytes, '.keras')), { code }, what);
});

test('a link to another file is not followed', async (t) => {
  const bytes = await hdf5((file) => {
    file.create_attribute('model_config', JSON.stringify(sequentialConfig([4], [dense('odd', 4, 2, 1)])));
    const group = file.create_group('model_weights').create_group('odd');
    group.create_attribute('weight_names', ['kernel', 'bias']);
    group.create_external_link('/etc/passwd', '/kernel', 'kernel');
    group.create_dataset({ name: 'bias', data: new Float32Array(2), shape: [2] });
  });
  await t.throwsAsync(loadModel(fileOf(bytes, '.h5')), { code: 'LOCKSTEP_FILE', message: /to be a dataset, got ExternalLink/ });
});

test('deflated members are read, too', async (t) => {
  const config = Buffer.from(JSON.stringify(sequential));
  const path = fileOf(zip({ 'config.json': config, 'model.weights.h5': Buffer.from(await archiveWeights(layers)) }, 8), '.keras');
  t.is((await loadModel(path)).weightsSha256, (await loadModel(await files['a .h5 file of Keras 2']!())).weightsSha256);
});

test('an HDF5 file with any bytes changed or cut is read, or refused with a code', async (t) => {
  const whole = await legacyHdf5(sequential, layers);
  const path = fileOf(whole, '.h5');
  const change = fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 }));
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 4 }), fc.option(fc.nat(whole.length)), async (changes, length) => {
      const bytes = whole.slice(0, length ?? whole.length);
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      writeFileSync(path, bytes);
      await loadModel(path).catch((error: unknown) => {
        if (!isLockstepError(error)) throw error;
        refused++;
      });
    }),
    { numRuns: 200, seed: 3, includeErrorInReport: true },
  );
  t.true(refused > 50);
  writeFileSync(path, whole);
  await t.notThrowsAsync(loadModel(path), 'the library is none the worse for it');
});
