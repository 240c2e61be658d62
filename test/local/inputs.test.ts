/** Room: tests of local. A run over a file: what is read, split and normalized is what arrays of the same numbers give. */
import test from 'ava';
import { layers } from '../../src/layers/factories.ts';
import { evaluate } from '../../src/local/evaluate.ts';
import { openJudge } from '../../src/local/inputs.ts';
import { type TrainOptions, train } from '../../src/local/train.ts';
import { sequential } from '../../src/model/model.ts';
import { temporaryFolder } from '../data/folder.ts';

const file = temporaryFolder();
const colours = ['red', 'green', 'blue'];
const table = Array.from({ length: 50 }, (_, row) => ({ a: ((row * 37) % 101) - 0.5, colour: (row * 7) % 3, kind: (row * 5) % 2 }));
const csv = file('rows.csv', `a,colour,kind\n${table.map(({ a, colour, kind }) => `${a},${colours[colour]},${kind === 0 ? 'cat' : 'dog'}\n`).join('')}`);
const few = file('few.csv', 'a,colour,kind\n1,green,dog\n2,green,dog\n');

const settings = { loss: 'sparseCategoricalCrossentropy', optimizer: { type: 'sgd' }, batchSize: 8, epochs: 2, shards: 2, workers: 1, kernels: 'wasm' } as const;

async function run(data: TrainOptions['data'], more: Partial<TrainOptions> = {}) {
  const news: string[] = [];
  const model = sequential([layers.dense({ units: 2, activation: 'softmax' })]);
  const result = await train({ model, data, ...settings, ...more, onNews: (sentence) => news.push(sentence) });
  return { ...result, news };
}

test('a file trains as arrays of its numbers do, and tells what it learnt', async (t) => {
  const fromFile = await run({ train: { format: 'csv', file: csv, label: 'kind', normalize: 'standard' } }, { validationSplit: 0.2 });
  // Sorted: blue, green, red.
  const rows = table.map(({ a, colour }) => [a, ...[2, 1, 0].map((other) => (other === colour ? 1 : 0))]);
  const first = rows.slice(0, 40);
  const normal = [0, 1, 2, 3].map((column) => {
    const mean = first.reduce((sum, row) => sum + Math.fround(row[column]!), 0) / 40;
    return { mean, deviation: Math.sqrt(first.reduce((sum, row) => sum + (row[column]! - mean) * (row[column]! - mean), 0) / 40) };
  });
  const set = (from: number, to: number) => ({
    x: rows.slice(from, to).map((row) => row.map((value, column) => (value - normal[column]!.mean) / normal[column]!.deviation)),
    y: table.slice(from, to).map(({ kind }) => kind),
  });
  const fromArrays = await run({ train: set(0, 40), validation: set(40, 50) });
  t.is(fromFile.weightsSha256, fromArrays.weightsSha256);
  t.deepEqual(fromFile.history, fromArrays.history);
  t.deepEqual(fromFile.texts, { classes: ['cat', 'dog'], columns: { colour: ['blue', 'green', 'red'] } });
  t.deepEqual(
    [...fromFile.normalization!.offset],
    normal.map(({ mean }) => mean),
  );
  t.deepEqual(fromFile.news, [
    '2 classes: cat, dog',
    'columns of texts became one column a category: colour (3)',
    'normalized 4 features to mean 0 and standard deviation 1 by the training rows',
  ]);
  t.false('texts' in fromArrays);
});

test('validation data get what the training data taught, in an evaluation too', async (t) => {
  const data = { train: { format: 'csv', file: csv, label: 'kind', normalize: 'minMax' }, validation: { format: 'csv', file: few, label: 'kind' } } as const;
  const judge = await openJudge(data, { seed: 0 });
  const rows = new Float32Array(8);
  judge.readAll(rows);
  const [low, high] = [Math.min(...table.map(({ a }) => a)), Math.max(...table.map(({ a }) => a))];
  t.deepEqual([...rows], [(1 - low) / (high - low), 0, 1, 0, (2 - low) / (high - low), 0, 1, 0].map(Math.fround));
  t.deepEqual([...judge.labels.values], [1, 1]);
  const split = await openJudge({ train: data.train }, { seed: 0, validationSplit: 0.1 });
  t.is(split.length, 5);
  t.is((await openJudge({ train: data.train }, { seed: 0 })).length, 50);
});

test('a judge of files that need nothing of the training data is opened without them', async (t) => {
  const judge = await openJudge({ train: { format: 'npz', file: '/nowhere' }, validation: { x: [[1]], y: [0] } }, { seed: 0 });
  t.is(judge.length, 1);
});

test('evaluate() does to rows what the run did, and refuses to guess it', async (t) => {
  const validation = { format: 'csv', file: few, label: 'kind' } as const;
  const trained = await run({ train: { format: 'csv', file: csv, label: 'kind', normalize: 'standard' }, validation });
  const { loss } = settings;
  const judged = await evaluate({ model: trained.model, data: validation, learnt: trained, loss, batchSize: 8, shards: 2, workers: 1, kernels: 'wasm' });
  t.is(judged.loss, trained.history['val_loss']!.at(-1)!);
  const error = await t.throwsAsync(evaluate({ model: trained.model, data: { ...validation, normalize: 'standard' }, loss }), { code: 'LOCKSTEP_USAGE' });
  t.regex(error.message, /^Expected `learnt` beside data with `normalize`, got nothing; give what `train\(\)` returned/);
  await t.throwsAsync(evaluate({ model: trained.model, data: validation, learnt: 5 as never, loss }), {
    code: 'LOCKSTEP_USAGE',
    message: /^Expected `options\.learnt` to be what/,
  });
});
