/**
 * Room: tests of optimizers. Clipping by a percentile of norms: a run of norms by hand and against the formula, the window, and steps that are judged twice.
 */
import test from 'ava';
import fc from 'fast-check';
import { clipOutcome } from '../../src/optimizers/clip.ts';
import { PercentileClip } from '../../src/optimizers/percentile-clip.ts';
import { percentileOf } from '../percentile.ts';

/** The factor of each of these steps, of which those that are finite are applied. Every one is judged `times` times, also after it was applied. */
function factors(percent: number, history: number, norms: readonly number[], times = 1): number[] {
  const f64 = new Float64Array(5 + history).fill(Number.NaN);
  let updates = 0;
  return norms.map((gradNorm) => {
    const scales = new Set<number>();
    for (let i = 0; i < times; i++) {
      const clip = new PercentileClip(percent, history);
      const outcome = { ...clipOutcome({}, 2), gradNorm };
      clip.clip(outcome, f64, 5, updates);
      scales.add(outcome.clipScale);
      if (outcome.tensorScale.some((scale) => scale !== outcome.clipScale)) throw new Error('Expected one factor for all tensors.');
      if (Number.isFinite(gradNorm)) f64[5 + (updates % history)] = gradNorm;
    }
    if (Number.isFinite(gradNorm)) updates++;
    if (scales.size !== 1) throw new Error(`Expected one factor of a step, got ${[...scales].join(', ')}.`);
    return [...scales][0]!;
  });
}

test('the threshold is the percentile of the norms so far, the own one among them', (t) => {
  // Medians: 4; 3 of [2, 4]; 4 of [2, 4, 8]; 3 of [1, 2, 4, 8].
  t.deepEqual(factors(50, 1000, [4, 2, 8, 1]), [1, 1, 0.5, 1]);
  t.deepEqual(factors(50, 1000, [2, 4]), [1, 3 / 4]);
});

test('only the last norms count', (t) => {
  // Least of the last two, of which the own is one.
  t.deepEqual(factors(1e-300, 2, [4, 8, 16, 4, 2, 8]), [1, 0.5, 0.5, 1, 1, 0.25]);
  t.deepEqual(factors(10, 1, [4, 8, 2]), [1, 1, 1]);
});

test('norms that are not finite clip nothing and are not remembered', (t) => {
  t.deepEqual(factors(50, 3, [4, Number.NaN, 2, Number.POSITIVE_INFINITY, 8]), [1, 1, 1, 1, 0.5]);
});

test('the highest percentile clips nothing, and after norms of 0 a low one clips to 0', (t) => {
  t.deepEqual(factors(100, 10, [1, 2, 4, 8]), [1, 1, 1, 1]);
  t.deepEqual(factors(10, 20, [...new Array<number>(19).fill(0), 5]).at(-1), 0);
});

test('the formula for any norms, and a step that is judged again comes to the same', (t) => {
  const norm = fc.oneof({ weight: 5, arbitrary: fc.double({ min: 1e-3, max: 1e3, noNaN: true }) }, { weight: 1, arbitrary: fc.constant(Number.NaN) });
  fc.assert(
    fc.property(fc.array(norm, { maxLength: 40 }), fc.double({ min: 0.1, max: 100, noNaN: true }), fc.integer({ min: 1, max: 12 }), (norms, percent, history) => {
      const known: number[] = [];
      const expected = norms.map((gradNorm) => {
        if (!Number.isFinite(gradNorm)) return 1;
        known.push(gradNorm);
        return Math.min(1, percentileOf(known.slice(-history), percent) / gradNorm);
      });
      t.deepEqual(factors(percent, history, norms), expected);
      t.deepEqual(factors(percent, history, norms, 3), expected);
    }),
  );
});
