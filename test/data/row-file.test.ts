/**
 * Room: tests of data. Rows that stay in a file: whichever are asked for, in whatever order and type, they are those that memory would
 * give; files that change are refused, as are descriptions that do not fit.
 */
import { truncateSync, utimesSync, writeFileSync } from 'node:fs';
import test from 'ava';
import fc from 'fast-check';
import { checkFiniteRows, fileSource } from '../../src/data/file-source.ts';
import { normalized } from '../../src/data/normalize.ts';
import { checkRowFile, type RowFile, RowReader } from '../../src/data/row-file.ts';
import { checkSource, type DataSource, memorySource } from '../../src/data/source.ts';
import { splitRows } from '../../src/data/split.ts';
import { numbers } from '../toy.ts';
import { refusal, temporaryFolder } from './folder.ts';

const file = temporaryFolder();

/** The same rows in memory and on disk, behind `offset` other bytes. */
function both(name: string, values: Uint8Array | Float32Array, inputShape: readonly number[], offset = 0, scale = 1): [memory: DataSource, disk: DataSource] {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const path = file(name, Buffer.concat([Buffer.alloc(offset, 7), bytes]));
  const length = values.length / inputShape.reduce((a, b) => a * b, 1);
  const labels = { kind: 'class', values: Int32Array.from({ length }, (_, row) => row % 3) } as const;
  const type = values instanceof Uint8Array ? 'uint8' : 'float32';
  return [memorySource({ name, inputShape, scale, labels, values }), fileSource({ name, inputShape, scale, labels, length }, { path, offset, type })];
}

function rowsOf(source: DataSource, indices: Int32Array): Uint8Array | Float32Array {
  const count = indices.length * source.inputShape.reduce((a, b) => a * b, 1);
  const rows = source.inputType === 'uint8' ? new Uint8Array(count) : new Float32Array(count);
  source.readRows(indices, rows);
  return rows;
}

function allOf(source: DataSource): Uint8Array | Float32Array {
  const count = source.length * source.inputShape.reduce((a, b) => a * b, 1);
  const rows = source.inputType === 'uint8' ? new Uint8Array(count) : new Float32Array(count);
  source.readAll(rows);
  return rows;
}

const bytes = Uint8Array.from(numbers(60_000, 3), (value) => 128 + 127 * value);
const small = both('small', bytes.subarray(0, 3000), [3], 5);
// Rows further apart than what is read along, and in all more than is read at a time.
const wide = both('wide', numbers(1_200_000, 2), [3000], 2);

test('rows in any order, some of them twice, are those of memory', (t) => {
  for (const [memory, disk] of [small, wide]) {
    t.deepEqual(allOf(disk), allOf(memory));
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: memory.length - 1 }), { maxLength: 60 }), (rows) => {
        const indices = Int32Array.from(rows);
        return Buffer.from(rowsOf(disk, indices).buffer).equals(Buffer.from(rowsOf(memory, indices).buffer));
      }),
      { numRuns: 50 },
    );
  }
});

test('more rows than are sorted at a time come in order', (t) => {
  const [memory, disk] = both(
    'many',
    Uint8Array.from({ length: 70_001 }, (_, row) => (row * 7) % 251),
    [1],
  );
  const backwards = Int32Array.from({ length: 70_001 }, (_, row) => 70_000 - row);
  t.deepEqual(rowsOf(disk, backwards), rowsOf(memory, backwards));
});

test('parts and normalised rows are those of memory, and so is what a reader makes of their description', (t) => {
  const [memory, disk] = both('split', bytes.subarray(0, 3000), [3], 5, 255);
  const normalization = { kind: 'standard', offset: Float64Array.of(0.1, 0.2, 0.3), divisor: Float64Array.of(0.3, 0.5, 0.7) } as const;
  for (const stratify of [false, true]) {
    const options = { fraction: 0.3, stratify, seed: 4 };
    const [expected, got] = [splitRows(memory, options), splitRows(disk, options)];
    for (const part of ['train', 'validation'] as const) {
      t.deepEqual(allOf(got[part]), allOf(expected[part]));
      const prepared = normalized(splitRows(got[part], options).train, normalization);
      const wanted = allOf(normalized(splitRows(expected[part], options).train, normalization));
      t.deepEqual(allOf(prepared), wanted);
      checkSource(prepared, 'data.train');
      const f32 = new Float32Array(wanted.length);
      const reader = new RowReader(prepared.rowFile!, prepared.length);
      const order = Int32Array.from({ length: prepared.length }, (_, row) => row);
      reader.read(order, order.length, { u8: new Uint8Array(f32.buffer), f32 }, 0);
      reader.close();
      t.deepEqual(f32, wanted as Float32Array<ArrayBuffer>);
      t.regex(
        refusal('LOCKSTEP_USAGE', () => normalized(prepared, normalization)),
        /not normalized yet, got a row file with a `normalization`; leave one out\.$/,
      );
    }
  }
});

test('a file that is written to, cut or taken away after it was described is refused', (t) => {
  const path = file('moving', bytes.subarray(0, 300));
  const source = fileSource(
    { name: 'moving', inputShape: [3], scale: 1, labels: { kind: 'class', values: new Int32Array(100) }, length: 100 },
    { path, offset: 0, type: 'uint8' },
  );
  const read = () => rowsOf(source, Int32Array.of(99));
  t.is(read().length, 3);
  utimesSync(path, 1, 1);
  t.is(
    refusal('LOCKSTEP_DATA', read),
    `Expected \`${path}\` to stay as it was while its rows are read, got one that was written to; begin anew, and leave it alone while the run lasts.`,
  );
  truncateSync(path, 200);
  t.regex(refusal('LOCKSTEP_DATA', read), /, got 200 bytes in place of 300; begin anew/);
  const undescribed = new RowReader({ path, offset: 0, type: 'uint8', rowSize: 3 }, 1);
  t.is(
    refusal('LOCKSTEP_DATA', () => undescribed.read(Int32Array.of(99), 1, { u8: new Uint8Array(3), f32: new Float32Array(0) }, 0)),
    `Expected \`${path}\` to have at least 300 bytes, got 200; the file was truncated: fetch it again, and leave it alone while the run lasts.`,
  );
  undescribed.close();
  t.regex(
    refusal('LOCKSTEP_FILE', () => new RowReader({ path: '/no/such/rows', offset: 0, type: 'uint8', rowSize: 1 }, 1)),
    /^Expected a file of rows at `\/no\/such\/rows`, but there is none/,
  );
});

test('a description that does not fit its source is refused', (t) => {
  const path = file('described', bytes.subarray(0, 30));
  const source = { length: 10, inputShape: [3], inputType: 'uint8' } as const;
  const good: RowFile = { path, offset: 0, type: 'uint8', rowSize: 3 };
  const check = (change: object, of: typeof source | object = source) => refusal('LOCKSTEP_USAGE', () => checkRowFile({ ...good, ...change }, 'x', { ...source, ...of }));
  t.is(check({}), 'accepted');
  t.is(check({ path: 5 }), 'Expected `x.path` to be the path of a file, got `5`.');
  t.is(check({ offset: -1 }), 'Expected `x.offset` to be an integer >= 0, got `-1`.');
  t.is(check({ type: 'int8' }), 'Expected `x.type` to be one of uint8, float32, got `"int8"`; did you mean `uint8`?');
  t.is(check({ rowSize: 2 }), 'Expected `x.rowSize` to be the 3 numbers of a row, got `2`.');
  t.is(check({ type: 'float32' }), 'Expected `x.type` to be that of the rows, uint8, got `"float32"`.');
  t.regex(check({ rows: Int32Array.of(1) }), /^Expected `x\.rows` to be an Int32Array of 10 rows of the file, got /);
  t.regex(check({ rows: new Int32Array(10).fill(-1) }), /^Expected `x\.rows` to be/);
  const normalization = { scale: 1, offset: new Float64Array(2), divisor: new Float64Array(2) };
  t.regex(check({ normalization }, { inputType: 'float32' }), /^Expected `x\.normalization` to be an offset and a divisor for each feature, and a scale > 0, got /);
  const short = (change: object) => refusal('LOCKSTEP_DATA', () => checkRowFile({ ...good, ...change }, 'x', source));
  t.is(short({ offset: 1 }), `Expected \`${path}\` to have at least 31 bytes for its rows, got 30; the file is truncated: fetch it again.`);
  t.regex(short({ rows: new Int32Array(10).fill(10) }), /at least 33 bytes/);
});

test('numbers that are not finite are told with their row', (t) => {
  const values = numbers(9000, 1);
  values[8000] = Number.NaN;
  const [, disk] = both('nan', values, [3]);
  t.is(
    refusal('LOCKSTEP_DATA', () => checkFiniteRows(disk, 'nan.npy')),
    'Expected `nan.npy` to hold finite numbers in float32, got `NaN` in row 2666; mend or leave out the row.',
  );
  writeFileSync(disk.rowFile!.path, '');
});
