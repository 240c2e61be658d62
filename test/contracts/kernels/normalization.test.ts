/**
 * Room: tests of kernels. Batch normalisation's kernels of every set against the reference, bit for bit, and against
 * formulas written out: a mean far above the spread keeps its digits.
 */
import test from 'ava';
import { agree, floats, zeros } from './agree.ts';
import { arena } from './sets.ts';

const shapes: readonly (readonly [rows: number, channels: number])[] = [
  [0, 5],
  [1, 1],
  [1, 17],
  [2, 3],
  [3, 4],
  [4, 1],
  [5, 2],
  [7, 3],
  [8, 17],
  [33, 19],
  [64, 16],
  [66, 100],
  [130, 784],
];

for (const [rows, channels] of shapes) {
  const shape = `(${rows}, ${channels})`;
  const x = floats(rows * channels, 1000, 0.01);
  const dy = floats(rows * channels);
  const meanHi = floats(channels, 1000, 0.001);
  const meanLo = floats(channels, 0, 1e-5);
  const [scale, beta, a, b] = [floats(channels, 1), floats(channels), floats(channels, 0, 0.1), floats(channels, 0, 0.1)];

  test(`moments of ${shape} agree`, (t) => {
    agree(t, 'mean 1000', { x, mean: floats64(channels), m2: floats64(channels) }, (k, at) => k.moments(at.x, at.mean, at.m2, rows, channels));
    agree(t, 'mean 0', { x: dy, mean: floats64(channels), m2: floats64(channels) }, (k, at) => k.moments(at.x, at.mean, at.m2, rows, channels));
  });

  test(`normalize of ${shape} agrees, with and without beta, in place and not`, (t) => {
    const vectors = { meanHi, meanLo, scale, beta };
    agree(t, 'apart', { x, y: zeros(rows * channels), ...vectors }, (k, at) => k.normalize(at.x, at.y, at.meanHi, at.meanLo, at.scale, at.beta, rows, channels));
    agree(t, 'in place', { x, ...vectors }, (k, at) => k.normalize(at.x, at.x, at.meanHi, at.meanLo, at.scale, at.beta, rows, channels));
    agree(t, 'without beta', { x, y: zeros(rows * channels), meanHi, meanLo, scale }, (k, at) =>
      k.normalize(at.x, at.y, at.meanHi, at.meanLo, at.scale, 0, rows, channels),
    );
  });

  test(`normalizeSums of ${shape} agree`, (t) => {
    agree(t, 'sums', { dy, x, meanHi, meanLo, sumDy: floats64(channels), sumDyX: floats64(channels) }, (k, at) =>
      k.normalizeSums(at.dy, at.x, at.meanHi, at.meanLo, at.sumDy, at.sumDyX, rows, channels),
    );
  });

  test(`normalizeBackward of ${shape} agrees, in place and not`, (t) => {
    const vectors = { x, meanHi, meanLo, scale, a, b };
    agree(t, 'apart', { dy, dx: zeros(rows * channels), ...vectors }, (k, at) =>
      k.normalizeBackward(at.dy, at.x, at.dx, at.meanHi, at.meanLo, at.scale, at.a, at.b, rows, channels),
    );
    agree(t, 'in place', { dy, ...vectors }, (k, at) => k.normalizeBackward(at.dy, at.x, at.dy, at.meanHi, at.meanLo, at.scale, at.a, at.b, rows, channels));
  });
}

test('without beta a result of -0 keeps its sign', (t) => {
  const vectors = { meanHi: floats(6, 3), meanLo: zeros(6), scale: new Float32Array(6).fill(-2) };
  agree(t, 'x = mean', { x: vectors.meanHi, ...vectors }, (k, at) => {
    k.normalize(at.x, at.x, at.meanHi, at.meanLo, at.scale, 0, 1, 6);
    t.true(Object.is(arena.f32[at.x >>> 2], -0), k.set);
  });
});

test('a mean of 1000 with a spread of 0.01 is normalised to mean 0 and variance 1', (t) => {
  const [rows, channels] = [500, 5];
  const x = floats(rows * channels, 1000, 0.01);
  const outputs = { y: zeros(rows * channels), mean: floats64(channels), m2: floats64(channels) };
  const vectors = { meanHi: zeros(channels), meanLo: zeros(channels), scale: zeros(channels) };
  agree(t, 'two passes', { x, ...outputs, ...vectors }, (k, at) => {
    k.moments(at.x, at.mean, at.m2, rows, channels);
    for (let c = 0; c < channels; c++) {
      const mean = arena.f64[(at.mean >>> 3) + c]!;
      arena.f32[(at.meanHi >>> 2) + c] = mean;
      arena.f32[(at.meanLo >>> 2) + c] = mean - Math.fround(mean);
      arena.f32[(at.scale >>> 2) + c] = 1 / Math.sqrt(arena.f64[(at.m2 >>> 3) + c]! / rows);
    }
    k.normalize(at.x, at.y, at.meanHi, at.meanLo, at.scale, 0, rows, channels);
    for (let c = 0; c < channels; c++) {
      const column = Array.from({ length: rows }, (_, r) => arena.f32[(at.y >>> 2) + r * channels + c]!);
      const mean = column.reduce((sum, value) => sum + value, 0) / rows;
      const variance = column.reduce((sum, value) => sum + (value - mean) ** 2, 0) / rows;
      t.true(Math.abs(mean) < 1e-6, `${k.set}: mean ${mean}`);
      t.true(Math.abs(variance - 1) < 1e-6, `${k.set}: variance ${variance}`);
    }
  });
});

/** Outputs that hold something: a kernel that adds to them without clearing fails. */
function floats64(count: number): Float64Array {
  return new Float64Array(count).fill(7);
}
