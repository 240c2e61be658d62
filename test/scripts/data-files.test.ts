/** Room: tests of scripts. A run over a table by the command line: trained, judged and summed up with one config. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { RunEvent } from '../../src/telemetry/events.ts';
import { lockstep } from './command.ts';

const folder = mkdtempSync(join(tmpdir(), 'lockstep-files-'));
test.after.always(() => rmSync(folder, { recursive: true }));
const path = (name: string): string => join(folder, name);

const colours = ['red', 'green', 'blue'];
const rows = Array.from({ length: 60 }, (_, row) => `${((row * 37) % 101) - 0.5},${colours[(row * 7) % 3]},${row % 2 === 0 ? 'cat' : 'dog'}\n`);
writeFileSync(path('rows.csv'), `a,colour,kind\n${rows.join('')}`);
const config = {
  model: { layers: [{ type: 'dense', units: 2, activation: 'softmax' }] },
  data: { train: { format: 'csv', file: 'rows.csv', label: 'kind', normalize: 'standard' } },
  validationSplit: 0.25,
  stratify: true,
  loss: 'sparseCategoricalCrossentropy',
  metrics: ['accuracy'],
  optimizer: { type: 'adam' },
  batchSize: 8,
  epochs: 2,
  shards: 2,
  kernels: 'wasm',
};
writeFileSync(path('run.json'), JSON.stringify(config));

test('an evaluation judges by the rows that the training kept for it', async (t) => {
  const trained = await lockstep('train', path('run.json'), '--workers', '1', '--save', path('w.safetensors'), '--log', path('log.jsonl'), '--metrics', 'off');
  t.is(trained.code, 0, trained.stderr);
  t.regex(
    trained.stdout,
    /2 classes: cat, dog\ncolumns of texts became one column a category: colour \(3\)\nnormalized 4 features to mean 0 and standard deviation 1 by the training rows\n/,
  );
  const events = readFileSync(path('log.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as RunEvent);
  const last = events.findLast((event) => event.event === 'epoch');
  const judged = await lockstep('evaluate', path('run.json'), '--weights', path('w.safetensors'), '--workers', '1', '--json');
  t.is(judged.code, 0, judged.stderr);
  const result = JSON.parse(judged.stdout);
  t.is(result.samples, 16);
  t.is(result.loss, last?.validation?.loss);
});

test('a summary tells the memory of the rows as they are after all of it', async (t) => {
  const summary = await lockstep('summary', path('run.json'), '--memory', '--workers', '1');
  t.is(summary.code, 0, summary.stderr);
  t.regex(summary.stdout, / {2}data\s+1,\d{3} bytes/);
});

test('a mistake in a row ends the command with its row and column', async (t) => {
  writeFileSync(path('bad.csv'), `a,colour,kind\n${rows[0]}x,red,cat\n`);
  writeFileSync(path('bad.json'), JSON.stringify({ ...config, data: { train: { ...config.data.train, file: 'bad.csv' } } }));
  const { code, stderr } = await lockstep('train', path('bad.json'), '--metrics', 'off');
  t.is(code, 2);
  t.is(stderr, `lockstep: Expected row 3 of \`${path('bad.csv')}\` to have a number in column \`"a"\`, got \`"x"\`; mend or leave out the row.\n`);
});
