/** Room: tests of telemetry. The steps that the live page draws: bounded, in order, and their means right. */
import test from 'ava';
import fc from 'fast-check';
import { LockstepError } from '../../src/errors.ts';
import type { StepEvent } from '../../src/telemetry/events.ts';
import { LiveHistory } from '../../src/telemetry/live-history.ts';
import { step } from './live-run.ts';

/** Numbers that add up exactly, so that means can be compared exactly too. */
const plain = (number: number): StepEvent =>
  step(number, { loss: number, metrics: { accuracy: number / 1024 }, gradNorm: 2 * number, clipScale: 0.5, learningRate: 0.25, samples: 32, seconds: 1 / 64 });

function historyOf(capacity: number, steps: number): LiveHistory {
  const history = new LiveHistory(capacity);
  for (let number = 1; number <= steps; number++) history.add(plain(number));
  return history;
}

const near = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(b));

test('while there is room every step is a point of its own', (t) => {
  const history = historyOf(8, 8);
  t.deepEqual(
    history.points.map(({ step }) => step),
    [1, 2, 3, 4, 5, 6, 7, 8],
  );
  t.deepEqual(history.points[2], { step: 3, loss: 3, accuracy: 3 / 1024, gradNorm: 6, clipScale: 0.5, learningRate: 0.25, samplesPerSecond: 2048 });
});

test('without room neighbours become their mean, the latest quarter stays', (t) => {
  const points = historyOf(8, 9).points;
  t.deepEqual(
    points.map(({ step, loss }) => [step, loss]),
    [
      [2, 1.5],
      [4, 3.5],
      [6, 5.5],
      [7, 7],
      [8, 8],
      [9, 9],
    ],
  );
});

test('however long the run: no more points than there is room, in order, each the mean of its steps, the last exact, none lost', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 8, max: 60 }), fc.integer({ min: 1, max: 3000 }), (capacity, steps) => {
      const points = historyOf(capacity, steps).points;
      let before = 0;
      for (const point of points) {
        // The mean of before + 1 ... step.
        if (point.step <= before || !near(point.loss, (before + 1 + point.step) / 2) || !near(point.gradNorm, 2 * point.loss)) return false;
        if (point.samplesPerSecond !== 2048) return false;
        before = point.step;
      }
      return points.length <= capacity && before === steps && points.at(-1)!.loss === steps;
    }),
  );
  t.pass();
});

test('of a long run no part is forgotten: its beginning is as fine as its middle', (t) => {
  const points = historyOf(2000, 100_000).points;
  const widths = points.map(({ step }, i) => step - (points[i - 1]?.step ?? 0));
  t.is(Math.max(...widths.slice(0, -500)), 128);
  t.true(points.length > 1000);
});

test('what came after a step is told in few points, the last step alone', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 0, max: 400 }), fc.integer({ min: 2, max: 30 }), (known, more, atMost) => {
      const points = historyOf(2000, known + more).after(known, atMost);
      if (more === 0) return points.length === 0;
      let before = known;
      for (const point of points) {
        if (!near(point.loss, (before + 1 + point.step) / 2)) return false;
        before = point.step;
      }
      return points.length <= atMost && before === known + more && points.at(-1)!.loss === before && points.length >= Math.min(more, atMost / 2);
    }),
  );
  t.pass();
});

test('a number that is not finite or absent does not hide its neighbours', (t) => {
  const history = new LiveHistory(8);
  history.add(step(1, { loss: 3, metrics: {} }));
  history.add(step(2, { loss: Number.NaN, metrics: {}, gradNorm: Number.POSITIVE_INFINITY }));
  t.is(history.points[1]!.loss, Number.NaN);
  t.false('accuracy' in history.points[1]!);
  for (let number = 3; number <= 9; number++) history.add(step(number));
  t.is(history.points[0]!.step, 2);
  t.is(history.points[0]!.loss, 3);
  t.is(history.points[0]!.gradNorm, step(1).gradNorm);
  t.false('accuracy' in history.points[0]!);
});

test('a step that was there already makes an end of all from it on', (t) => {
  const history = historyOf(2000, 50);
  history.add(plain(31));
  t.is(history.step, 31);
  t.deepEqual(
    history.points.map(({ step }) => step),
    Array.from({ length: 31 }, (_, i) => i + 1),
  );
  history.add(plain(1));
  t.deepEqual(
    history.points.map(({ step }) => step),
    [1],
  );
});

test('there must be room for something', (t) => {
  const error = t.throws(() => new LiveHistory(7), { instanceOf: LockstepError });
  t.is(error.message, 'Expected `capacity` to be an integer >= 8, got `7`.');
});
