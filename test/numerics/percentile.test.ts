/**
 * Room: tests of numerics. Percentiles: numpy's, bit for bit, in any order of the numbers.
 */
import test from 'ava';
import fc from 'fast-check';
import { percentile } from '../../src/numerics/percentile.ts';
import { percentileOf } from '../percentile.ts';

const of = (values: readonly number[], percent: number): number => percentile(Float64Array.from(values), values.length, percent);

test('the percentiles of numpy, bit for bit', (t) => {
  const values = [0.1, 0.7, 2.3, 0.30000000000000004, 5.5, 1.1, 0.9];
  // [float(np.percentile(values, p)) for p in ...] of numpy 2.
  const expected = { 1: 0.112, 10: 0.22000000000000003, 25: 0.5, 33.3: 0.6991999999999998, 50: 0.9, 62.5: 1.05, 90: 3.580000000000001, 99: 5.307999999999998, 100: 5.5 };
  for (const [percent, value] of Object.entries(expected)) t.is(of(values, Number(percent)), value, percent);
  t.is(of(values, 0), 0.1);
});

test('of one number every percentile is that number', (t) => {
  for (const percent of [0, 1e-300, 10, 99.99999999999999, 100]) t.is(of([3.25], percent), 3.25);
});

test('numbers behind the first ones do not count', (t) => {
  t.is(percentile(Float64Array.of(1, 2, 3, -100, 100), 3, 50), 2);
});

const numbers = fc.array(fc.oneof(fc.double({ noNaN: true, min: 0, max: 1e6 }), fc.constantFrom(0, 1, 2)), { minLength: 1, maxLength: 60 });

test('the same as from numbers in order, whatever order they come in', (t) => {
  fc.assert(
    fc.property(numbers, fc.double({ noNaN: true, min: 0, max: 100 }), (values, percent) => {
      const sorted = Float64Array.from(values).sort();
      const reordered = Float64Array.from(values);
      t.is(percentile(reordered, values.length, percent), percentileOf(values, percent));
      t.deepEqual(reordered.sort(), sorted, 'no number is lost');
    }),
  );
});
