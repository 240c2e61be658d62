/** Room: tests of data. npy and npz files, as NumPy writes them and as they may be damaged. */
import test from 'ava';
import fc from 'fast-check';
import { parseDataConfig } from '../../src/config/parse.ts';
import { openData } from '../../src/data/datasets.ts';
import { readNpy } from '../../src/data/npy.ts';
import type { DataSource } from '../../src/data/source.ts';
import { refusal, rejection, temporaryFolder } from './folder.ts';
import { npyBytes, numpyFile } from './numpy-files.ts';

const file = temporaryFolder();
const openNpz = (bytes: Uint8Array, fields: object = {}) => openData(parseDataConfig({ format: 'npz', file: file('data.npz', bytes), ...fields }));

function read(bytes: Buffer) {
  return readNpy({ name: 'x.npy', size: bytes.length, read: (position, length) => bytes.subarray(position, position + length) });
}

function bytesOf(source: DataSource): number[] {
  const rows = new Uint8Array(6);
  source.readAll(rows);
  return [...rows];
}

for (const name of ['stored', 'deflated'] as const) {
  test(`an npz file of ${name} members is read`, async (t) => {
    const source = await openNpz(numpyFile(name), { sampleWeights: 'w', scale: 255 });
    const rows = new Uint8Array(6);
    source.readAll(rows);
    t.like(source, { length: 3, inputShape: [2], inputType: 'uint8', scale: 255 });
    t.deepEqual([...rows], [0, 1, 2, 3, 4, 5]);
    t.deepEqual(source.labels, { kind: 'class', values: Int32Array.of(2, 0, 1) });
    t.deepEqual(source.weights, Float32Array.of(1, 0.5, 2));
  });

  test(`an npz file of ${name} members that is cut or changed is refused`, async (t) => {
    const whole = numpyFile(name);
    for (let length = 0; length < whole.length; length += 9) {
      t.regex(await rejection('LOCKSTEP_DATA', openNpz(whole.subarray(0, length))), /^Expected/, `${length} bytes`);
    }
    // Times, versions and attributes have no meaning for the numbers: what is read in spite of a change is right.
    const right = await openNpz(whole, { sampleWeights: 'w' });
    for (let at = 0; at < whole.length; at += 3) {
      const bytes = Buffer.from(whole);
      bytes[at]! ^= 0x55;
      const [result] = await Promise.allSettled([openNpz(bytes, { sampleWeights: 'w' })]);
      if (result.status === 'rejected') t.is(result.reason.code, 'LOCKSTEP_DATA', String(result.reason.stack));
      else t.deepEqual([result.value.labels, result.value.weights, bytesOf(result.value)], [right.labels, right.weights, bytesOf(right)]);
    }
  });
}

test('inputs of float64 are rounded to float32, and a float label is a target', async (t) => {
  const inputs = file('x.npy', numpyFile('float64'));
  const labels = file('y.npy', npyBytes('<f4', [3], Float32Array.of(0.5, 1, 2)));
  const source = await openData(parseDataConfig({ format: 'npy', inputs, labels, limit: 2 }));
  const rows = new Float32Array(8);
  source.readAll(rows);
  t.like(source, { length: 2, inputShape: [2, 2], inputType: 'float32' });
  t.deepEqual(
    [...rows],
    Array.from({ length: 8 }, (_, i) => Math.fround(i / 3)),
  );
  t.deepEqual(source.labels, { kind: 'target', shape: [1], values: Float32Array.of(0.5, 1) });
});

test('what an array must be is told by name', async (t) => {
  t.is(
    refusal('LOCKSTEP_DATA', () => read(numpyFile('fortran'))),
    'Expected `x.npy` to hold its numbers row by row (C order), got Fortran order; save np.ascontiguousarray(array).',
  );
  t.is(
    refusal('LOCKSTEP_DATA', () => read(npyBytes('<c16', [1], new Float64Array(2)))),
    "Expected `x.npy` to hold uint8, bool, int32, int64, float32, float64, little-endian, got the type '<c16'; convert it: array.astype('float32').",
  );
  for (const descr of ['>f4', '<f2', '|O', '<U3', '<i2'])
    t.regex(
      refusal('LOCKSTEP_DATA', () => read(npyBytes(descr, [1], new Float32Array(1)))),
      /got the type '/,
      descr,
    );
  t.regex(
    refusal('LOCKSTEP_DATA', () => read(npyBytes('<f4', [0, 2], new Float32Array(0)))),
    /to hold at least one row, got the shape \(0, 2\)/,
  );
  t.regex(
    refusal('LOCKSTEP_DATA', () => read(npyBytes('<f4', [3], new Float32Array(2)))),
    /= 12 bytes after its header, got 8; the file is truncated/,
  );
  t.regex(
    refusal('LOCKSTEP_DATA', () => read(npyBytes('<f4', [1], new Float32Array(2)))),
    /longer than its header says/,
  );
  t.regex(
    refusal('LOCKSTEP_DATA', () => read(npyBytes('<f4', [1], new Float32Array(1), { version: 4 }))),
    /to be of version 1, 2 or 3/,
  );
  t.regex(
    await rejection('LOCKSTEP_DATA', openNpz(numpyFile('stored'), { labels: 'z' })),
    /to hold an array `z`, got the arrays x, y, w; name them with `inputs` and `labels`\.$/,
  );
  t.regex(await rejection('LOCKSTEP_DATA', openNpz(numpyFile('stored'), { inputs: 'y', labels: 'y' })), /to have at least two dimensions, got one/);
  const x = file('few.npy', npyBytes('|u1', [2, 1], new Uint8Array(2)));
  const open = (labels: Buffer) => openData(parseDataConfig({ format: 'npy', inputs: x, labels: file('labels.npy', labels) }));
  t.regex(await rejection('LOCKSTEP_DATA', open(npyBytes('<i4', [3], new Int32Array(3)))), /to have 2 rows as `.*few\.npy`, got 3/);
  t.regex(await rejection('LOCKSTEP_DATA', open(npyBytes('<i8', [2], BigInt64Array.of(1n, -1n)))), /to hold classes, integers from 0, got `-1` in row 1/);
  t.regex(await rejection('LOCKSTEP_DATA', open(npyBytes('<f4', [2], Float32Array.of(1, Number.NaN)))), /to hold finite numbers in float32, got `NaN` in row 1/);
});

test('arrays come back as they were written', (t) => {
  const shape = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 });
  const kinds = [
    ['|u1', (count: number) => Uint8Array.from({ length: count }, (_, i) => (i * 7) % 256)],
    ['<i4', (count: number) => Int32Array.from({ length: count }, (_, i) => i * 65537 - 5)],
    ['<i8', (count: number) => BigInt64Array.from({ length: count }, (_, i) => BigInt(i) * 4294967297n)],
    ['<f4', (count: number) => Float32Array.from({ length: count }, (_, i) => i / 7)],
  ] as const;
  fc.assert(
    fc.property(shape, fc.constantFrom(...kinds), fc.constantFrom(1, 2, 3), (sizes, [descr, make], version) => {
      const values = make(sizes.reduce((a, b) => a * b, 1));
      t.deepEqual(read(npyBytes(descr, sizes, values, { version })), { shape: sizes, values });
    }),
    { numRuns: 100 },
  );
});

test('a header of any text is read or refused, and nothing else happens', (t) => {
  const whole = npyBytes('<f4', [2, 2], new Float32Array(4));
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 127 }), fc.integer({ min: 0, max: 255 }), (at, value) => {
      const bytes = Buffer.from(whole);
      bytes[at] = value;
      try {
        t.true(read(bytes).values.length > 0);
      } catch (error) {
        t.is((error as { code?: string }).code, 'LOCKSTEP_DATA');
      }
    }),
    { numRuns: 1000 },
  );
});
