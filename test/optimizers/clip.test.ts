/**
 * Room: tests of optimizers. Clipping, from square sums to scaled gradients: by hand, against the reference cases, and at the
 * threshold, where not one bit may change.
 */
import test from 'ava';
import fc from 'fast-check';
import { createReferenceKernels } from '../../src/kernels/reference.ts';
import { Arena } from '../../src/memory/arena.ts';
import { cutBlocks } from '../../src/numerics/norm.ts';
import { type ClipConfig, type ClipOutcome, clip, clipOutcome } from '../../src/optimizers/clip.ts';
import { type OracleTensor, oracle } from '../fixtures/oracles.ts';

/** The outcome for these gradients, their square sums taken block by block, `first` places from the start. */
function outcomeOf(config: ClipConfig, gradients: readonly ArrayLike<number>[], first = 0): ClipOutcome {
  const blocks = cutBlocks(gradients.map(({ length }) => length));
  const squareSums = new Float64Array(first + blocks.count).fill(Number.NaN, 0, first);
  for (let i = 0; i < blocks.count; i++) {
    for (let k = 0; k < blocks.length[i]!; k++) squareSums[first + i]! += gradients[blocks.tensor[i]!]![blocks.start[i]! + k]! ** 2;
  }
  const outcome = clipOutcome(config, gradients.length);
  clip(outcome, config, blocks, squareSums, first);
  return outcome;
}

/** The clipped gradients: what an update of plain SGD with learning rate 1 subtracts. */
function clipped(config: ClipConfig, gradients: readonly ArrayLike<number>[]): Float32Array[] {
  const { tensorScale, limit } = outcomeOf(config, gradients);
  return gradients.map((gradient, tensor) => {
    const arena = Arena.create(8 * gradient.length + 64);
    const g = 64 + 4 * gradient.length;
    arena.f32.set(gradient, g >>> 2);
    createReferenceKernels(arena).sgd(64, 0, g, gradient.length, tensorScale[tensor]!, limit, 1, 0, 0);
    return arena.f32.slice(16, 16 + gradient.length).map((value) => 0 - value) as Float32Array;
  });
}

interface Clipping {
  readonly book: Record<'gradient' | 'byValue' | 'byNorm', number[]> & Record<'clipvalue' | 'clipnorm', number>;
  readonly gradients: readonly OracleTensor[];
  readonly globalNorm: number;
  readonly globalClipnorm: number;
  readonly clipnorm: number;
  readonly clipvalue: number;
  readonly byGlobalNorm: readonly OracleTensor[];
  readonly byTensorNorm: readonly OracleTensor[];
  readonly byValue: readonly OracleTensor[];
}
const cases = oracle<Clipping>('clipping');
const gradients = cases.gradients.map(({ data }) => data);

const near = (actual: ArrayLike<number>, expected: ArrayLike<number>): boolean => {
  const largest = Math.max(...Array.from(expected, Math.abs));
  return actual.length === expected.length && Array.from(expected).every((value, i) => Math.abs(actual[i]! - value) <= 1e-6 * largest);
};

test("the book's example: [0.9, 100] becomes [0.9, 1] by value and [0.00899964, 0.9999595] by norm", (t) => {
  t.deepEqual(clipped({ clipvalue: 1 }, [[0.9, 100]]), [Float32Array.of(0.9, 1)]);
  t.true(near(clipped({ clipnorm: 1 }, [[0.9, 100]])[0]!, [0.00899964, 0.9999595]));
  t.true(near(clipped({ globalClipnorm: 1 }, [[0.9, 100]])[0]!, [0.00899964, 0.9999595]));
  t.deepEqual(cases.book.gradient, [0.9, 100]);
});

test('the reference cases hold for all three clippers', (t) => {
  for (const [config, expected] of [
    [{ globalClipnorm: cases.globalClipnorm }, cases.byGlobalNorm],
    [{ clipnorm: cases.clipnorm }, cases.byTensorNorm],
    [{ clipvalue: cases.clipvalue }, cases.byValue],
  ] as const) {
    const actual = clipped(config, gradients);
    for (const [i, { data }] of expected.entries()) t.true(near(actual[i]!, data), `${JSON.stringify(config)}, tensor ${i}`);
  }
  t.true(near([outcomeOf({}, gradients).gradNorm], [cases.globalNorm]));
});

test('the norm is of all gradients before clipping, whatever the clipper', (t) => {
  for (const config of [{}, { clipvalue: 1 }, { clipnorm: 1 }, { globalClipnorm: 1 }]) t.is(outcomeOf(config, [[3], [0, 4]]).gradNorm, 5);
});

test('a gradient at or under the threshold is scaled by exactly 1, and over it by threshold / norm', (t) => {
  for (const clipper of ['clipnorm', 'globalClipnorm'] as const) {
    t.is(outcomeOf({ [clipper]: 5 }, [[3, 4]]).clipScale, 1, `${clipper} at`);
    t.is(outcomeOf({ [clipper]: 5.5 }, [[3, 4]]).clipScale, 1, `${clipper} under`);
    t.is(outcomeOf({ [clipper]: 4 }, [[3, 4]]).clipScale, 4 / 5, `${clipper} over`);
  }
});

const numbers = fc.array(fc.float({ noNaN: true, min: -1e6, max: 1e6 }), { minLength: 1, maxLength: 20 });

test('a gradient at or under the threshold is left alone bit for bit', (t) => {
  fc.assert(
    fc.property(fc.array(numbers, { minLength: 1, maxLength: 4 }), fc.constantFrom(1, 1.5, 1e9), (tensors, factor) => {
      const { gradNorm } = outcomeOf({}, tensors);
      const largest = Math.max(...tensors.flat().map(Math.abs));
      return [{ globalClipnorm: gradNorm * factor }, { clipnorm: gradNorm * factor }, { clipvalue: largest * factor }].every((config) =>
        // Plain SGD subtracts from 0, which loses the sign of a zero and nothing else.
        clipped(config, tensors).every((actual, i) => actual.every((value, k) => value === tensors[i]![k])),
      );
    }),
  );
  t.pass();
});

test('a clipped gradient is as long as the threshold says, and not a bit changes in direction beyond rounding', (t) => {
  fc.assert(
    fc.property(fc.array(numbers, { minLength: 1, maxLength: 4 }), (tensors) => {
      const { gradNorm } = outcomeOf({}, tensors);
      if (gradNorm < 1e-3) return true;
      const actual = clipped({ globalClipnorm: gradNorm / 3 }, tensors);
      return Math.abs(outcomeOf({}, actual).gradNorm - gradNorm / 3) <= 1e-6 * gradNorm;
    }),
  );
  t.pass();
});

test('clipnorm takes tensors one by one, and reports the smallest factor', (t) => {
  const { tensorScale, clipScale } = outcomeOf({ clipnorm: 5 }, [[3, 4], [30, 40], [6, 8], [0]]);
  t.deepEqual([...tensorScale], [1, 0.1, 0.5, 1]);
  t.is(clipScale, 0.1);
});

test('a tensor of several blocks is clipped by the norm of all of them', (t) => {
  const { tensorScale } = outcomeOf({ clipnorm: 10 }, [[1], new Float32Array(10_000).fill(1), [1]]);
  t.deepEqual([...tensorScale], [1, 0.1, 1]);
});

test('globalClipnorm gives all tensors one factor', (t) => {
  const { tensorScale, clipScale } = outcomeOf({ globalClipnorm: 1 }, [[3], [4]]);
  t.deepEqual([...tensorScale], [0.2, 0.2]);
  t.is(clipScale, 0.2);
});

test('0 and absent turn a clipper off', (t) => {
  for (const config of [{}, { clipvalue: 0 }, { clipnorm: 0 }, { globalClipnorm: 0 }]) {
    const { tensorScale, clipScale, limit } = outcomeOf(config, [[3e30, 4e30], [1]]);
    t.deepEqual([[...tensorScale], clipScale, limit], [[1, 1], 1, Number.POSITIVE_INFINITY], JSON.stringify(config));
  }
});

test('an outcome is written anew by every step', (t) => {
  for (const config of [{ clipnorm: 1 }, { globalClipnorm: 1 }]) {
    const blocks = cutBlocks([1, 1]);
    const outcome = clipOutcome(config, 2);
    clip(outcome, config, blocks, Float64Array.of(16, 9), 0);
    clip(outcome, config, blocks, Float64Array.of(0.25, 0), 0);
    t.deepEqual([outcome.gradNorm, outcome.clipScale, [...outcome.tensorScale]], [0.5, 1, [1, 1]]);
  }
});

test('square sums are read from where they are', (t) => {
  t.is(outcomeOf({ clipnorm: 1 }, [[3], [4]], 5).gradNorm, 5);
  t.deepEqual([...outcomeOf({ clipnorm: 1 }, [[2], [4]], 5).tensorScale], [0.5, 0.25]);
});

test('a norm that is not finite is told', (t) => {
  t.is(outcomeOf({ globalClipnorm: 1 }, [[Number.POSITIVE_INFINITY]]).gradNorm, Number.POSITIVE_INFINITY);
  t.is(outcomeOf({ globalClipnorm: 1 }, [[Number.NaN]]).gradNorm, Number.NaN);
});
