/** Room: tests of data. Parquet files, whatever they are packed with. */
import test from 'ava';
import { parseDataConfig } from '../../src/config/parse.ts';
import { openData } from '../../src/data/datasets.ts';
import { rejection, temporaryFolder } from './folder.ts';
import { type Codec, type Column, parquetBytes } from './parquet-file.ts';

const file = temporaryFolder();
const open = (name: string, bytes: Uint8Array, fields: object) => openData(parseDataConfig({ format: 'parquet', file: file(name, bytes), ...fields }));

const columns: Column[] = [
  { name: 'a', type: 'double', values: [0.1, -2.5, 1e20, 4] },
  { name: 'b', type: 'int32', values: [1, 2, -3, 4] },
  { name: 'kind', type: 'text', values: ['red', 'blue', 'red', 'gr\u00fcn'] },
  { name: 'on', type: 'boolean', values: [true, false, false, true] },
  { name: 'y', type: 'int64', values: [0n, 2n, 1n, 2n] },
  { name: 'w', type: 'float', values: [1, 0.5, 0, 2] },
];

for (const codec of ['none', 'snappy', 'gzip', 'zstd'] as const satisfies Codec[]) {
  for (const groupRows of [3, 10]) {
    test(`columns packed with ${codec} in groups of ${groupRows} rows are read`, async (t) => {
      const source = await open(`${codec}-${groupRows}.parquet`, parquetBytes(columns, codec, groupRows), { label: 'y', sampleWeights: 'w' });
      const rows = new Float32Array(4 * 6);
      source.readAll(rows);
      t.deepEqual(
        [...rows],
        [
          [0.1, 1, 0, 0, 1, 1],
          [-2.5, 2, 1, 0, 0, 0],
          [1e20, -3, 0, 0, 1, 0],
          [4, 4, 0, 1, 0, 1],
        ]
          .flat()
          .map(Math.fround),
      );
      t.deepEqual([...source.labels.values], [0, 2, 1, 2]);
      t.deepEqual([...source.weights!], [1, 0.5, 0, 2]);
      t.deepEqual(source.texts!.columns, { kind: ['blue', 'gr\u00fcn', 'red'] });
    });
  }
}

test('limit takes the first rows, across groups', async (t) => {
  const source = await open('limit.parquet', parquetBytes(columns, 'none', 2), { label: 'y', columns: ['b'], limit: 3 });
  const rows = new Float32Array(3);
  source.readAll(rows);
  t.deepEqual([...rows], [1, 2, -3]);
});

test('a null is refused with its row and column', async (t) => {
  const path = 'null.parquet';
  const holes: Column[] = [
    { name: 'x', type: 'double', values: [1, 2, null] },
    { name: 'y', type: 'int32', values: [0, 1, 0] },
  ];
  const message = await rejection('LOCKSTEP_DATA', open(path, parquetBytes(holes, 'none', 2), { label: 'y' }));
  t.regex(message, /^Expected row 3 of `.*null\.parquet` to have a number or a text in column `"x"`, got nothing; mend or leave out the row\.$/);
});

test('a file cut anywhere, or with a changed byte, is refused or read, and nothing else happens', async (t) => {
  const whole = parquetBytes(columns, 'gzip', 2);
  for (let length = 0; length < whole.length; length += 7) {
    t.regex(await rejection('LOCKSTEP_DATA', open('cut.parquet', whole.subarray(0, length), { label: 'y' })), /^Expected/, `${length} bytes`);
  }
  for (let at = 0; at < whole.length; at += 5) {
    const bytes = Buffer.from(whole);
    bytes[at]! ^= 0xff;
    const [result] = await Promise.allSettled([open('changed.parquet', bytes, { label: 'y' })]);
    if (result.status === 'rejected') t.is(result.reason.code, 'LOCKSTEP_DATA', String(result.reason.stack));
    else t.is(result.value.length, 4, `byte ${at}`);
  }
});

test('columns that are not there are refused with those that are', async (t) => {
  const message = await rejection('LOCKSTEP_DATA', open('names.parquet', parquetBytes(columns), { label: 'yy' }));
  t.regex(message, /to have a column `"yy"`, got 6 columns \(a, b, kind, on, y, w\); did you mean `"y"`\?$/);
});
