/**
 * Room: tests of numerics. Merging moments and sums: any split of some numbers gives the moments of all of them.
 */
import test from 'ava';
import fc from 'fast-check';
import { mergeMoments, mergeSums } from '../../src/numerics/moments.ts';

/** Mean and sum of squared deviations by two passes; zeros for no numbers. */
function moments(values: readonly number[]): readonly [mean: number, m2: number] {
  if (values.length === 0) return [0, 0];
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return [mean, values.reduce((sum, value) => sum + (value - mean) * (value - mean), 0)];
}

function close(actual: number, expected: number, scale = Math.abs(expected)): boolean {
  return Math.abs(actual - expected) <= 1e-12 * scale;
}

/** The moments of the parts merged from left to right. */
function mergedParts(parts: readonly (readonly number[])[]): readonly [mean: number, m2: number] {
  const numbers = Float64Array.from(parts.flatMap(moments));
  let count = parts[0]!.length;
  for (const [i, part] of parts.entries()) {
    if (i === 0) continue;
    mergeMoments(numbers, 0, count, 2 * i, part.length, 1);
    count += part.length;
  }
  return [numbers[0]!, numbers[1]!];
}

const values = fc.double({ min: -1e3, max: 1e3, noNaN: true });

test('any split into parts, empty ones too, gives the moments of the whole', (t) => {
  fc.assert(
    fc.property(fc.array(fc.array(values, { maxLength: 9 }), { minLength: 1, maxLength: 9 }), (parts) => {
      const [mean, m2] = mergedParts(parts);
      const [wholeMean, wholeM2] = moments(parts.flat());
      const largest = Math.max(0, ...parts.flat().map(Math.abs));
      return close(mean, wholeMean, largest) && close(m2, wholeM2, wholeM2 + largest);
    }),
  );
  t.pass();
});

test('a mean of 1000 with a spread of 0.01 keeps its variance', (t) => {
  // Multiples of 2^-20 around 1000: sums of them are exact, so the expected moments are, too.
  const whole = Array.from({ length: 64 }, (_, i) => 1000 + (((i * 37) % 64) - 31.5) * 2 ** -11);
  const expected = 2 ** -22 * ((64 * (64 * 64 - 1)) / 12);
  for (const size of [1, 2, 7, 16, 33]) {
    const parts = Array.from({ length: Math.ceil(64 / size) }, (_, i) => whole.slice(i * size, (i + 1) * size));
    const [mean, m2] = mergedParts(parts);
    t.true(close(mean, 1000), `mean of parts of ${size}`);
    t.true(Math.abs(m2 - expected) < 1e-9 * expected, `m2 of parts of ${size} is ${m2}, expected ${expected}`);
  }
});

test('an empty part changes no bit, on either side', (t) => {
  const full = [0.1, 0.2, -0, 1 / 3];
  const right = Float64Array.from([...full, 9, 9, 9, 9]);
  mergeMoments(right, 0, 5, 4, 0, 2);
  t.deepEqual([...right], [...full, 9, 9, 9, 9]);
  const left = Float64Array.from([9, 9, 9, 9, ...full]);
  mergeMoments(left, 0, 0, 4, 5, 2);
  t.deepEqual([...left], [...full, ...full]);
  mergeMoments(left, 0, 0, 4, 0, 2);
  t.deepEqual([...left], [...full, ...full]);
});

test('channels do not mix, and only the block of A is written', (t) => {
  // Channel 0: {1, 3} and {5}; channel 1: {10, 20} and {40}.
  const numbers = Float64Array.from([7, 2, 15, 2, 50, 7, 5, 40, 0, 0, 7]);
  mergeMoments(numbers, 1, 2, 6, 1, 2);
  // m2 = m2A + m2B + delta^2 * countA * countB / n: 2 + 0 + 3^2 * 2/3 = 8, and 50 + 0 + 25^2 * 2/3 = 1400/3.
  t.deepEqual([...numbers.subarray(0, 2)], [7, 3]);
  t.true(close(numbers[2]!, 70 / 3));
  t.is(numbers[3], 8);
  t.true(close(numbers[4]!, 1400 / 3));
  t.deepEqual([...numbers.subarray(5)], [7, 5, 40, 0, 0, 7]);
});

test('sums are added elementwise', (t) => {
  const numbers = Float64Array.from([1, 2, 3, 0.1, 0.2, 0.3, 9]);
  mergeSums(numbers, 0, 3, 3);
  t.deepEqual([...numbers], [1.1, 2.2, 3.3, 0.1, 0.2, 0.3, 9]);
  mergeSums(numbers, 0, 3, 0);
  t.is(numbers[0], 1.1);
});
