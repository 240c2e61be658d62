/**
 * Room: tests of interop. Layers models of TensorFlow.js, both ways, judged by the real library.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import type { ActivationConfig, InitializerConfig } from '../../src/config/initializers.ts';
import type { ConstraintConfig, RegularizerConfig } from '../../src/config/regularizers.ts';
import { resolveActivation, resolveConstraint, resolveInitializer, resolveRegularizer } from '../../src/config/resolve.ts';
import { loadModel, saveModel } from '../../src/interop/files.ts';
import { layers } from '../../src/layers/factories.ts';
import { train } from '../../src/local/train.ts';
import { type Model, sequential } from '../../src/model/model.ts';
import { optimizers } from '../../src/optimizers/factories.ts';
import { classified, numbers } from '../toy.ts';
import { difference, randomModel } from './random-models.ts';
import { fetchModel, outputsOf, storeModel, tf } from './tfjs-judge.ts';

const folder = mkdtempSync(join(tmpdir(), 'lockstep-tfjs-'));
test.after.always(() => rmSync(folder, { recursive: true }));

let made = 0;
function freshFolder(): string {
  const path = join(folder, String(made++));
  mkdirSync(path);
  return path;
}

test('random models predict the same in TensorFlow.js, and come back from it the same', async (t) => {
  await fc.assert(
    fc.asyncProperty(randomModel({ anyAxis: false, branches: true }), async ({ model, rows }) => {
      const [written, back] = [freshFolder(), freshFolder()];
      await saveModel(model, written);
      const theirs = await fetchModel(written);
      const expected = model.predict(rows).data;
      const received = outputsOf(theirs, model, rows);
      await storeModel(theirs, back);
      theirs.dispose();
      const again = await loadModel(join(back, 'model.json'));
      const found = Math.max(difference(received, expected), difference(again.predict(rows).data, expected));
      if (!(found < 1e-5)) throw new Error(`Expected the same predictions, got a difference of ${found}.`);
      if (again.weightsSha256 !== model.weightsSha256)
        throw new Error(`Expected the same weights, got ${JSON.stringify(again.getWeights())} for ${JSON.stringify(model.getWeights())}.`);
    }),
    { numRuns: 60, seed: 5, includeErrorInReport: true },
  );
  t.pass();
});

test('a model made and trained by TensorFlow.js loads, predicts the same and trains on', async (t) => {
  const theirs = tf.sequential({
    layers: [
      tf.layers.flatten({ inputShape: [2, 4] }),
      tf.layers.dense({ units: 16, activation: 'relu', kernelInitializer: 'heNormal' }),
      tf.layers.batchNormalization({ momentum: 0.9 }),
      tf.layers.dropout({ rate: 0.1 }),
      tf.layers.dense({ units: 8 }),
      tf.layers.leakyReLU(),
      tf.layers.dense({ units: 3, activation: 'softmax' }),
    ],
  });
  theirs.compile({ optimizer: 'adam', loss: 'sparseCategoricalCrossentropy' });
  const data = classified(256, [2, 4], 3);
  const x = Float32Array.from(data.x as Float32Array);
  await theirs.fit(tf.tensor(x, [256, 2, 4]), tf.tensor1d(Float32Array.from(data.y as Int32Array)), { epochs: 3, verbose: 0 });
  const place = freshFolder();
  // With its optimizer's state, which is passed over.
  await storeModel(theirs, place, { includeOptimizer: true });

  const model = await loadModel(place);
  t.true(difference(model.predict(x).data, outputsOf(theirs, model, x)) < 1e-5);

  const before = model.weightsSha256;
  const settings = { data: { train: data }, loss: 'sparseCategoricalCrossentropy', batchSize: 64, kernels: 'wasm', workers: 2, shards: 2 } as const;
  const losses: number[] = [];
  await train({ model, ...settings, optimizer: optimizers.adam(), epochs: 4, onEpoch: ({ loss }) => void losses.push(loss) });
  t.not(model.weightsSha256, before);
  t.true(losses.at(-1)! < losses[0]!, `losses ${losses.join(', ')}`);

  // And back: TensorFlow.js goes on with what was trained here.
  const back = freshFolder();
  await saveModel(model, join(back, 'model.json'));
  const again = await fetchModel(back);
  t.true(difference(outputsOf(again, model, x), model.predict(x).data) < 1e-5);
  again.compile({ optimizer: 'sgd', loss: 'sparseCategoricalCrossentropy' });
  const history = await again.fit(tf.tensor(x, [256, 2, 4]), tf.tensor1d(Float32Array.from(data.y as Int32Array)), { epochs: 1, verbose: 0 });
  t.true(Number.isFinite(history.history['loss']![0]));
});

test('every option with a counterpart goes through TensorFlow.js and comes back', async (t) => {
  const initializers = ['zeros', 'ones', 'glorotUniform', 'glorotNormal', 'heUniform', 'heNormal', 'leCunUniform', 'leCunNormal', 'orthogonal', 'identity'] as const;
  const model = sequential(
    [
      layers.reshape({ targetShape: [2, 3], inputShape: [6], name: 'in.2-3' }),
      layers.layerNormalization({ axis: [1, 2], epsilon: 0.01, center: false, gammaRegularizer: 'l1' }),
      layers.batchNormalization({
        axis: 2,
        momentum: 0.5,
        epsilon: 0.25,
        scale: false,
        betaInitializer: { type: 'constant', value: 0.5 },
        betaRegularizer: { type: 'l2', l2: 0.5 },
        betaConstraint: 'nonNeg',
        movingMeanInitializer: { type: 'randomNormal', mean: 1, stddev: 2 },
      }),
      layers.flatten(),
      ...initializers.map((kernelInitializer) => layers.dense({ units: 6, kernelInitializer, activation: 'selu' })),
      layers.dense({
        units: 4,
        useBias: false,
        kernelInitializer: { type: 'varianceScaling', scale: 3, mode: 'fanOut', distribution: 'truncatedNormal' },
        kernelRegularizer: { type: 'l1l2', l1: 0.5, l2: 0.25 },
        kernelConstraint: { type: 'maxNorm', maxValue: 3, axis: 1 },
      }),
      layers.dense({
        units: 4,
        kernelInitializer: { type: 'randomUniform', minval: -1, maxval: 2 },
        biasInitializer: { type: 'truncatedNormal', mean: 1, stddev: 0.5 },
        kernelConstraint: { type: 'minMaxNorm', minValue: 0.5, maxValue: 2, rate: 0.5, axis: 0 },
        biasConstraint: { type: 'unitNorm' },
      }),
      layers.activation({ activation: { type: 'leakyReLU', alpha: 0.25 } }),
      layers.dense({ units: 2, trainable: false }),
      layers.dropout({ rate: 0.5 }),
      layers.alphaDropout({ rate: 0.25 }),
      layers.gaussianNoise({ stddev: 2 }),
      layers.activation({ activation: 'gelu' }),
    ],
    { name: 'everything' },
  );
  model.initialize(1);
  const [written, back] = [freshFolder(), freshFolder()];
  await saveModel(model, written);
  await storeModel(await fetchModel(written), back);
  const again = await loadModel(back);
  t.deepEqual(resolved(again), resolved(model));
});

/** The config with every name written out, and the names that layers have. */
function resolved({ config, topology }: Model): unknown {
  const spell = (key: string, value: unknown): unknown => {
    if (key.endsWith('Regularizer')) return resolveRegularizer(value as RegularizerConfig);
    if (typeof value !== 'string') return value;
    if (key.endsWith('Initializer')) return resolveInitializer(value as InitializerConfig);
    if (key.endsWith('Constraint')) return resolveConstraint(value as ConstraintConfig);
    return key === 'activation' ? resolveActivation(value as ActivationConfig) : value;
  };
  return config.layers.map((layer, i) => ({
    ...Object.fromEntries(Object.entries(layer).map(([key, value]) => [key, spell(key, value)])),
    name: topology.layers[i]!.name,
  }));
}

test('a functional model that is a chain is read as one', async (t) => {
  const input = tf.input({ shape: [3], name: 'measured' });
  const hidden = tf.layers.dense({ units: 4, activation: 'gelu', name: 'hidden' }).apply(input) as tf.SymbolicTensor;
  const output = tf.layers.dense({ units: 2, name: 'out' }).apply(hidden) as tf.SymbolicTensor;
  const theirs = tf.model({ inputs: input, outputs: output });
  const place = freshFolder();
  await storeModel(theirs, place);
  const model = await loadModel(place);
  t.deepEqual(
    model.topology.layers.map(({ name }) => name),
    ['hidden', 'out'],
  );
  const rows = Float32Array.of(0.5, -1, 2, 3, -4, 0.25);
  t.true(difference(model.predict(rows).data, outputsOf(theirs, model, rows)) < 1e-5);
});

test('masking is refused both ways, as its normalizations do not heed masks in training', async (t) => {
  const model = sequential([layers.masking({ name: 'odd', inputShape: [3, 2] }), layers.flatten()]);
  await t.throwsAsync(saveModel(model, freshFolder()), { code: 'LOCKSTEP_CONFIG', message: /`odd` \(masking\) .* do not heed/ });
  const place = freshFolder();
  const topology = sequential([layers.flatten({ name: 'odd', inputShape: [3, 2] })]);
  await saveModel(topology, place);
  const path = join(place, 'model.json');
  const text = readFileSync(path, 'utf8');
  t.true(text.includes('"Flatten"'));
  const masked = '{"class_name":"Masking","config":{"name":"odd","trainable":true,"batch_input_shape":[null,3,2],"dtype":"float32","mask_value":0}},';
  const flat = '{"class_name":"Flatten","config":{"name":"flat"}}';
  writeFileSync(path, text.replace(/\{"class_name":"Flatten","config":\{[^}]*\}[^}]*\}/, masked + flat));
  await t.throwsAsync(loadModel(path), { code: 'LOCKSTEP_CONFIG', message: /`odd` of type Masking; .*do not heed masks/ });
});

test('a residual network is written as a functional model, and comes back', async (t) => {
  const model = sequential([
    layers.dense({ units: 4, activation: { type: 'leakyReLU', alpha: 0.1 }, name: 'input', inputShape: [4] }),
    layers.dropout({ rate: 0.5, name: 'rest' }),
    layers.dense({ units: 4, activation: 'tanh' }),
    layers.add({ from: ['input', '@input'], name: 'sum' }),
    layers.add({ from: 'sum' }),
  ]);
  model.initialize(4);
  const [written, back] = [freshFolder(), freshFolder()];
  await saveModel(model, written);
  const theirs = await fetchModel(written);
  const rows = numbers(20, 3);
  t.true(difference(outputsOf(theirs, model, rows), model.predict(rows).data) < 1e-6);
  await storeModel(theirs, back);
  const again = await loadModel(join(back, 'model.json'));
  t.deepEqual(
    again.config.layers.flatMap((layer) => (layer.type === 'add' ? [layer.from] : [])),
    [['input_activation', '@input'], 'sum'],
  );
  t.deepEqual(again.predict(rows).data, model.predict(rows).data);
});

test('a functional model whose branches have layers on both sides is refused', async (t) => {
  const input = tf.input({ shape: [3] });
  const left = tf.layers.dense({ units: 4, name: 'left' }).apply(input) as tf.SymbolicTensor;
  const right = tf.layers.dense({ units: 4, name: 'right' }).apply(input) as tf.SymbolicTensor;
  const theirs = tf.model({ inputs: input, outputs: tf.layers.add().apply([left, right]) as tf.SymbolicTensor });
  const place = freshFolder();
  await storeModel(theirs, place);
  await t.throwsAsync(loadModel(place), {
    code: 'LOCKSTEP_CONFIG',
    message: /to be one chain, got `left` and `right` side by side behind `input\d*`; only chains of layers are supported, in which Add may/,
  });
});

test('what TensorFlow.js cannot compute is refused, by the name of the layer', async (t) => {
  const refused = async (layer: Parameters<typeof sequential>[0][number], inputShape: number[], message: RegExp): Promise<void> => {
    const model = sequential([{ ...layer, name: 'odd', inputShape } as typeof layer]);
    model.initialize(1);
    await t.throwsAsync(saveModel(model, freshFolder()), { code: 'LOCKSTEP_CONFIG', message });
  };
  await refused(
    layers.batchNormalization({ axis: [1, 2] }),
    [4, 3],
    /^Expected the layer `odd` \(batchNormalization\) to have the last `axis`, -1, alone, as TensorFlow.js computes it, got \[1,2\];/,
  );
  await refused(layers.batchNormalization({ axis: 1 }), [4, 3], /`odd` .* the last `axis`/);
  await refused(layers.resizing({ height: 2, width: 2 }), [4, 3, 1], /`odd` \(resizing\) .* aligns corners/);
  await refused(layers.batchNormalization(), [2, 2, 2, 2], /`odd` .* at most 3 dimensions/);
  await refused(layers.dense({ units: 2, activation: { type: 'elu', alpha: 0.5 } }), [4], /`odd` \(dense\) to have elu with alpha 1/);
  await refused(layers.activation({ activation: 'relu', activityRegularizer: 'l2' }), [4], /`odd` .* no `activityRegularizer`/);
  await refused(layers.scalarAffine(), [4], /`odd` \(scalarAffine\) to be one that TensorFlow\.js has, .*write ONNX/);
  await refused(layers.dense({ units: 2, kernelInitializer: 'identity' }), [4], /`odd` .* initialisers that TensorFlow.js can draw from/);
});
