/** Room: tests of telemetry. What the live page makes of many points before it draws them; it needs no browser for that. */
import test from 'ava';
import fc from 'fast-check';

interface Point {
  readonly step: number;
  readonly loss: number | null;
  readonly accuracy?: number;
}

// For browsers, and so plain JavaScript without types.
const { grouped, smoothed, stepsAPoint } = (await import(new URL('../../src/telemetry/page/series.js', import.meta.url).href)) as {
  grouped(points: readonly Point[], steps: number): Point[];
  smoothed(values: readonly (number | null)[], reach: number): (number | null)[];
  stepsAPoint(points: readonly Point[], most: number): number;
};

const singles = (count: number): Point[] => Array.from({ length: count }, (_, i) => ({ step: i + 1, loss: i + 1 }));

test('steps a point are 1, 2 or 5 times a power of ten, and as few as leave no more points than wanted', (t) => {
  for (const [count, steps] of [
    [0, 1],
    [1, 1],
    [401, 1],
    [402, 2],
    [2001, 5],
    [4001, 10],
    [4002, 20],
  ] as const)
    t.is(stepsAPoint(singles(count), 400), steps, `${count} points`);
});

test('a group is the mean of its steps, whether it knows them singly or as means', (t) => {
  const means = [
    { step: 1, loss: 1 },
    { step: 4, loss: 3 },
    { step: 6, loss: 5.5 },
    { step: 8, loss: 7.5 },
    { step: 10, loss: 9.5 },
  ];
  for (const points of [singles(10), means])
    t.deepEqual(
      grouped(points, 4).map(({ step, loss }) => [step, loss]),
      [
        [4, 2.5],
        [8, 6.5],
        [10, 9.5],
      ],
    );
});

test('numbers that are missing count for nothing; without any there is none', (t) => {
  const points = [
    { step: 1, loss: null },
    { step: 2, loss: 6 },
    { step: 3, loss: null },
  ];
  t.deepEqual(
    grouped(points, 2).map(({ step, loss, accuracy }) => [step, loss, accuracy]),
    [
      [2, 6, null],
      [3, null, null],
    ],
  );
});

test('a smooth line stays between the numbers, keeps what is constant, does not lag and leaves gaps', (t) => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.double({ min: -10, max: 10, noNaN: true }))), (values) => {
      const there = values.filter((value) => value !== null);
      const between = (value: number) => value >= Math.min(...there) - 1e-9 && value <= Math.max(...there) + 1e-9;
      return smoothed(values, 3).every((value, i) => (values[i] === null || value === null ? value === values[i] : between(value)));
    }),
  );
  t.deepEqual(smoothed([4, 4, null, 4], 3), [4, 4, null, 4]);
  const rising = Array.from({ length: 101 }, (_, i) => i);
  t.true(Math.abs(smoothed(rising, 3)[50]! - 50) < 1e-4);
});
