/** Layers that learnt one task begin another: docs/guides/pretrained-layers.md walks through it. Needs Fashion-MNIST (Debian: dataset-fashion-mnist). */
import { type ArrayData, datasets, type LayerConfigInput, layers, type Model, openData, sequential, type TrainOptions } from 'lockstep';
import { compare, run, table } from './support/compare.ts';

const known = [3, 4, 6, 7, 8]; // dress, coat, shirt, sneaker, bag
const wanted = [0, 1, 2, 5, 9]; // T-shirt, trousers, pullover, sandal, boot

/** The first `limit` rows of some classes, which are counted anew from 0. */
async function only(classes: readonly number[], split: 'train' | 'validation', limit: number): Promise<ArrayData> {
  const source = await openData(datasets.fashionMnist()[split]);
  const { values } = source.labels as { values: Int32Array };
  const indices = Int32Array.from([...values.keys()].filter((row) => classes.includes(values[row]!)).slice(0, limit));
  const x = new Uint8Array(indices.length * 784);
  source.readRows(indices, x);
  return { x, y: Int32Array.from(indices, (row) => classes.indexOf(values[row]!)), inputShape: [28, 28], scale: 255 };
}

const hidden = (units: number, name: string): LayerConfigInput => layers.dense({ units, name, activation: 'relu', kernelInitializer: 'heNormal' });
const head = (name: string): LayerConfigInput => layers.dense({ units: 5, name, activation: 'softmax' });
const network = (): Model =>
  sequential([layers.flatten({ inputShape: [28, 28] }), layers.batchNormalization({ name: 'inputs' }), hidden(200, 'first'), hidden(100, 'second'), head('head')]);
/** The layers of a trained model with weights of their own, all but its head, below a new one. */
const reused = (source: Model): Model => sequential([...source.layers.slice(0, -1).map((layer) => layer.copy()), head('new_head')]);

const common = {
  loss: 'sparseCategoricalCrossentropy',
  metrics: ['accuracy'],
  optimizer: { type: 'adam', learningRate: 0.001 },
} satisfies Partial<TrainOptions>;

const old = { train: await only(known, 'train', 30_000), validation: await only(known, 'validation', 2000) };
const few = { train: await only(wanted, 'train', 200), validation: await only(wanted, 'validation', 2000) };
const percent = (value: number): string => (100 * value).toFixed(2);

let last: Model | undefined;
const results: string[][] = [];
const margins: number[] = [];
for (const seed of [1, 2, 3]) {
  const source = network();
  await run('source', { name: `seed ${seed}`, model: source }, { ...common, data: old, batchSize: 128, epochs: 4, seed });

  // From here on nothing but 200 pictures, ten steps an epoch.
  const settings = { ...common, data: few, batchSize: 20, epochs: 8, seed };
  const section = `seed-${seed}`;
  const scratch = await run(section, { name: 'from scratch', model: network() }, settings);
  const frozen = await run(
    section,
    { name: 'a new head on frozen layers', model: reused(source) },
    { ...settings, freeze: ['inputs', 'first', 'second'].map((name) => ({ layers: name })) },
  );
  const thawed = await run(
    section,
    { name: 'thawed after two epochs', model: reused(source) },
    { ...settings, freeze: ['inputs', 'first', 'second'].map((name) => ({ layers: name, until: 2 })) },
  );
  const free = await run(section, { name: 'all layers learn', model: reused(source) }, settings);
  const accuracies = [scratch, frozen, thawed, free].map(({ numbers }) => numbers['val_accuracy']!);
  last = source;
  margins.push(accuracies[3]! - accuracies[0]!);
  results.push([String(seed), ...accuracies.map((value) => `${percent(value)} %`), `${percent(margins.at(-1)!)} points`]);
}
table('transfer', ['seed', 'from scratch', 'new head on frozen layers', 'thawed after two epochs', 'all layers learn', 'margin'], results);
const least = Math.min(...margins);
process.stdout.write(`\ntransfer beats training from scratch by ${percent(least)} points or more\n`);
if (least <= 0) throw new Error(`Expected transfer to beat training from scratch, got a margin of ${percent(least)} points.`);

// Longer, the beginning matters less.
const long = { ...common, data: few, batchSize: 20, epochs: 40, seed: 3 };
await compare(
  'long',
  [
    { name: 'from scratch', model: network() },
    { name: 'all layers learn', model: reused(last!) },
  ],
  long,
);

// Pictures of another size than the lower layers know: every other pixel of every other row, made large again by a layer that has no weights.
const small = ({ x, ...others }: ArrayData): ArrayData => ({
  ...others,
  x: (x as Uint8Array).filter((_, i) => i % 2 === 0 && Math.floor((i % 784) / 28) % 2 === 0),
  inputShape: [14, 14],
});
const [flatten, ...above] = last!.layers.slice(0, -1).map((layer) => layer.copy());
await compare(
  'resized',
  [
    {
      name: 'from scratch, 14 x 14',
      model: sequential([layers.flatten({ inputShape: [14, 14] }), layers.batchNormalization(), hidden(200, 'first'), hidden(100, 'second'), head('head')]),
    },
    {
      name: 'resized to 28 x 28, all layers learn',
      model: sequential([layers.resizing({ height: 28, width: 28, inputShape: [14, 14] }), flatten!, ...above, head('new_head')]),
    },
  ],
  { ...common, data: { train: small(few.train), validation: small(few.validation) }, batchSize: 20, epochs: 8, seed: 3 },
);
