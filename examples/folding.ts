/** Batch normalisations become part of the dense layers beside them: docs/guides/folding.md walks through it. */
import { layers, openData, sequential } from 'lockstep';
import { run, table } from './support/compare.ts';

const hidden = (units: number) => layers.dense({ units, kernelInitializer: 'heNormal', useBias: false });
const relu = () => layers.activation({ activation: 'relu' });
const model = sequential([
  layers.flatten({ inputShape: [28, 28] }),
  layers.batchNormalization({ name: 'inputs' }),
  hidden(200),
  layers.batchNormalization({ name: 'before_relu' }),
  relu(),
  hidden(100),
  relu(),
  layers.batchNormalization({ name: 'after_relu' }),
  layers.dropout({ rate: 0.2 }),
  layers.dense({ units: 10, activation: 'softmax' }),
]);
const judge = { dataset: 'mnist', split: 'test', limit: 1000 } as const;
await run(
  'training',
  { name: 'the model', model },
  {
    data: { train: { dataset: 'mnist', split: 'train', limit: 20_000 }, validation: judge },
    loss: 'sparseCategoricalCrossentropy',
    metrics: ['accuracy'],
    optimizer: { type: 'sgd', learningRate: 0.05, momentum: 0.9 },
    batchSize: 128,
    epochs: 2,
    seed: 1,
  },
);

const { model: folded, folded: done, kept } = model.fold();
table(
  'report',
  ['layer', 'what became of it'],
  [...done.map(({ layer, into }) => [layer, `folded into ${into}`]), ...kept.map(({ layer, reason }) => [layer, `kept: ${reason}`])],
);

const source = await openData(judge);
const bytes = new Uint8Array(source.length * 784);
source.readAll(bytes);
const rows = Float32Array.from(bytes, (byte) => byte / source.scale);
const [before, after] = [model.predict(rows), folded.predict(rows)];
const farthest = before.data.reduce((most, value, i) => Math.max(most, Math.abs(value - after.data[i]!)), 0);
const classes = after.argMax();
const same = before.argMax().filter((value, i) => value === classes[i]).length;
table(
  'agreement',
  ['pictures', 'largest difference of a probability', 'within 1e-5', 'same class', 'numbers before', 'numbers after'],
  [[source.length, farthest.toExponential(1), farthest <= 1e-5 ? 'yes' : 'NO', same, model.countParams().total, folded.countParams().total].map(String)],
);

/** In turns, so that what else the machine does befalls both. */
const seconds: [number[], number[]] = [[], []];
for (let round = 0; round < 41; round++) {
  for (const [i, each] of [model, folded].entries()) {
    const began = performance.now();
    each.predict(rows);
    if (round > 0) seconds[i]!.push((performance.now() - began) / 1000);
  }
}
const [slow, quick] = seconds.map((all) => all.toSorted((a, b) => a - b)[all.length >>> 1]!) as [number, number];
const each = (value: number): string => `${((1e6 * value) / source.length).toFixed(2)} us`;
table('speed', ['a row before', 'a row after', 'times as fast'], [[each(slow), each(quick), (slow / quick).toFixed(2)]]);
