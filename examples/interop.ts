/** A model of TensorFlow.js trains on here, and goes back, and to ONNX: docs/guides/interop.md walks through it. Needs @tensorflow/tfjs and onnxruntime-node. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import tf from '@tensorflow/tfjs';
import { layers, loadModel, openData, saveModel, sequential } from 'lockstep';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { compare, table } from './support/compare.ts';

const folder = mkdtempSync(join(tmpdir(), 'lockstep-interop-'));

async function pixels(split: 'train' | 'test', limit: number): Promise<{ x: Float32Array; y: Int32Array }> {
  const source = await openData({ dataset: 'mnist', split, limit });
  const bytes = new Uint8Array(source.length * 784);
  source.readAll(bytes);
  return { x: Float32Array.from(bytes, (byte) => byte / source.scale), y: source.labels.values as Int32Array };
}

// A model made and trained a little by TensorFlow.js, in the arithmetic of plain JavaScript.
tf.env().set('PROD', true);
await tf.setBackend('cpu');
const small = await pixels('train', 500);
const theirs = tf.sequential({
  layers: [
    tf.layers.dense({ units: 50, activation: 'relu', inputShape: [784], kernelInitializer: tf.initializers.heNormal({ seed: 1 }) }),
    tf.layers.batchNormalization(),
    tf.layers.dense({ units: 10, activation: 'softmax', kernelInitializer: tf.initializers.glorotUniform({ seed: 2 }) }),
  ],
});
theirs.compile({ optimizer: tf.train.sgd(0.1), loss: 'sparseCategoricalCrossentropy' });
await theirs.fit(tf.tensor2d(small.x, [500, 784]), tf.tensor1d(Float32Array.from(small.y)), { epochs: 3, batchSize: 50, shuffle: false, verbose: 0 });
mkdirSync(join(folder, 'theirs'));
await theirs.save({
  save: async ({ modelTopology, weightSpecs, weightData }) => {
    writeFileSync(join(folder, 'theirs/weights.bin'), Buffer.from(weightData as ArrayBuffer));
    writeFileSync(join(folder, 'theirs/model.json'), JSON.stringify({ modelTopology, weightsManifest: [{ paths: ['weights.bin'], weights: weightSpecs }] }));
    return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
  },
});

// Here it trains on, against one that begins anew.
const loaded = await loadModel(join(folder, 'theirs'));
const anew = sequential([
  layers.dense({ units: 50, activation: 'relu', kernelInitializer: 'heNormal', inputShape: [784] }),
  layers.batchNormalization(),
  layers.dense({ units: 10, activation: 'softmax' }),
]);
const test = await pixels('test', 1000);
const ours = (model: typeof loaded): Float32Array => model.predict(test.x).data;
const judgedByTfjs = (model: tf.LayersModel): Float32Array => (model.predict(tf.tensor2d(test.x, [1000, 784])) as tf.Tensor).dataSync() as Float32Array;
const within = (a: Float32Array, b: Float32Array): string => (a.every((value, i) => Math.abs(value - b[i]!) < 1e-5) ? 'yes' : 'NO');
const readHere = within(judgedByTfjs(theirs), ours(loaded));
const all = await pixels('train', 6000);
await compare(
  'on',
  [
    { name: 'from TensorFlow.js', model: loaded },
    { name: 'anew', model: anew },
  ],
  {
    data: { train: { x: all.x, y: all.y, inputShape: [784] }, validation: { x: test.x, y: test.y, inputShape: [784] } },
    loss: 'sparseCategoricalCrossentropy',
    metrics: ['accuracy'],
    optimizer: { type: 'sgd', learningRate: 0.05 },
    batchSize: 100,
    epochs: 2,
    seed: 1,
  },
);

// Back to TensorFlow.js, and to ONNX, whole and folded; each judged by the library whose format it is.
await saveModel(loaded, join(folder, 'web'));
const back = await tf.loadLayersModel(
  tf.io.http('http://model/model.json', {
    fetchFunc: (async (url: string) => new Response(await readFile(join(folder, 'web', basename(new URL(url).pathname))))) as unknown as typeof fetch,
  }),
);
const again = await loadModel(join(folder, 'web'));
async function judgedByOnnx(model: typeof loaded): Promise<Float32Array> {
  const path = join(folder, 'model.onnx');
  await saveModel(model, path);
  const session = await InferenceSession.create(path, { intraOpNumThreads: 1, interOpNumThreads: 1 });
  const { output } = await session.run({ input: new Tensor('float32', test.x, [1000, 784]) });
  return output!.data;
}
table(
  'judged',
  ['file', 'judged by', '1,000 predictions within 1e-5'],
  [
    ['made by TensorFlow.js, read here', '@tensorflow/tfjs', readHere],
    ['written here for TensorFlow.js', '@tensorflow/tfjs', within(judgedByTfjs(back), ours(loaded))],
    ['the same, read again', 'the bits of the weights', again.weightsSha256 === loaded.weightsSha256 ? 'the same' : 'NO'],
    ['ONNX', 'onnxruntime-node', within(await judgedByOnnx(loaded), ours(loaded))],
    ['ONNX, folded first', 'onnxruntime-node', within(await judgedByOnnx(loaded.fold().model), ours(loaded))],
  ],
);
rmSync(folder, { recursive: true });
