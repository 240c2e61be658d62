/** What batch normalisation does, and what its options change: docs/guides/batch-normalization.md walks through it. */
import { type ArrayData, evaluate, type LayerConfigInput, layers, type Model, openData, recalibrate, sequential, type TrainOptions } from 'lockstep';
import { compare, everywhere, run, table } from './support/compare.ts';

const rows = { limit: 6000 };
const judge = { limit: 2000 };
const data = {
  train: { dataset: 'mnist' as const, split: 'train' as const, ...rows },
  validation: { dataset: 'mnist' as const, split: 'test' as const, ...judge },
};
const raw = { train: { ...data.train, scale: 1 }, validation: { ...data.validation, scale: 1 } };

const common: Omit<TrainOptions, 'model'> = {
  data,
  loss: 'sparseCategoricalCrossentropy',
  metrics: ['accuracy'],
  optimizer: { type: 'sgd', learningRate: 0.05, momentum: 0.9 },
  batchSize: 128,
  epochs: 3,
  seed: 1,
};

const flatten = (): LayerConfigInput => layers.flatten({ inputShape: [28, 28] });
const output = (): LayerConfigInput => layers.dense({ units: 10, activation: 'softmax' });
const hidden = (units: number): LayerConfigInput => layers.dense({ units, activation: 'relu', kernelInitializer: 'heNormal' });

// In the place of scaling the inputs.
const plain = (): Model => sequential([flatten(), hidden(100), hidden(50), output()]);
await compare(
  'inputs',
  [
    { name: 'pixels from 0 to 255', model: plain(), data: raw },
    { name: 'pixels from 0 to 1', model: plain() },
    { name: 'normalised by a first layer', model: sequential([flatten(), layers.batchNormalization(), hidden(100), hidden(50), output()]), data: raw },
  ],
  common,
);

// Before or after the activation. What normalises adds a bias of its own, so that of the layer before is of no use.
const linear = (units: number): LayerConfigInput => layers.dense({ units, useBias: false, kernelInitializer: 'heNormal' });
const after = (units: number): LayerConfigInput[] => [hidden(units), layers.batchNormalization()];
const before = (units: number): LayerConfigInput[] => [linear(units), layers.batchNormalization(), layers.activation({ activation: 'relu' })];
await compare(
  'placement',
  [
    { name: 'without', model: plain() },
    { name: 'after the activation', model: sequential([flatten(), ...after(100), ...after(50), output()]) },
    { name: 'before the activation', model: sequential([flatten(), ...before(100), ...before(50), output()]) },
    {
      name: 'before, without gamma and beta',
      model: sequential([
        flatten(),
        linear(100),
        layers.batchNormalization({ center: false, scale: false }),
        layers.activation({ activation: 'relu' }),
        hidden(50),
        output(),
      ]),
    },
  ],
  common,
);

// Which numbers share statistics.
const image = (axis: number | readonly number[]): Model =>
  sequential([layers.batchNormalization({ axis: axis as number, inputShape: [28, 28] }), layers.flatten(), hidden(100), output()]);
const axes = [
  { name: 'axis -1: each column of the picture', model: image(-1) },
  { name: 'axis 1: each row', model: image(1) },
  { name: 'axis [1, 2]: each pixel', model: image([1, 2]) },
];
for (const { name, model } of axes) await run('axes', { name, model }, { ...common, epochs: 1 });
table(
  'axes',
  ['', 'numbers of the first layer', 'moving means'],
  axes.map(({ name, model }) => [
    name,
    String(model.layers[0]!.getWeights().reduce((sum, { data: numbers }) => sum + numbers.length, 0)),
    String(model.layers[0]!.getWeights().find((weight) => weight.name === 'moving_mean')!.data.length),
  ]),
);

// How slowly moving statistics move, and statistics computed anew when training is over.
const moving = (momentum: number): Model =>
  sequential([flatten(), linear(100), layers.batchNormalization({ momentum }), layers.activation({ activation: 'relu' }), output()]);
const momenta: string[][] = [];
for (const momentum of [0.9, 0.99, 0.999]) {
  const model = moving(momentum);
  const { numbers } = await run('momentum', { name: `momentum ${momentum}`, model }, common);
  await recalibrate({ ...everywhere, model, data: data.train, batchSize: 128 });
  const anew = await evaluate({ ...everywhere, model, data: data.validation, loss: common.loss, metrics: common.metrics });
  momenta.push([String(momentum), numbers['val_loss']!.toPrecision(4), anew.loss.toPrecision(4), `${(100 * anew.metrics['accuracy']!).toFixed(2)} %`]);
}
table('momentum', ['momentum', 'val_loss with moving statistics', 'val_loss with statistics computed anew', 'val_accuracy with these'], momenta);

// Statistics of the whole batch, or of each of its shards.
const ghost = (synchronized: boolean): Model =>
  sequential([flatten(), linear(100), layers.batchNormalization({ synchronized }), layers.activation({ activation: 'relu' }), output()]);
await compare(
  'ghost',
  [
    { name: 'of the batch of 64, in 2 shards', model: ghost(true) },
    { name: 'of the batch of 64, in 32 shards', model: ghost(true), shards: 32 },
    { name: 'of each shard of 32 rows', model: ghost(false) },
    { name: 'of each shard of 2 rows', model: ghost(false), shards: 32 },
  ],
  { ...common, batchSize: 64 },
);

// Padding: each picture as a sequence of its rows, with steps of zeros behind it.
async function padded(split: 'train' | 'validation', steps: number): Promise<ArrayData> {
  const source = await openData(data[split]);
  const size = 28 * 28;
  const x = new Uint8Array(source.length * 28 * steps);
  const picture = new Uint8Array(size);
  for (let row = 0; row < source.length; row++) {
    source.readRows(Int32Array.of(row), picture);
    x.set(picture, row * 28 * steps);
  }
  return { x, y: source.labels.values as Int32Array, inputShape: [steps, 28], scale: 255 };
}
const sequences = (steps: number, first: readonly LayerConfigInput[]): Model =>
  sequential([
    ...first,
    layers.batchNormalization({ name: 'norm', momentum: 0.9, ...(first.length === 0 && { inputShape: [steps, 28] }) }),
    layers.flatten(),
    hidden(100),
    output(),
  ]);
const mean = (numbers: Float32Array): string => (numbers.reduce((sum, value) => sum + value, 0) / numbers.length).toFixed(4);
const paddings: string[][] = [];
for (const steps of [28, 112]) {
  const pictures = { train: await padded('train', steps), validation: await padded('validation', steps) };
  for (const masks of [false, true]) {
    const name = `${steps} steps${masks ? ', masked' : ''}`;
    const model = sequences(steps, masks ? [layers.masking({ inputShape: [steps, 28] })] : []);
    await run('masking', { name, model, data: pictures }, { ...common, epochs: 1 });
    const norm = model.layers.find((layer) => layer.name === 'norm')!.getWeights();
    const moving = (kind: string): string => mean(norm.find((weight) => weight.name === kind)!.data);
    paddings.push([name, moving('moving_mean'), moving('moving_variance')]);
  }
}
table('masking', ['', 'moving mean', 'moving variance'], paddings);
