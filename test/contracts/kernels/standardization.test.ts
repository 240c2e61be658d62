/**
 * Room: tests of kernels. Layer normalisation's kernels of every set against the reference, bit for bit, and against their meaning: rows of mean 0
 * and variance 1, also where the mean is far above the spread.
 */
import test from 'ava';
import { agree, floats, zeros } from './agree.ts';
import { arena } from './sets.ts';

const shapes: readonly (readonly [rows: number, columns: number])[] = [
  [0, 5],
  [1, 1],
  [3, 2],
  [2, 3],
  [5, 4],
  [4, 5],
  [3, 6],
  [7, 7],
  [9, 33],
  [16, 784],
];

for (const [rows, columns] of shapes) {
  const buffers = (mean: number, spread: number) => ({ x: floats(rows * columns, mean, spread), xhat: zeros(rows * columns), invStds: zeros(rows) });

  test(`standardizeRows of (${rows}, ${columns}) agrees`, (t) => {
    for (const [mean, spread] of [
      [0, 1],
      [1000, 0.01],
    ] as const) {
      agree(t, `mean ${mean}`, buffers(mean, spread), (k, at) => k.standardizeRows(at.x, at.xhat, at.invStds, rows, columns, 1e-3));
    }
  });

  test(`standardizeRowsBackward of (${rows}, ${columns}) agrees, in place and not`, (t) => {
    const inputs = { g: floats(rows * columns), xhat: floats(rows * columns), invStds: floats(rows, 2) };
    agree(t, 'apart', { ...inputs, dx: zeros(rows * columns) }, (k, at) => k.standardizeRowsBackward(at.g, at.xhat, at.invStds, at.dx, rows, columns));
    agree(t, 'in place', inputs, (k, at) => k.standardizeRowsBackward(at.g, at.xhat, at.invStds, at.g, rows, columns));
  });
}

test('a mean of 1000 with a spread of 0.01 becomes mean 0 and variance 1', (t) => {
  const columns = 500;
  agree(t, 'two passes', { x: floats(columns, 1000, 0.01), xhat: zeros(columns), invStds: zeros(1) }, (k, at) => {
    k.standardizeRows(at.x, at.xhat, at.invStds, 1, columns, 1e-12);
    const row = Array.from(arena.f32.subarray(at.xhat >>> 2, (at.xhat >>> 2) + columns));
    const mean = row.reduce((a, b) => a + b, 0) / columns;
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / columns;
    t.true(Math.abs(mean) < 1e-4 && Math.abs(variance - 1) < 1e-3, `${k.set}: mean ${mean}, variance ${variance}`);
  });
});
