/**
 * Room: tests of scripts. `lockstep init`: what it writes for data of each kind trains as it stands; `lockstep schema`.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'ava';
import { z } from 'zod';
import { temporaryFolder } from '../../data/folder.ts';
import { parquetBytes } from '../../data/parquet-file.ts';
import { numbers } from '../../toy.ts';
import { lockstep, packageRoot, pictures, writeRun } from '../command.ts';

const file = temporaryFolder();
const folder = dirname(writeRun(file));
const at = (name: string): string => join(folder, name);
const read = (name: string): Record<string, unknown> => JSON.parse(readFileSync(at(name), 'utf8')) as Record<string, unknown>;

/** Rows of two numbers; the kind is which is larger, the sum their target. */
const rows = Array.from({ length: 60 }, (_, row) => {
  const [a, b] = numbers(2, row) as unknown as [number, number];
  return { id: row, a, b, kind: a > b ? 'left' : 'right', sum: a + b };
});

async function trains(name: string): Promise<void> {
  const { code, stderr } = await lockstep('train', at(name), '--steps', '3', '--quiet');
  if (code !== 0) throw new Error(stderr);
}

test('a CSV file with texts to predict gives classes, inputs without the number of the row, and a config that trains', async (t) => {
  file('kinds.csv', ['id;a;b;kind', ...rows.map(({ id, a, b, kind }) => `${id};${a};${b};${kind}`)].join('\n'));
  const { code, stdout, stderr } = await lockstep('init', at('kinds.csv'), '--out', at('kinds.json'));
  t.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  t.true(stdout.startsWith(`${at('kinds.csv')}: 60 rows of [2], 2 classes\n- the first row names the columns\n`));
  t.true(stdout.endsWith(`wrote ${at('kinds.json')}; train it with: lockstep train ${at('kinds.json')}\n`));
  const written = read('kinds.json');
  t.deepEqual(written['data'], { train: { format: 'csv', file: 'kinds.csv', delimiter: ';', label: 'kind', columns: ['a', 'b'], normalize: 'standard' } });
  t.like(written, { loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'], validationSplit: 0.2, stratify: true, batchSize: 32 });
  await trains('kinds.json');
});

test('a column of numbers is a target; one can be asked for, and a mistyped one is refused', async (t) => {
  file('sums.csv', rows.map(({ a, b, sum }) => [a, sum, b].join(',')).join('\n'));
  t.is((await lockstep('init', at('sums.csv'), '--predict', '1', '--out', at('sums.json'))).code, 0);
  t.deepEqual(read('sums.json')['data'], { train: { format: 'csv', file: 'sums.csv', header: false, target: 1, normalize: 'standard' } });
  t.like(read('sums.json'), { loss: 'meanSquaredError', metrics: [] });
  await trains('sums.json');
  const { code, stderr } = await lockstep('init', at('kinds-2.csv'));
  t.deepEqual({ code, stderr }, { code: 2, stderr: `lockstep: Expected data at \`${at('kinds-2.csv')}\`, but there is none; give a file, a folder, or mnist.\n` });
  const mistyped = await lockstep('init', at('sums.csv'), '--predict', 'kinds', '--out', at('never.json'));
  t.is(mistyped.code, 2);
  t.regex(mistyped.stderr, /to have a column `"kinds"`, got 0, 1, 2; check its header\.\n$/);
});

test('JSON lines and Parquet files', async (t) => {
  file('rows.jsonl', rows.map(({ a, b, kind }) => JSON.stringify({ pixels: [[a], [b]], kind })).join('\n'));
  t.is((await lockstep('init', at('rows.jsonl'), '--out', at('jsonl.json'))).code, 0);
  t.deepEqual(read('jsonl.json')['data'], { train: { format: 'jsonl', file: 'rows.jsonl', inputs: 'pixels', label: 'kind', normalize: 'standard' } });
  await trains('jsonl.json');
  const columns = (['a', 'b', 'sum'] as const).map((name) => ({ name, type: 'double' as const, values: rows.map((row) => row[name]) }));
  file('rows.parquet', parquetBytes(columns));
  t.is((await lockstep('init', at('rows.parquet'), '--out', at('parquet.json'))).code, 0);
  t.deepEqual(read('parquet.json')['data'], { train: { format: 'parquet', file: 'rows.parquet', target: 'sum', normalize: 'standard' } });
  await trains('parquet.json');
});

test('IDX images with their labels, alone and as a folder with test files, give a config that trains', async (t) => {
  for (const [path, validation] of [
    [at('train-images'), undefined],
    [folder, { format: 'idx', images: 'test-images', labels: 'test-labels', scale: 255 }],
  ] as const) {
    const name = validation ? 'folder.json' : 'idx.json';
    const { code, stdout, stderr } = await lockstep('init', path, '--out', at(name));
    t.deepEqual({ code, stderr }, { code: 0, stderr: '' });
    t.true(stdout.startsWith(`${path}: 200 rows of [4, 4], 3 classes\n`), stdout);
    t.deepEqual(read(name)['data'], { train: { format: 'idx', images: 'train-images', labels: 'train-labels', scale: 255 }, ...(validation && { validation }) });
    await trains(name);
  }
});

test('nothing is written over, and what is no data is refused', async (t) => {
  const kept = file('kept.json', 'precious');
  const { code, stderr } = await lockstep('init', at('train-images'), '--out', kept);
  t.deepEqual({ code, stderr }, { code: 2, stderr: `lockstep: Expected no file at \`${kept}\`, got one that is there; name another with --out, or delete it.\n` });
  t.is(readFileSync(kept, 'utf8'), 'precious');
  file('lonely-images', pictures(5, 1).images);
  t.regex((await lockstep('init', at('lonely-images'))).stderr, /got an IDX file without its labels \(`.*lonely-labels`\); write its config by hand/);
  t.regex((await lockstep('init', kept)).stderr, /to be a CSV, Parquet, JSON lines or npz file, IDX images beside their labels, .* got another;/);
});

test('the schema that is printed takes every example and refuses a key that no run has', async (t) => {
  const { code, stdout, stderr } = await lockstep('schema');
  t.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  const text = JSON.parse(stdout) as Record<string, unknown>;
  t.like(text, { $schema: 'https://json-schema.org/draft/2020-12/schema', title: 'The config of a Lockstep run' });
  const schema = z.fromJSONSchema(text);
  for (const name of ['mnist-bn.json', 'fashion-mnist-bn.json']) {
    const example = JSON.parse(readFileSync(join(packageRoot, 'examples', name), 'utf8')) as object;
    t.true(schema.safeParse({ $schema: './lockstep.schema.json', ...example }).success, name);
    t.false(schema.safeParse({ ...example, batchsize: 3 }).success);
    t.false(schema.safeParse({ ...example, loss: 'meansquarederror' }).success);
  }
});
