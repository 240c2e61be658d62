/** Layers that learnt one task begin another: docs/guides/pretrained-layers.md walks through it. Needs Fashion-MNIST (Debian: dataset-fashion-mnist). */
import { type ArrayData, datasets, type LayerConfigInput, layers, type Model, openData, sequential, type TrainOptions } from 'lockstep';
import { everywhere, run, table } from './support/compare.ts';

const known = [0, 2, 5, 8, 9]; // T-shirt, pullover, sandal, bag, boot
const wanted = [1, 3, 4, 6, 7]; // trousers, dress, coat, shirt, sneaker

/** The first `limit` rows of some classes, which are counted anew from 0; every row from `from` on. */
async function only(classes: readonly number[], split: 'train' | 'validation', limit: number, from = 0): Promise<ArrayData> {
  const source = await openData(datasets.fashionMnist()[split]);
  const { values } = source.labels as { values: Int32Array };
  const indices = Int32Array.from([...values.keys()].filter((row) => classes.includes(values[row]!)).slice(from, from + limit));
  const x = new Uint8Array(indices.length * 784);
  source.readRows(indices, x);
  return { x, y: Int32Array.from(indices, (row) => classes.indexOf(values[row]!)), inputShape: [28, 28], scale: 255 };
}

const normalised = (units: number): LayerConfigInput[] => [
  layers.dense({ units, useBias: false, kernelInitializer: 'heNormal' }),
  layers.batchNormalization(),
  layers.activation({ activation: 'relu' }),
];
const network = (): Model =>
  sequential([layers.flatten({ inputShape: [28, 28] }), ...normalised(200), ...normalised(100), layers.dense({ units: 5, activation: 'softmax', name: 'head' })]);

const common = {
  loss: 'sparseCategoricalCrossentropy',
  metrics: ['accuracy'],
  optimizer: { type: 'adam', learningRate: 0.001 },
} satisfies Partial<TrainOptions>;

const old = { train: await only(known, 'train', 30_000), validation: await only(known, 'validation', 5000) };
const few = { train: await only(wanted, 'train', 200), validation: await only(wanted, 'validation', 5000) };
const percent = (value: number): string => (100 * value).toFixed(2);

const results: string[][] = [];
const margins: number[] = [];
for (const seed of [1, 2, 3]) {
  const source = network();
  await run('source', { name: `seed ${seed}`, model: source }, { ...common, data: old, batchSize: 128, epochs: 3, seed });

  // Nothing but 200 pictures.
  const settings = { ...common, data: few, batchSize: 20, seed };
  const scratch = await run(`seed-${seed}`, { name: 'from scratch', model: network() }, { ...settings, epochs: 30 });

  // The lower layers of the other model with weights of their own and a new head, which at first learns alone: what it makes of noise would else spoil what lies below.
  const transferred = sequential([
    ...source.layers.slice(0, -1).map((layer) => layer.copy()),
    layers.dense({ units: 5, activation: 'softmax', name: 'new_head', kernelInitializer: 'heNormal' }),
  ]);
  const head = await run(
    `seed-${seed}`,
    { name: 'a new head on frozen layers', model: transferred },
    { ...settings, epochs: 30, freeze: [{ layers: 'dense*' }, { layers: 'batch_normalization*' }] },
  );

  const tuned = sequential([
    ...source.layers.slice(0, -1).map((layer) => layer.copy()),
    layers.dense({ units: 5, activation: 'softmax', name: 'new_head', kernelInitializer: 'heNormal' }),
  ]);
  const whole = await run(
    `seed-${seed}`,
    { name: 'the same, thawed after 10 epochs', model: tuned },
    {
      ...settings,
      epochs: 30,
      freeze: [
        { layers: 'dense*', until: 10 },
        { layers: 'batch_normalization*', until: 10 },
      ],
      optimizer: { type: 'adam', learningRate: 0.001, learningRateFactors: { 'dense*': 0.1, 'batch_normalization*': 0.1 } },
    },
  );
  const accuracies = [scratch, head, whole].map(({ numbers }) => numbers['val_accuracy']!);
  margins.push(accuracies[2]! - accuracies[0]!);
  results.push([String(seed), ...accuracies.map((value) => `${percent(value)} %`), `${percent(margins.at(-1)!)} points`]);
}
table('transfer', ['seed', 'from scratch', 'a new head on frozen layers', 'the same, thawed after 10 epochs', 'margin of the last'], results);
const least = Math.min(...margins);
process.stdout.write(`\ntransfer beats training from scratch by ${percent(least)} points or more, kernels ${everywhere.kernels}\n`);
if (least <= 0) throw new Error(`Expected transfer to beat training from scratch, got a margin of ${percent(least)} points.`);
