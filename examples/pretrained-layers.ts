/** Layers that learnt one task begin another: docs/guides/pretrained-layers.md walks through it. Needs Fashion-MNIST (Debian: dataset-fashion-mnist). */
import { type ArrayData, datasets, type LayerConfigInput, layers, type Model, openData, sequential, type TrainOptions } from 'lockstep';
import { run, table } from './support/compare.ts';

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

const old = { train: await only(known, 'train', 30_000), validation: await only(known, 'validation', 5000) };
const few = { train: await only(wanted, 'train', 200), validation: await only(wanted, 'validation', 5000) };
const percent = (value: number): string => (100 * value).toFixed(2);

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
  const long = await Promise.all(
    [network(), reused(source)].map((model, i) => run(`long-${seed}`, { name: ['from scratch', 'all layers learn'][i]!, model }, { ...settings, epochs: 40 })),
  );
  const accuracies = [scratch, frozen, thawed, free].map(({ numbers }) => numbers['val_accuracy']!);
  margins.push(accuracies[3]! - accuracies[0]!);
  const later = long.map(({ numbers }) => numbers['val_accuracy']!) as [number, number];
  results.push([String(seed), ...accuracies.map((value) => `${percent(value)} %`), `${percent(margins.at(-1)!)} points`, `${percent(later[1] - later[0])} points`]);
}
table('transfer', ['seed', 'from scratch', 'new head on frozen layers', 'thawed after two epochs', 'all layers learn', 'margin', 'after 40 epochs'], results);
const least = Math.min(...margins);
process.stdout.write(`\ntransfer beats training from scratch by ${percent(least)} points or more\n`);
if (least <= 0) throw new Error(`Expected transfer to beat training from scratch, got a margin of ${percent(least)} points.`);
