/** Room: tests of telemetry. Gradients counted by their bits, against the same buckets found by comparing numbers. */
import test from 'ava';
import fc from 'fast-check';
import { countInto, gradientCounters, histogramOf, nonFiniteOf } from '../../src/telemetry/gradient-histogram.ts';

const values = fc.array(
  fc.oneof(
    fc.float({ noNaN: true, min: -4, max: 4 }),
    fc.float(),
    // The very bounds of buckets.
    fc
      .tuple(fc.integer({ min: -45, max: 30 }), fc.constantFrom(1, 1.25, 1.5, 1.75), fc.constantFrom(-1, 1))
      .map(([exponent, mantissa, sign]) => sign * mantissa * 2 ** exponent),
    fc.constantFrom(0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2 ** -149, -(2 ** -126), 3.4028234663852886e38),
  ),
);

function counted(numbers: readonly number[]): Float64Array {
  const counts = new Float64Array(gradientCounters);
  const bits = new Int32Array(Float32Array.from([99, ...numbers, 99]).buffer);
  countInto(counts, bits, 1, 1 + numbers.length);
  return counts;
}

/** Bounds of the bucket of a number, without a look at its bits. */
function bucketOf(x: number): readonly [number, number] {
  const size = Math.abs(x);
  if (size < 2 ** -40) return [-(2 ** -40), 2 ** -40];
  let [from, to] = [2 ** 24, 2 ** 128];
  for (let exponent = -40; exponent < 24; exponent++) {
    for (let quarter = 0; quarter < 4; quarter++) {
      const [low, high] = [2 ** exponent * (1 + quarter / 4), 2 ** exponent * (1 + (quarter + 1) / 4)];
      if (low <= size && size < high) [from, to] = [low, high];
    }
  }
  return x > 0 ? [from, to] : [-to, -from];
}

test('every finite number is in the bucket of its bounds, and every other one is only counted', (t) => {
  fc.assert(
    fc.property(values, (numbers) => {
      const counts = counted(numbers);
      const finite = numbers.filter(Number.isFinite);
      t.is(nonFiniteOf(counts), numbers.length - finite.length);
      const expected = new Map<number, number>();
      for (const x of finite) expected.set(bucketOf(x)[1], (expected.get(bucketOf(x)[1]) ?? 0) + 1);
      const histogram = histogramOf(counts);
      t.is(histogram === undefined, finite.length === 0);
      if (!histogram) return;
      const limits = Array.from(histogram.limits);
      t.deepEqual(
        new Map(limits.map((limit, i) => [limit, histogram.counts[i]!] as const).filter(([, count]) => count > 0)),
        new Map([...expected].sort(([a], [b]) => a - b)),
      );
      t.deepEqual([histogram.min, histogram.max], [Math.min(...finite.map((x) => bucketOf(x)[0])), Math.max(...finite.map((x) => bucketOf(x)[1]))]);
      t.is(histogram.num, finite.length);
      // No bucket reaches over others: each starts where the one before ends.
      for (const x of finite) {
        const [from, to] = bucketOf(x);
        const at = limits.indexOf(to);
        t.is(at === 0 ? histogram.min : limits[at - 1], from);
      }
      t.true(limits.every((limit, i) => i === 0 || limit > limits[i - 1]!));
    }),
  );
});

test('sums are those of the middles of buckets', (t) => {
  const { sum, sumSquares, ...rest } = histogramOf(counted([1, 1.2, -3, 0, 2 ** -41, 2 ** 30]))!;
  t.is(sum, 1.125 + 1.125 - 3.25 + 2 ** 24);
  t.is(sumSquares, 2 * 1.125 ** 2 + 3.25 ** 2 + 2 ** 48);
  t.deepEqual(rest, {
    min: -3.5,
    max: 2 ** 128,
    num: 6,
    limits: [-3, -(2 ** -40), 2 ** -40, 1, 1.25, 2 ** 24, 2 ** 128],
    counts: [1, 0, 2, 0, 2, 0, 1],
  });
});

test('the sum of squares of numbers within the fine buckets is right within 27 %', (t) => {
  const fine = fc.array(fc.tuple(fc.float({ min: Math.fround(2 ** -40), max: 2 ** 23, noNaN: true }), fc.boolean()), { minLength: 1 });
  fc.assert(
    fc.property(fine, (numbers) => {
      const exact = numbers.reduce((total, [x]) => total + x * x, 0);
      const { sumSquares } = histogramOf(counted(numbers.map(([x, negative]) => (negative ? -x : x))))!;
      t.true(Math.abs(sumSquares - exact) <= 0.27 * exact, `${sumSquares} for ${exact}`);
    }),
  );
});

test('counts of several ranges add up, and without a finite number there is no histogram', (t) => {
  const counts = counted([1, 2]);
  countInto(counts, new Int32Array(Float32Array.of(1, Number.NaN).buffer), 0, 2);
  t.deepEqual(histogramOf(counts)!.counts, [2, 0, 1]);
  t.is(nonFiniteOf(counts), 1);
  t.is(histogramOf(counted([])), undefined);
  t.is(histogramOf(counted([Number.NaN, Number.NEGATIVE_INFINITY])), undefined);
});
