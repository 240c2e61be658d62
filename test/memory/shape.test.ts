/**
 * Room: tests of memory. Shapes: their sizes, their equality, and how they are printed.
 */
import test from 'ava';
import { formatShape, sameShape, sizeOf } from '../../src/memory/shape.ts';

test('the size of a shape is its product, and 1 for a single number', (t) => {
  t.is(sizeOf([28, 28]), 784);
  t.is(sizeOf([7]), 7);
  t.is(sizeOf([]), 1);
  t.is(sizeOf([2 ** 20, 2 ** 20]), 2 ** 40);
});

test('shapes are the same when dimensions and order are', (t) => {
  t.true(sameShape([2, 3], [2, 3]));
  t.true(sameShape([], []));
  for (const [a, b] of [
    [
      [2, 3],
      [3, 2],
    ],
    [[2], [2, 1]],
    [[2, 1], [2]],
    [[], [1]],
  ] as const)
    t.false(sameShape(a, b));
});

test('a shape is printed as a tuple, with the batch as Keras does', (t) => {
  t.is(formatShape([28, 28]), '(28, 28)');
  t.is(formatShape([10]), '(10,)');
  t.is(formatShape([]), '()');
  t.is(formatShape([10], true), '(None, 10)');
  t.is(formatShape([], true), '(None,)');
});
