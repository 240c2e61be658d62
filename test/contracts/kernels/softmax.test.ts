/**
 * Room: tests of kernels. Softmax by rows and its backward on every kernel set, against the reference, for every kind of
 * row length and for rows that are hard: far apart, tied, infinite, not a number.
 */
import test from 'ava';
import type { Kernels } from '../../../src/kernels/contract.ts';
import { floatsAt, kernelSets, randomFloats, TensorSpace } from './sets.ts';
import { sameBits, ulpsBetween } from './ulps.ts';

const reference = kernelSets[0]!;
const lengths = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 100, 257, 1000];

function softmax(kernels: Kernels, values: readonly number[] | Float32Array, columns: number, inPlace = false, shift = 0): Float32Array {
  const space = new TensorSpace();
  const x = space.floats(Float32Array.from(values), shift);
  const y = inPlace ? x : space.floats(new Float32Array(values.length), shift);
  kernels.softmax(x, y, values.length / columns, columns);
  return floatsAt(y, values.length);
}

function backward(kernels: Kernels, dy: Float32Array, y: Float32Array, columns: number, inPlace = false): Float32Array {
  const space = new TensorSpace();
  const at = space.floats(dy);
  const dx = inPlace ? at : space.floats(new Float32Array(dy.length));
  kernels.softmaxBackward(at, space.floats(y), dx, dy.length / columns, columns);
  return floatsAt(dx, dy.length);
}

for (const kernels of kernelSets) {
  for (const columns of lengths) {
    for (const spread of [1, 30, 100]) {
      test(`${kernels.set}: softmax of rows of ${columns} in [-${spread}, ${spread}) is at most 2 ulp from the reference, in place or not`, (t) => {
        const x = randomFloats(40 * columns, columns).map((value) => spread * value);
        const expected = softmax(reference, x, columns);
        const actual = softmax(kernels, x, columns);
        actual.forEach((y, i) => {
          t.true(ulpsBetween(y, expected[i]!) <= 2, `[${i}] is ${y}, expected ${expected[i]}`);
        });
        t.true(sameBits(softmax(kernels, x, columns, true), actual));
        t.true(sameBits(softmax(kernels, x, columns, false, 4), actual));
      });
    }

    test(`${kernels.set}: the backward of softmax over rows of ${columns} is the reference's`, (t) => {
      const y = softmax(
        reference,
        randomFloats(20 * columns, 5).map((value) => 6 * value),
        columns,
      );
      const dy = randomFloats(20 * columns, 6);
      const expected = backward(reference, dy, y, columns);
      const actual = backward(kernels, dy, y, columns);
      actual.forEach((dx, i) => {
        t.true(Math.abs(dx - expected[i]!) <= 2 ** -24 * y[i]!, `[${i}] is ${dx}, expected ${expected[i]}`);
      });
      t.true(sameBits(backward(kernels, dy, y, columns, true), actual));
    });
  }

  test(`${kernels.set}: a logit far below the others has probability 0, and a shift by a constant changes nothing`, (t) => {
    for (const far of [-200, -1e30, -3e38, -Infinity]) t.deepEqual([...softmax(kernels, [0, far, 0], 3)], [0.5, 0, 0.5]);
    t.deepEqual([...softmax(kernels, [-3e38, 3e38], 2)], [0, 1]);
    const x = [1, 2, 3, 4, 5, 6, 7];
    t.true(
      sameBits(
        softmax(kernels, x, 7),
        softmax(
          kernels,
          x.map((value) => value + 1024),
          7,
        ),
      ),
    );
  });

  test(`${kernels.set}: a NaN, an infinite logit, or nothing but -Infinity makes the whole row NaN, and no other row`, (t) => {
    for (const columns of [2, 3, 5, 8, 10]) {
      for (let column = 0; column < columns; column++) {
        for (const bad of [NaN, Infinity]) {
          const x = [...randomFloats(3 * columns, 2)];
          x[columns + column] = bad;
          const y = softmax(kernels, x, columns);
          t.true(
            y.every((value, i) => Number.isNaN(value) === (Math.floor(i / columns) === 1)),
            `${bad} in column ${column} of ${columns}`,
          );
        }
      }
      t.true(softmax(kernels, new Array<number>(columns).fill(-Infinity), columns).every(Number.isNaN));
    }
  });
}
