/**
 * Room: tests of numerics. The order of an epoch: a bijection of every length, different for every epoch and seed, and
 * without a visible preference for any place.
 */
import test from 'ava';
import fc from 'fast-check';
import { halfBits, orderKeys, permute } from '../../src/numerics/permutation.ts';

const seeds = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const epochs = fc.integer({ min: 0, max: 2 ** 31 });

function order(length: number, keys: Uint32Array): number[] {
  return Array.from({ length }, (_, position) => permute(position, length, keys));
}

function isBijection(values: readonly number[]): boolean {
  const seen = new Set(values);
  return seen.size === values.length && values.every((value) => Number.isInteger(value) && value >= 0 && value < values.length);
}

test('every short length is permuted', (t) => {
  const keys = orderKeys(1, 0);
  for (let length = 0; length <= 300; length++) t.true(isBijection(order(length, keys)), `length ${length}`);
});

test('any length, seed and epoch gives a bijection', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5000 }), seeds, epochs, (length, seed, epoch) => isBijection(order(length, orderKeys(seed, epoch)))),
    { numRuns: 100 },
  );
  t.pass();
});

test('lengths around a power of four are permuted', (t) => {
  const keys = orderKeys(3, 4);
  for (const length of [4095, 4096, 4097, 16_383, 16_384, 16_385, 65_535, 65_536, 65_537]) {
    t.true(isBijection(order(length, keys)), `length ${length}`);
  }
});

test('positions of the longest lengths stay in range and distinct', (t) => {
  const keys = orderKeys(5, 6);
  for (const length of [2 ** 31 - 1, 2 ** 31]) {
    const values = Array.from({ length: 1000 }, (_, k) => permute(length - 1 - k, length, keys));
    t.is(new Set(values).size, values.length);
    t.true(values.every((value) => value >= 0 && value < length));
  }
});

test('halfBits is the half width of the smallest power of four that holds the length', (t) => {
  t.deepEqual([0, 1, 4, 5, 16, 17, 60_000, 65_536, 65_537, 2 ** 31].map(halfBits), [1, 1, 1, 2, 2, 3, 8, 8, 9, 16]);
});

test('the order differs by epoch and by seed, and repeats for the same ones', (t) => {
  fc.assert(
    fc.property(seeds, epochs, (seed, epoch) => {
      const here = order(100, orderKeys(seed, epoch)).join();
      return (
        here === order(100, orderKeys(seed, epoch)).join() &&
        here !== order(100, orderKeys(seed, epoch + 1)).join() &&
        here !== order(100, orderKeys(seed === 0 ? 1 : seed - 1, epoch)).join()
      );
    }),
  );
  t.pass();
});

test('seeds that differ only above 32 bits give different orders', (t) => {
  t.notDeepEqual(order(100, orderKeys(9, 0)), order(100, orderKeys(9 + 2 ** 32, 0)));
});

test('over many epochs every sample visits every place about equally often', (t) => {
  const length = 10;
  const epochCount = 4000;
  const visits = new Float64Array(length * length);
  for (let epoch = 0; epoch < epochCount; epoch++) {
    order(length, orderKeys(11, epoch)).forEach((sample, position) => {
      visits[position * length + sample]! += 1;
    });
  }
  // Chi-squared over a 10 x 10 table with fixed margins has 81 degrees of freedom: mean 81, standard deviation 12.7.
  const expected = epochCount / length;
  const chiSquared = visits.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  t.true(chiSquared < 81 + 6 * 12.7, `chi-squared ${chiSquared}`);
});

test('an order of one epoch has about one fixed point and no long runs', (t) => {
  const length = 10_000;
  const samples = order(length, orderKeys(12, 0));
  t.true(samples.filter((sample, position) => sample === position).length < 10);
  t.true(samples.filter((sample, position) => position > 0 && sample === samples[position - 1]! + 1).length < 10);
});
