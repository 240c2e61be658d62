/** Room: tests of data. CSV files: every field as a plain parser reads it, and every mistake told by row and column. */
import test from 'ava';
import fc from 'fast-check';
import { parseDataConfig } from '../../src/config/parse.ts';
import { csvSource } from '../../src/data/csv.ts';
import type { DataSource, Texts } from '../../src/data/source.ts';
import { refusal, temporaryFolder } from './folder.ts';

const file = temporaryFolder();

function open(text: string | Uint8Array, fields: object = { label: 'y' }, texts?: Texts): DataSource {
  const config = parseDataConfig({ format: 'csv', file: file('data.csv', text), ...fields });
  if (!('format' in config && config.format === 'csv')) throw new Error('Expected a CSV config.');
  return csvSource(config, { texts });
}

function rowsOf(source: DataSource): number[][] {
  const values = new Float32Array(source.length * source.inputShape[0]!);
  source.readAll(values);
  return Array.from({ length: source.length }, (_, row) => [...values.subarray(row * source.inputShape[0]!, (row + 1) * source.inputShape[0]!)]);
}

/** The message without the folder of the test. */
const refused = (text: string | Uint8Array, fields?: object, texts?: Texts): string =>
  refusal('LOCKSTEP_DATA', () => open(text, fields, texts)).replace(/`[^`]*data\.csv`/, '`data.csv`');

test('numbers with a header, a class and quotes', (t) => {
  const source = open('a,"b, or ""c""",y\r\n1,-2.5,0\r\n"3","4e2",1\n');
  t.deepEqual(rowsOf(source), [
    [1, -2.5],
    [3, 400],
  ]);
  t.deepEqual(source.labels, { kind: 'class', values: Int32Array.of(0, 1) });
  t.like(source, { length: 2, inputShape: [2], inputType: 'float32', scale: 1 });
});

test('targets, weights, chosen columns, another delimiter, no header, a byte order mark, no last newline', (t) => {
  const source = open('\uFEFF1;2;0.5;3;4\n5;6;0;7;8', { header: false, delimiter: ';', target: [4, 3], sampleWeights: 2, columns: [1, 0] });
  t.deepEqual(rowsOf(source), [
    [2, 1],
    [6, 5],
  ]);
  t.deepEqual(source.labels, { kind: 'target', shape: [2], values: Float32Array.of(4, 3, 8, 7) });
  t.deepEqual(source.weights, Float32Array.of(0.5, 0));
});

test('texts become one column a category, sorted, and a text label classes', (t) => {
  const source = open('size,colour,y\n1,red,dog\n2,blue,cat\n3,red,dog\n', { label: 'y', scale: 2 });
  t.deepEqual(rowsOf(source), [
    [1, 0, 2],
    [2, 2, 0],
    [3, 0, 2],
  ]);
  t.deepEqual([...source.labels.values], [1, 0, 1]);
  t.deepEqual(source.texts, { classes: ['cat', 'dog'], columns: { colour: ['blue', 'red'] } });
});

test('numbers that are names become categories when they are called so', (t) => {
  const source = open('zip,y\n10,0\n9,1\n10,0\n', { label: 'y', categorical: ['zip'] });
  t.deepEqual(source.texts?.columns, { zip: ['10', '9'] });
  t.deepEqual(rowsOf(source), [
    [1, 0],
    [0, 1],
    [1, 0],
  ]);
});

test('other data have the categories and classes of the training data, and no more', (t) => {
  const texts = { classes: ['cat', 'dog', 'eel'], columns: { colour: ['blue', 'green', 'red'] } };
  const source = open('colour,y\nred,eel\nblue,cat\n', { label: 'y' }, texts);
  t.deepEqual(rowsOf(source), [
    [0, 0, 1],
    [1, 0, 0],
  ]);
  t.deepEqual([...source.labels.values], [2, 0]);
  t.is(
    refused('colour,y\nred,eel\npink,cat\n', { label: 'y' }, texts),
    'Expected row 3 of `data.csv` to have a text that the training data have (blue, green, red) in column `"colour"`, got `"pink"`; mend or leave out the row, or add such rows to the training data.',
  );
  t.is(
    refused('colour,y\nred,1\n', { label: 'y' }, { columns: {} }),
    'Expected row 2 of `data.csv` to have a number in column `"colour"`, got `"red"`; mend or leave out the row.',
  );
});

const mistakes: [name: string, text: string, fields: object, message: string][] = [
  ['a text among numbers', 'a,y\n1,0\nabc,1\n', {}, 'Expected row 3 of `data.csv` to have a number in column `"a"`, got `"abc"`; mend or leave out the row.'],
  ['a missing value', 'a,y\n1,0\n,1\n', {}, 'Expected row 3 of `data.csv` to have a number in column `"a"`, got nothing (`""`); mend or leave out the row.'],
  ['NaN', 'a,y\n1,0\n\nNaN,1\n', {}, 'Expected row 4 of `data.csv` to have a number in column `"a"`, got nothing (`"NaN"`); mend or leave out the row.'],
  [
    'a number that float32 has not',
    'a,y\n1e39,0\n',
    {},
    'Expected row 2 of `data.csv` to have a finite number in float32 in column `"a"`, got `1e+39`; mend or leave out the row.',
  ],
  [
    'a class that is no integer',
    'a,y\n1,0.5\n',
    {},
    'Expected row 2 of `data.csv` to have a class, an integer from 0, in column `"y"`, got `0.5`; mend the row, or name the column as `target` if it holds values to predict.',
  ],
  ['too few fields', 'a,b,y\n1,2,0\n1,2\n', {}, 'Expected `data.csv` to have 3 fields in row 3, as in its first, got 2; mend the row, or check the `delimiter`.'],
  ['too many fields', 'a,y\n1,2\n1,2,3\n', {}, 'Expected `data.csv` to have 2 fields in row 3, as in its first, got more; mend the row, or check the `delimiter`.'],
  ['an open quote', 'a,y\n1,0\n"1,0\n', {}, 'Expected `data.csv` to have a field 1 in row 3 that has a closing quote, got the end of the file; close it.'],
  [
    'text after a quote',
    'a,y\n"1"x,0\n',
    {},
    'Expected `data.csv` to have a field 1 in row 2 that ends at its closing quote, got `"x"`; write a quote inside of it twice.',
  ],
  ['no rows', 'a,y\n', {}, 'Expected `data.csv` to hold at least one row, got none; give it data.'],
  ['nothing', '', {}, 'Expected `data.csv` to hold at least one row, got an empty file; give it data.'],
  ['a column that is not there', 'a,y\n1,0\n', { label: 'class' }, 'Expected `data.csv` to have a column `"class"`, got 2 columns (a, y); check its header.'],
  [
    'a column with two parts',
    'a,y\n1,0\n',
    { columns: ['a', 'y'] },
    'Expected `data.csv` to give each column one part, got the column `"y"` twice; take it out of one of `columns`, `label`, `target` and `sampleWeights`.',
  ],
  ['a name that comes twice', 'a,a,y\n1,2,0\n', {}, 'Expected `data.csv` to name each column differently, got `"a"` twice; rename one.'],
  [
    'a negative weight',
    'a,w,y\n1,-1,0\n',
    { sampleWeights: 'w' },
    'Expected row 2 of `data.csv` to have a weight, a finite number >= 0, in column `"w"`, got `-1`; mend or leave out the row.',
  ],
  ['limit', 'a,y\n1,0\n', { limit: 2 }, 'Expected `limit` to be at most 1, the rows of `data.csv`, got `2`; lower it or leave it out.'],
];
for (const [name, text, fields, message] of mistakes) {
  test(`${name}: refused`, (t) => t.is(refused(text, { label: 'y', ...fields }), message));
}

test('more categories than there may be are refused', (t) => {
  const rows = Array.from({ length: 1001 }, (_, row) => `n${row},0\n`).join('');
  t.regex(refused(`a,y\n${rows}`), /^Expected row 1002 of `data\.csv` to have one of at most 1000 different texts in column `"a"`, got another, `"n1000"`;/);
});

test('rows across the pieces that are read are whole', (t) => {
  const text = `a,name,y\n${Array.from({ length: 400_000 }, (_, row) => `${row}.25,"colour ""${row % 7}""\nof many",${row % 3}\n`).join('')}`;
  t.true(text.length > 8 * 2 ** 20);
  const source = open(text);
  const rows = new Float32Array(source.length * 8);
  source.readAll(rows);
  t.is(source.length, 400_000);
  t.is(source.texts!.columns['name']!.length, 7);
  const wrong = Array.from({ length: 400_000 }, (_, row) => row).filter(
    (row) => rows[row * 8] !== Math.fround(row + 0.25) || rows[row * 8 + 1 + (row % 7)] !== 1 || source.labels.values[row] !== row % 3,
  );
  t.deepEqual(wrong, []);
});

/** Fields as RFC 4180 has them, by the plainest way: one character after the other. */
function plainParser(text: string, delimiter: string): string[][] {
  const rows: string[][] = [[]];
  let field = '';
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (quoted && c === '"' && text[i + 1] === '"') field += text[i++];
    else if (c === '"') quoted = !quoted;
    else if (!quoted && (c === delimiter || c === '\n')) {
      rows.at(-1)!.push(c === '\n' ? field.replace(/\r$/, '') : field);
      field = '';
      if (c === '\n') rows.push([]);
    } else field += c;
  }
  return rows.slice(0, -1);
}

test('fields of any content are those of a plain parser', (t) => {
  const number = fc.oneof(
    fc.double({ noNaN: true, min: -1e30, max: 1e30 }).map(String),
    fc.integer().map(String),
    fc.constantFrom('0.1', ' 5', '5 ', '+3', '1e2', '00012', '-0'),
  );
  const word = fc.string({ unit: fc.constantFrom('a', 'b', '"', ',', ';', '\n', '\u00e9', ' ', '1'), minLength: 1, maxLength: 6 }).map((text) => `x${text}`);
  const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
  const cell = (value: fc.Arbitrary<string>, always: boolean) => fc.tuple(value, fc.boolean()).map(([text, quote]) => (quote || always ? quoted(text) : text));
  const row = fc.tuple(cell(number, false), cell(word, true), cell(number, false), fc.nat(5).map(String));
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 30 }), fc.constantFrom(',', ';', '\t'), fc.constantFrom('\n', '\r\n'), (rows, delimiter, newline) => {
      const text = [['n', 'word', 'm', 'y'], ...rows].map((fields) => fields.join(delimiter) + newline).join('');
      const source = open(text, { label: 'y', delimiter });
      const expected = plainParser(text, delimiter).slice(1);
      const words = [...new Set(expected.map((fields) => fields[1]!))].toSorted((a, b) => (a < b ? -1 : 1));
      t.deepEqual(source.texts!.columns['word'], words);
      t.deepEqual(
        rowsOf(source),
        expected.map(([n, word, m]) => [Math.fround(Number(n)), ...words.map((other) => (other === word ? 1 : 0)), Math.fround(Number(m))]),
      );
      t.deepEqual(
        [...source.labels.values],
        expected.map((fields) => Number(fields[3])),
      );
    }),
    { numRuns: 80 },
  );
});

test('bytes of any kind are read or refused, and nothing else happens', (t) => {
  const noise = fc.string({ unit: fc.constantFrom('a', 'y', ',', '"', '\n', '\r', '1', '.', '\0', '\u00e9'), maxLength: 60 });
  let read = 0;
  fc.assert(
    fc.property(noise, (text) => {
      try {
        read += open(`a,y\n${text}`).length;
      } catch (error) {
        if ((error as { code?: string }).code !== 'LOCKSTEP_DATA') throw error;
      }
    }),
    { numRuns: 400 },
  );
  t.true(read > 0);
});

test('more numbers than an arena holds are refused before they are made', (t) => {
  // 900 columns of 500 categories each in 2,499 rows are 4.19 GiB of float32.
  const row = (index: number): string => `${`t${index % 500},`.repeat(900)}0\n`;
  const rows = Array.from({ length: 500 }, (_, index) => row(index)).join('');
  const names = `${Array.from({ length: 900 }, (_, index) => `c${index},`).join('')}y\n`;
  t.is(
    refusal('LOCKSTEP_MEMORY', () => open(names + rows.repeat(5).slice(0, -row(499).length))).replace(/`[^`]*data\.csv`/, '`data.csv`'),
    "Expected the rows of `data.csv` to fit the 4.00 GiB of a host's arena, got at least 4.19 GiB; set `limit` or `streaming: true` on the data, or take fewer columns or smaller pictures.",
  );
});
