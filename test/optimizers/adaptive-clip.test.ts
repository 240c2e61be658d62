/**
 * Room: tests of optimizers. Adaptive clipping: units by hand, against the formula in float64, at the threshold, and whoever measures which columns.
 */
import test from 'ava';
import fc from 'fast-check';
import { type AdaptiveClipConfig, measureUnits, scaleByUnit } from '../../src/optimizers/adaptive-clip.ts';

interface Clipped {
  readonly factors: readonly number[];
  readonly gradient: readonly number[];
}

/** Units measured in `shares` parts, the gradient clipped in blocks of `block` numbers. */
function clip(config: AdaptiveClipConfig, columns: number, weights: readonly number[], gradient: readonly number[], shares = 1, block = 1000): Clipped {
  const count = weights.length;
  const f32 = Float32Array.of(...weights, ...gradient, ...gradient.map(() => Number.NaN));
  const f64 = new Float64Array(2 * columns).fill(Number.NaN);
  const grid = { rows: count / columns, columns };
  for (let share = 0; share < shares; share++) {
    const bound = (part: number): number => Math.floor((columns * part) / shares);
    measureUnits({ f32, f64 }, config, grid, bound(share), bound(share + 1), 0, count, 0, columns);
  }
  for (let start = 0; start < count; start += block) {
    scaleByUnit({ f32, f64 }, grid, start, Math.min(block, count - start), count + start, 0, 2 * count + start);
  }
  return { factors: [...f64.subarray(0, columns)], gradient: [...f32.subarray(2 * count)] };
}

/** Of a unit of one number. */
const unitFactor = (config: AdaptiveClipConfig, weight: number, gradient: number): number => clip(config, 1, [weight], [gradient]).factors[0]!;

test('a unit of a kernel is a column: each is held to its share of its own norm', (t) => {
  // Columns of weights: [3, 4] and [0, 1]; of gradients: [6, 8] and [0.25, 0].
  const { factors, gradient } = clip({ adaptiveClip: 0.5 }, 2, [3, 0, 4, 1], [6, 0.25, 8, 0]);
  t.deepEqual(factors, [2.5 / 10, 1]);
  t.deepEqual(gradient, [1.5, 0.25, 2, 0]);
});

test('a vector is one unit', (t) => {
  const { factors, gradient } = clip({ adaptiveClip: 0.5 }, 1, [3, 4, 0], [0, 6, 8]);
  t.deepEqual(factors, [0.25]);
  t.deepEqual(gradient, [0, 1.5, 2]);
});

test('weights shorter than epsilon count as long as that, by default 0.001', (t) => {
  t.is(unitFactor({ adaptiveClip: 0.01 }, 0, 1), 0.01 * 1e-3);
  t.is(unitFactor({ adaptiveClip: 0.01, adaptiveClipEpsilon: 0.5 }, 0.25, 1), 0.01 * 0.5);
  t.is(unitFactor({ adaptiveClip: 0.01, adaptiveClipEpsilon: 0.5 }, 2, 1), 0.01 * 2);
});

test('at the threshold and under it a gradient is left alone, bit for bit', (t) => {
  t.is(unitFactor({ adaptiveClip: 0.5 }, 4, 2), 1);
  t.is(unitFactor({ adaptiveClip: 0.5 }, 4, 2 + 2 ** -22), 2 / (2 + 2 ** -22));
  t.is(unitFactor({ adaptiveClip: 0.5 }, 4, 0), 1);
  const { gradient } = clip({ adaptiveClip: 1 }, 2, [1, 1, 1, 1], [-0, 0.1, 1e-40, -0.3]);
  t.true(gradient.every((value, i) => Object.is(value, Math.fround([-0, 0.1, 1e-40, -0.3][i]!))));
});

const grids = fc.record({ rows: fc.integer({ min: 1, max: 12 }), columns: fc.integer({ min: 1, max: 9 }) }).chain(({ rows, columns }) => {
  const values = (largest: number) => fc.array(fc.float({ noNaN: true, min: -largest, max: largest }), { minLength: rows * columns, maxLength: rows * columns });
  return fc.record({ columns: fc.constant(columns), weights: values(4), gradient: values(1) });
});

test('the formula in float64, for any weights and gradients', (t) => {
  const clippedAny = new Set<boolean>();
  fc.assert(
    fc.property(grids, fc.constantFrom(0.01, 0.1, 1), ({ columns, weights, gradient }, adaptiveClip) => {
      const norm = (values: readonly number[], unit: number): number => Math.hypot(...values.filter((_, i) => i % columns === unit));
      const actual = clip({ adaptiveClip }, columns, weights, gradient);
      return gradient.every((g, i) => {
        const most = adaptiveClip * Math.max(norm(weights, i % columns), 1e-3);
        const length = norm(gradient, i % columns);
        clippedAny.add(length > most);
        const expected = length > most ? (g * most) / length : g;
        return Math.abs(actual.gradient[i]! - expected) <= 1e-7 * Math.abs(expected) + 1e-44;
      });
    }),
    { seed: 20_210_211 },
  );
  t.is(clippedAny.size, 2);
});

test('it does not matter who measures which units, nor how a tensor is cut into blocks', (t) => {
  fc.assert(
    fc.property(grids, fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 }), ({ columns, weights, gradient }, shares, block) => {
      t.deepEqual(clip({ adaptiveClip: 0.1 }, columns, weights, gradient, shares, block), clip({ adaptiveClip: 0.1 }, columns, weights, gradient));
    }),
  );
});
