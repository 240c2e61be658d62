import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { readRunConfig } from '../../src/config/file.ts';
import { jsonMistake } from '../../src/config/json.ts';
import { LockstepError } from '../../src/errors.ts';

const folder = mkdtempSync(join(tmpdir(), 'lockstep-config-'));
test.after.always(() => rmSync(folder, { recursive: true }));

function configFile(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const run = {
  model: { layers: [{ type: 'dense', units: 10, inputShape: [784] }] },
  data: {
    train: { format: 'idx', images: 'train-images', labels: '/data/train-labels' },
    validation: { dataset: 'mnist', split: 'test', folder: '../mnist' },
  },
  loss: 'sparseCategoricalCrossentropy',
  optimizer: { type: 'sgd' },
};

test('paths of data are taken from the folder of the config file', (t) => {
  const { train, validation } = readRunConfig(configFile('good.json', `\uFEFF${JSON.stringify(run)}`)).data;
  t.like(train, { images: join(folder, 'train-images'), labels: '/data/train-labels' });
  t.like(validation, { folder: join(folder, '../mnist') });
});

test('a config without validation data has none', (t) => {
  const { data } = readRunConfig(configFile('plain.json', JSON.stringify({ ...run, data: { train: run.data.train } })));
  t.deepEqual(Object.keys(data), ['train']);
});

test('a missing config file is named with its path', (t) => {
  const path = join(folder, 'absent.json');
  const error = t.throws(() => readRunConfig(path), { instanceOf: LockstepError });
  t.is(error.code, 'LOCKSTEP_FILE');
  t.is(error.message, `Expected a config file at \`${path}\`, but there is none; check the path.`);
  t.is(t.throws(() => readRunConfig(folder)).message, `Expected a config file at \`${folder}\`, but it cannot be read (EISDIR); check the path.`);
});

test('a mistake in JSON is told with line and column and what belongs there', (t) => {
  const path = configFile('comma.json', '{\n  "loss": "x",\n}');
  const error = t.throws(() => readRunConfig(path), { instanceOf: LockstepError });
  t.is(error.code, 'LOCKSTEP_CONFIG');
  t.is(
    error.message,
    `Expected the config file \`${path}\` to be JSON, got a mistake at line 3, column 1: a key in double quotes (no comma after the last one) belongs there.`,
  );
});

test('each kind of JSON mistake is found where it is', (t) => {
  const cases: [string, number, string][] = [
    ['', 1, 'a value'],
    ['[1 2]', 4, '`,` or `]`'],
    ['{"a" 1}', 6, '`:`'],
    ['{"a":1 "b":2}', 8, '`,` or `}`'],
    ['{a:1}', 2, 'a key in double quotes or `}`'],
    ['[01]', 2, 'a value or `]`'],
    ['[1,]', 4, 'a value'],
    ['"a\tb"', 1, 'a value'],
    ['{"a":truer}', 6, 'a value'],
    ['{} x', 4, 'the end of the text'],
    ["{'a': 1}", 2, 'a key in double quotes or `}`'],
  ];
  for (const [text, column, expected] of cases) {
    t.throws(() => JSON.parse(text) as unknown);
    t.deepEqual(jsonMistake(text), { line: 1, column, expected }, text);
  }
});

test('JSON that is cut short or has one character changed is refused with a place, or parses', (t) => {
  fc.assert(
    fc.property(fc.json(), fc.nat(), fc.constantFrom('', '{', ']', ',', '"', '-', 'x'), (text, at, change) => {
      const index = at % text.length;
      const broken = change === '' ? text.slice(0, index) : text.slice(0, index) + change + text.slice(index + 1);
      let parses = true;
      try {
        JSON.parse(broken);
      } catch {
        parses = false;
      }
      const { column, line, expected } = jsonMistake(broken);
      const atEnd = expected === 'the end of the text' && column === broken.length + 1;
      return line === 1 && parses === atEnd;
    }),
    { numRuns: 2000 },
  );
  t.pass();
});
