/**
 * Room: tests of kernels. The losses of every kernel set and their gradients, against the reference, worked examples and
 * finite differences; NaN never hides.
 */
import test from 'ava';
import type { Kernels } from '../../../src/kernels/contract.ts';
import { arena, floatsAt, kernelSets, randomFloats, TensorSpace } from './sets.ts';
import { sameBits } from './ulps.ts';

const reference = kernelSets[0]!;
const lengths = [1, 2, 3, 4, 5, 6, 7, 8, 10, 13, 100, 257];

interface Result {
  readonly loss: number;
  readonly correct: number;
  readonly gradient: Float32Array;
}

interface Options {
  readonly divisor?: number;
  /** Where the gradient goes: to a tensor of its own, over the predictions, or nowhere. */
  readonly into?: 'own' | 'place' | 'none';
}

function crossentropy(kernels: Kernels, logits: readonly number[] | Float32Array, labels: readonly number[], options: Options = {}): Result {
  const { divisor = 1, into = 'own' } = options;
  const space = new TensorSpace();
  const x = space.floats(Float32Array.from(logits));
  const at = space.bytes(4 * labels.length);
  arena.i32.set(labels, at >>> 2);
  const dx = { own: space.bytes(4 * logits.length), place: x, none: 0 }[into];
  const sums = space.bytes(16);
  kernels.sparseCrossentropy(x, at, dx, labels.length, logits.length / labels.length, divisor, sums);
  return { loss: arena.f64[sums >>> 3]!, correct: arena.f64[(sums >>> 3) + 1]!, gradient: floatsAt(dx, logits.length) };
}

function squaredError(kernels: Kernels, p: Float32Array, target: Float32Array, columns: number, options: Options = {}): Result {
  const { divisor = 1, into = 'own' } = options;
  const space = new TensorSpace();
  const x = space.floats(p);
  const dx = { own: space.bytes(p.byteLength), place: x, none: 0 }[into];
  const sums = space.bytes(16);
  kernels.meanSquaredError(x, space.floats(target), dx, p.length / columns, columns, divisor, sums);
  return { loss: arena.f64[sums >>> 3]!, correct: arena.f64[(sums >>> 3) + 1]!, gradient: floatsAt(dx, p.length) };
}

/** True when the numbers differ by at most `bound` of the second. */
function near(actual: number, expected: number, bound: number): boolean {
  return Math.abs(actual - expected) <= bound * Math.abs(expected);
}

for (const kernels of kernelSets) {
  for (const columns of lengths) {
    for (const spread of [0.01, 3, 60]) {
      test(`${kernels.set}: crossentropy over ${columns} classes, logits in [-${spread}, ${spread}), is the reference's`, (t) => {
        const logits = randomFloats(37 * columns, columns).map((value) => spread * value);
        const labels = Array.from({ length: 37 }, (_, row) => (row * 7) % columns);
        const expected = crossentropy(reference, logits, labels, { divisor: 37 });
        const actual = crossentropy(kernels, logits, labels, { divisor: 37 });
        t.true(near(actual.loss, expected.loss, 2 ** -22), `loss ${actual.loss}, expected ${expected.loss}`);
        t.is(actual.correct, expected.correct);
        actual.gradient.forEach((g, i) => {
          t.true(Math.abs(g - expected.gradient[i]!) <= 2 ** -21 * Math.abs(g) + 2 ** -57, `dlogits[${i}] is ${g}, expected ${expected.gradient[i]}`);
        });
        const inPlace = crossentropy(kernels, logits, labels, { divisor: 37, into: 'place' });
        t.true(sameBits(inPlace.gradient, actual.gradient));
        for (const other of [inPlace, crossentropy(kernels, logits, labels, { into: 'none' })]) {
          t.is(other.loss, actual.loss);
          t.is(other.correct, actual.correct);
        }
      });
    }

    test(`${kernels.set}: the squared error over ${columns} columns is the reference's`, (t) => {
      const p = randomFloats(11 * columns, 1).map((value) => 3 * value);
      const target = randomFloats(11 * columns, 2);
      const expected = squaredError(reference, p, target, columns, { divisor: 11 });
      const actual = squaredError(kernels, p, target, columns, { divisor: 11 });
      t.true(near(actual.loss, expected.loss, 1e-13));
      t.is(actual.correct, 0);
      t.true(sameBits(actual.gradient, expected.gradient));
      t.true(sameBits(squaredError(kernels, p, target, columns, { divisor: 11, into: 'place' }).gradient, expected.gradient));
      t.is(squaredError(kernels, p, target, columns, { into: 'none' }).loss, actual.loss);
    });
  }

  test(`${kernels.set}: two equal logits cost log 2, and the first of them is the guess`, (t) => {
    const { loss, correct, gradient } = crossentropy(kernels, [0, 0, 0, 0], [0, 1], { divisor: 2 });
    t.true(near(loss, 2 * Math.LN2, 1e-15));
    t.is(correct, 1);
    t.deepEqual([...gradient], [-0.25, 0.25, 0.25, -0.25]);
  });

  test(`${kernels.set}: a sure and right row has a tiny loss and gradient with full relative accuracy`, (t) => {
    const { loss, gradient } = crossentropy(kernels, [30, 0], [0]);
    t.true(near(loss, 9.357622968839299e-14, 1e-2) && near(gradient[0]!, -9.357622968839299e-14, 1e-2) && near(gradient[1]!, 9.357622968839299e-14, 1e-6));
    const wrong = crossentropy(kernels, [200, 0], [1]);
    t.is(wrong.loss, 200);
    t.deepEqual([...wrong.gradient], [1, -1]);
  });

  test(`${kernels.set}: a NaN or an infinite logit makes the loss NaN and the row not correct, wherever it stands`, (t) => {
    for (const columns of [1, 2, 3, 5, 8, 10]) {
      for (let column = 0; column < columns; column++) {
        for (let label = 0; label < columns; label++) {
          for (const bad of [NaN, Infinity]) {
            const logits = [...randomFloats(2 * columns, 4)];
            logits[column] = bad;
            const { loss, correct, gradient } = crossentropy(kernels, logits, [label, columns]);
            t.is(loss, NaN);
            t.is(correct, 0);
            t.true(gradient.subarray(0, columns).every(Number.isNaN));
          }
        }
      }
    }
    t.is(squaredError(kernels, new Float32Array([1, NaN]), new Float32Array([1, 2]), 2).loss, NaN);
  });

  test(`${kernels.set}: a label outside the classes makes its row's loss and gradient NaN and reads nothing else`, (t) => {
    for (const label of [-1, 3, 1 << 30]) {
      const { loss, correct, gradient } = crossentropy(kernels, [1, 2, 3, 1, 2, 3], [2, label]);
      t.is(loss, NaN);
      t.is(correct, 1);
      t.deepEqual([...gradient].map(Number.isNaN), [false, false, false, true, true, true]);
    }
  });

  test(`${kernels.set}: no rows or no columns give sums of 0`, (t) => {
    const space = new TensorSpace();
    const x = space.floats(new Float32Array([1, 2]));
    const sums = space.bytes(16);
    for (const [rows, columns] of [
      [0, 2],
      [2, 0],
    ] as const) {
      for (const loss of ['sparseCrossentropy', 'meanSquaredError'] as const) {
        arena.f64.fill(9, sums >>> 3, (sums >>> 3) + 2);
        kernels[loss](x, x, x, rows, columns, 1, sums);
        t.deepEqual([...arena.f64.subarray(sums >>> 3, (sums >>> 3) + 2)], [0, 0]);
      }
    }
    t.deepEqual([...floatsAt(x, 2)], [1, 2]);
  });
}

test('reference: both gradients are central differences of the loss', (t) => {
  const h = 2 ** -8;
  const x = randomFloats(12, 9).map((value) => Math.round(512 * value) / 256);
  const target = randomFloats(12, 10);
  const losses = [(values: Float32Array) => crossentropy(reference, values, [1, 0, 3]), (values: Float32Array) => squaredError(reference, values, target, 4)];
  for (const result of losses) {
    const { gradient } = result(x);
    x.forEach((_, i) => {
      const at = (step: number): number => result(x.map((value, j) => (i === j ? value + step : value))).loss;
      t.true(Math.abs((at(h) - at(-h)) / (2 * h) - gradient[i]!) < 1e-5);
    });
  }
});
