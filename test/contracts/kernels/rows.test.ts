/**
 * Room: tests of kernels. Gathering, permuting and ordering rows: every set against the reference, bit for bit.
 */
import test from 'ava';
import { orderKeys, permute } from '../../../src/numerics/permutation.ts';
import { agree, floats, zeros } from './agree.ts';

const shapes: readonly (readonly [rows: number, rowSize: number])[] = [
  [0, 4],
  [1, 1],
  [2, 3],
  [3, 15],
  [4, 16],
  [5, 17],
  [6, 32],
  [7, 33],
  [8, 100],
  [33, 784],
];
const divisors = [1, 255, 127.5, 3, 0.1];
const sourceRows = 20;

/** Row numbers in no order, some twice. */
const someRows = (rows: number): Int32Array => Int32Array.from({ length: rows }, (_, r) => (r * 7 + 3) % sourceRows);

for (const [rows, rowSize] of shapes) {
  const shape = `(${rows}, ${rowSize})`;
  const indices = someRows(rows);

  test(`gatherBytes of ${shape} agrees for every divisor`, (t) => {
    const source = Uint8Array.from({ length: sourceRows * rowSize }, (_, i) => i * 89 + (i >>> 8));
    for (const divisor of divisors) {
      agree(t, `divisor ${divisor}`, { source, indices, y: zeros(rows * rowSize) }, (k, at) => k.gatherBytes(at.source, at.indices, at.y, rows, rowSize, divisor));
    }
  });

  test(`gatherFloats of ${shape} agrees for every divisor`, (t) => {
    const source = floats(sourceRows * rowSize);
    for (const divisor of divisors) {
      agree(t, `divisor ${divisor}`, { source, indices, y: zeros(rows * rowSize) }, (k, at) => k.gatherFloats(at.source, at.indices, at.y, rows, rowSize, divisor));
    }
  });

  test(`permuteRows of ${shape} agrees`, (t) => {
    const keys = orderKeys(rowSize, 0);
    const map = Int32Array.from({ length: rowSize }, (_, i) => permute(i, rowSize, keys));
    agree(t, 'permuted', { x: floats(rows * rowSize), map, y: zeros(rows * rowSize) }, (k, at) => k.permuteRows(at.x, at.map, at.y, rows, rowSize));
  });
}

test('every byte divided by every divisor is the correctly rounded quotient', (t) => {
  const source = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  for (let divisor = 1; divisor <= 256; divisor++) {
    agree(t, `divisor ${divisor}`, { source, indices: new Int32Array(1), y: zeros(256) }, (k, at) => k.gatherBytes(at.source, at.indices, at.y, 1, 256, divisor));
  }
});

const lengths = [1, 2, 3, 4, 5, 16, 17, 100, 1000, 4096, 4097, 60_000, 65_537, 2 ** 30 + 1, 2 ** 31 - 1];

for (const length of lengths) {
  test(`epochOrder of ${length} samples is that of numerics/permutation`, (t) => {
    const count = Math.min(length, 1000);
    for (const first of [0, length - count]) {
      agree(t, `from ${first}`, { indices: new Int32Array(count), keys: orderKeys(2 ** 40 + length, 3) }, (k, at) =>
        k.epochOrder(at.indices, first, count, length, at.keys),
      );
    }
  });
}

test('epochOrder of no samples writes nothing', (t) => {
  agree(t, 'empty', { indices: new Int32Array(0), keys: orderKeys(1, 1) }, (k, at) => k.epochOrder(at.indices, 0, 0, 0, at.keys));
});
