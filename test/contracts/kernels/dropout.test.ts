/**
 * Room: tests of kernels. Dropout: every set against the reference, bit for bit; a row's mask does not depend on how the
 * batch is cut into shards.
 */
import test from 'ava';
import { agree, floats, zeros } from './agree.ts';
import { arena } from './sets.ts';

const shapes: readonly (readonly [rows: number, rowSize: number])[] = [
  [0, 4],
  [1, 1],
  [3, 3],
  [2, 15],
  [5, 16],
  [3, 17],
  [4, 31],
  [4, 32],
  [3, 33],
  [3, 48],
  [2, 63],
  [7, 100],
  [5, 784],
];
const [step, layer, keyLow, keyHigh] = [2 ** 32 - 2, (3 << 16) | 5, 0x89abcdef, 0xfedcba98];
const thresholds = [0, 1, 2 ** 30, 2 ** 31, 3 * 2 ** 30, 2 ** 32 - 1];

for (const [rows, rowSize] of shapes) {
  const shape = `(${rows}, ${rowSize})`;
  const count = rows * rowSize;
  const x = floats(count);

  test(`dropout of ${shape} agrees for every threshold, in place and not`, (t) => {
    for (const threshold of thresholds) {
      agree(t, `threshold ${threshold}`, { x, mask: new Uint8Array(count).fill(9), y: zeros(count) }, (k, at) =>
        k.dropout(at.x, at.mask, at.y, rows, rowSize, 1000, step, layer, keyLow, keyHigh, threshold, 4 / 3),
      );
      agree(t, `threshold ${threshold} in place`, { x, mask: new Uint8Array(count).fill(9) }, (k, at) =>
        k.dropout(at.x, at.mask, at.x, rows, rowSize, 1000, step, layer, keyLow, keyHigh, threshold, 4 / 3),
      );
    }
  });

  test(`dropoutBackward of ${shape} agrees, in place and not`, (t) => {
    const mask = Uint8Array.from({ length: count }, (_, i) => ((i * 7919) % 3) & 1);
    agree(t, 'apart', { dy: x, mask, dx: zeros(count) }, (k, at) => k.dropoutBackward(at.dy, at.mask, at.dx, count, 1.25));
    agree(t, 'in place', { dy: x, mask }, (k, at) => k.dropoutBackward(at.dy, at.mask, at.dy, count, 1.25));
  });
}

test('rows are dropped by their place in the global batch, however the batch is cut', (t) => {
  const [rows, rowSize] = [6, 37];
  const x = floats(rows * rowSize);
  agree(t, 'cut', { x, whole: zeros(rows * rowSize), cut: zeros(rows * rowSize), mask: new Uint8Array(rows * rowSize) }, (k, at) => {
    const draw = (from: number, count: number, y: number): void =>
      k.dropout(at.x + 4 * from * rowSize, at.mask, y + 4 * from * rowSize, count, rowSize, from, 1, layer, keyLow, keyHigh, 2 ** 31, 2);
    draw(0, rows, at.whole);
    draw(0, 1, at.cut);
    draw(1, 4, at.cut);
    draw(5, 1, at.cut);
    const values = (address: number): Float32Array => arena.f32.slice(address >>> 2, (address >>> 2) + rows * rowSize);
    t.deepEqual(values(at.cut), values(at.whole), k.set);
  });
});

test('about threshold / 2^32 of the elements are dropped', (t) => {
  const count = 40_000;
  agree(t, 'share', { x: new Float32Array(count).fill(1), mask: new Uint8Array(count) }, (k, at) => {
    k.dropout(at.x, at.mask, at.x, 100, count / 100, 0, 1, layer, keyLow, keyHigh, 0.25 * 2 ** 32, 4 / 3);
    const kept = arena.u8.subarray(at.mask, at.mask + count).reduce((sum, byte) => sum + byte, 0);
    // The share of n draws has a standard deviation of sqrt(p (1 - p) / n).
    t.true(Math.abs(kept / count - 0.75) < 5 * Math.sqrt((0.25 * 0.75) / count), k.set);
  });
});
