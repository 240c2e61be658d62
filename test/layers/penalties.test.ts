/**
 * Room: tests of layers. Penalties and their gradients against formulas and differences; bounds of weights by column and by row, as Keras has them.
 */
import test from 'ava';
import fc from 'fast-check';
import { addPenaltyGradient, constrainVectors, penaltyOf, vectorsOf } from '../../src/layers/penalties.ts';
import { numbers } from '../contracts/network.ts';

const near = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-6 * Math.max(1, Math.abs(b));

test('a penalty is l1 sum |w| + l2 sum w^2', (t) => {
  const w = Float32Array.of(9, 1, -2, 0, 0.5, 9);
  t.is(penaltyOf(w, 1, 4, { l1: 1, l2: 0 }), 3.5);
  t.is(penaltyOf(w, 1, 4, { l1: 0, l2: 2 }), 10.5);
  t.is(penaltyOf(w, 1, 4, { l1: 0.5, l2: 1 }), 7);
});

test('its gradient is that of differences, and 0 for the l1 of 0', (t) => {
  for (const penalty of [
    { l1: 0.3, l2: 0 },
    { l1: 0, l2: 0.7 },
    { l1: 0.3, l2: 0.7 },
  ]) {
    const w = numbers(20, 3).map((value) => value + (value > 0 ? 0.1 : -0.1));
    const memory = new Float32Array(40);
    memory.set(w);
    memory.fill(1, 20);
    addPenaltyGradient(memory, 0, 20, 20, penalty);
    for (let i = 0; i < 20; i++) {
      const h = 1e-3;
      const at = (shift: number): number => penaltyOf(Float32Array.of(w[i]! + shift), 0, 1, penalty);
      t.true(Math.abs(memory[20 + i]! - 1 - (at(h) - at(-h)) / (2 * h)) < 2e-3, `${JSON.stringify(penalty)} ${i}`);
    }
  }
  const zero = new Float32Array(2);
  addPenaltyGradient(zero, 0, 1, 1, { l1: 5, l2: 5 });
  t.is(zero[1], 0);
});

const norms = (values: Float32Array, rows: number, columns: number, axis: 0 | 1): number[] =>
  Array.from({ length: axis === 0 ? columns : rows }, (_, v) => {
    const own = Array.from(values).filter((_, i) => (axis === 0 ? i % columns : Math.floor(i / columns)) === v);
    return Math.hypot(...own);
  });

test('norms are bounded by columns or rows, and what is within its bounds stays', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 7 }),
      fc.integer({ min: 1, max: 7 }),
      fc.constantFrom(0 as const, 1 as const),
      fc.integer({ min: 1, max: 1000 }),
      (rows, columns, axis, seed) => {
        const before = numbers(rows * columns, seed);
        const vectors = vectorsOf([rows, columns], axis);
        const constrained = (constraint: Parameters<typeof constrainVectors>[5]): number[] => {
          const values = before.slice();
          constrainVectors(values, 0, vectors, 0, vectors.count, constraint);
          return norms(values, rows, columns, axis);
        };
        const start = norms(before, rows, columns, axis);
        const expect = (found: readonly number[], expected: (norm: number) => number): boolean =>
          found.every((norm, i) => near(norm, (start[i]! * expected(start[i]!)) / (start[i]! + 1e-7)));
        return (
          expect(constrained({ type: 'maxNorm', maxValue: 0.8, axis }), (norm) => Math.min(norm, 0.8)) &&
          expect(constrained({ type: 'unitNorm', axis }), () => 1) &&
          expect(constrained({ type: 'minMaxNorm', minValue: 0.5, maxValue: 0.8, rate: 1, axis }), (norm) => Math.min(Math.max(norm, 0.5), 0.8)) &&
          expect(constrained({ type: 'minMaxNorm', minValue: 0.5, maxValue: 0.8, rate: 0.25, axis }), (norm) => 0.25 * Math.min(Math.max(norm, 0.5), 0.8) + 0.75 * norm)
        );
      },
    ),
  );
  t.pass();
});

test('nonNeg takes what is below 0 to 0; a bias is one column', (t) => {
  const values = Float32Array.of(-1, 2, 0, -0.5);
  constrainVectors(values, 0, vectorsOf([2, 2], 0), 0, 2, { type: 'nonNeg' });
  t.deepEqual(values, Float32Array.of(0, 2, 0, 0));
  t.deepEqual(vectorsOf([5], 0), { count: 1, length: 5, step: 1, stride: 1 });
});
