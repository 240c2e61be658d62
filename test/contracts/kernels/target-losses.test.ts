/**
 * Room: tests of kernels. The losses on target values of every kernel set and their gradients, against the reference, worked
 * examples and finite differences; NaN never hides.
 */
import test from 'ava';
import { type Kernels, type TargetLossCode, targetLossCode } from '../../../src/kernels/contract.ts';
import { arena, floatsAt, kernelSets, randomFloats, TensorSpace } from './sets.ts';
import { sameBits } from './ulps.ts';

const reference = kernelSets[0]!;
const lengths = [1, 2, 3, 4, 5, 6, 7, 8, 13, 100];

interface Result {
  readonly loss: number;
  readonly second: number;
  readonly gradient: Float32Array;
}

/** A kernel over rows of `columns` predictions: where they are, their targets, the gradient, then rows, columns, divisor and sums. */
type Call = (kernels: Kernels, p: number, t: number, dp: number, rows: number, columns: number, divisor: number, sums: number) => void;

interface Subject {
  readonly title: string;
  readonly call: Call;
  /** Whether predictions and targets are shares of 1. */
  readonly isShare: boolean;
  /** False where a kernel set has an exponential of its own. */
  readonly isExact: boolean;
}

function pointwise(name: keyof typeof targetLossCode, parameter: number): Subject {
  const code: TargetLossCode = targetLossCode[name];
  return {
    title: `${name} ${parameter}`,
    call: (kernels, p, t, dp, rows, columns, divisor, sums) => kernels.targetLoss(code, parameter, p, t, dp, rows, columns, divisor, sums),
    isShare: name === 'kullbackLeiblerDivergence',
    isExact: name !== 'binaryCrossentropy',
  };
}

function crossentropy(smoothing: number): Subject {
  return {
    title: `categoricalCrossentropy ${smoothing}`,
    call: (kernels, p, t, dp, rows, columns, divisor, sums) => kernels.categoricalCrossentropy(p, t, dp, rows, columns, smoothing, divisor, sums),
    isShare: false,
    isExact: false,
  };
}

const categoricalHinge: Subject = {
  title: 'categoricalHinge',
  call: (kernels, p, t, dp, rows, columns, divisor, sums) => kernels.categoricalHinge(p, t, dp, rows, columns, divisor, sums),
  isShare: false,
  isExact: true,
};

const subjects: readonly Subject[] = [
  pointwise('meanAbsoluteError', 0),
  pointwise('huber', 1),
  pointwise('huber', 0.3),
  pointwise('hinge', 0),
  pointwise('squaredHinge', 0),
  pointwise('binaryCrossentropy', 0),
  pointwise('binaryCrossentropy', 0.2),
  pointwise('kullbackLeiblerDivergence', 0),
  crossentropy(0),
  crossentropy(0.1),
  categoricalHinge,
];

interface Options {
  readonly divisor?: number;
  /** Where the gradient goes: to a tensor of its own, over the predictions, or nowhere. */
  readonly into?: 'own' | 'place' | 'none';
}

function run({ call }: Subject, kernels: Kernels, p: ArrayLike<number>, t: ArrayLike<number>, columns: number, { divisor = 1, into = 'own' }: Options = {}): Result {
  const space = new TensorSpace();
  const x = space.floats(Float32Array.from(p));
  const dx = { own: space.bytes(4 * p.length), place: x, none: 0 }[into];
  const sums = space.bytes(16);
  call(kernels, x, space.floats(Float32Array.from(t)), dx, p.length / columns, columns, divisor, sums);
  return { loss: arena.f64[sums >>> 3]!, second: arena.f64[(sums >>> 3) + 1]!, gradient: floatsAt(dx, p.length) };
}

/** Targets of every kind: 0, 1, -1 and shares between. */
function targets(count: number, { isShare }: Subject): Float32Array {
  const values = randomFloats(count, 17);
  if (isShare) return values.map(Math.abs);
  return values.map((value, i) => [0, 1, -1, Math.abs(value)][i % 4]!);
}

function near(actual: number, expected: number, bound: number): boolean {
  return Math.abs(actual - expected) <= bound * Math.abs(expected);
}

for (const subject of subjects) {
  for (const kernels of kernelSets) {
    test(`${kernels.set}: ${subject.title} is the reference's, for any number of columns`, (t) => {
      for (const columns of lengths) {
        for (const spread of [0.5, 3, 40]) {
          const p = randomFloats(11 * columns, columns).map((value) => (subject.isShare ? Math.abs(value) : spread * value));
          const target = targets(11 * columns, subject);
          const expected = run(subject, reference, p, target, columns, { divisor: 11 });
          const actual = run(subject, kernels, p, target, columns, { divisor: 11 });
          // What cancels is as small as the rounding of what it came from.
          t.true(
            Math.abs(actual.loss - expected.loss) <= 2 ** -22 * Math.abs(expected.loss) + (subject.isExact ? 1e-13 : 2 ** -24 * spread),
            `${columns}: ${actual.loss}, ${expected.loss}`,
          );
          t.is(actual.second, 0);
          if (subject.isExact) t.true(sameBits(actual.gradient, expected.gradient));
          actual.gradient.forEach((g, i) => {
            t.true(Math.abs(g - expected.gradient[i]!) <= 2 ** -21 * Math.abs(g) + 2 ** -27, `gradient[${i}] is ${g}, expected ${expected.gradient[i]}`);
          });
          const inPlace = run(subject, kernels, p, target, columns, { divisor: 11, into: 'place' });
          t.true(sameBits(inPlace.gradient, actual.gradient));
          for (const other of [inPlace, run(subject, kernels, p, target, columns, { into: 'none' })]) t.is(other.loss, actual.loss);
        }
      }
    });

    test(`${kernels.set}: ${subject.title}: a prediction that is NaN or infinite shows in the sum, wherever it stands`, (t) => {
      for (const columns of [1, 2, 3, 4, 5, 8, 10]) {
        for (let column = 0; column < columns; column++) {
          for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
            for (const side of [0, 1]) {
              const p = randomFloats(2 * columns, 4).map(Math.abs);
              p[column] = bad;
              const { loss } = run(subject, kernels, p, new Float32Array(2 * columns).fill(side), columns);
              t.false(Number.isFinite(loss), `${bad} in column ${column} of ${columns} for a target of ${side}: ${loss}`);
            }
          }
        }
      }
    });

    test(`${kernels.set}: ${subject.title}: no rows or no columns give sums of 0`, (t) => {
      const space = new TensorSpace();
      const x = space.floats(new Float32Array([1, 2]));
      const sums = space.bytes(16);
      for (const [rows, columns] of [
        [0, 2],
        [2, 0],
      ] as const) {
        arena.f64.fill(9, sums >>> 3, (sums >>> 3) + 2);
        subject.call(kernels, x, x, x, rows, columns, 1, sums);
        t.deepEqual([...arena.f64.subarray(sums >>> 3, (sums >>> 3) + 2)], [0, 0]);
      }
      t.deepEqual([...floatsAt(x, 2)], [1, 2]);
    });
  }

  test(`reference: the gradient of ${subject.title} is the central difference of the loss`, (t) => {
    const h = 2 ** -10;
    // Away from the corners: multiples of 1 / 8 that are off by 1 / 16, and differ in a row.
    const x = randomFloats(12, 9).map((value, i) => Math.round(subject.isShare ? 4 * Math.abs(value) : 16 * value) / 8 + 1 / 16 + (i % 4) / 128);
    const target = subject.isShare ? targets(12, subject) : Float32Array.from({ length: 12 }, (_, i) => (i % 4 === i >> 2 ? 1 : 0));
    const { gradient } = run(subject, reference, x, target, 4);
    x.forEach((_, i) => {
      const at = (step: number): number =>
        run(
          subject,
          reference,
          x.map((value, j) => (i === j ? value + step : value)),
          target,
          4,
        ).loss;
      t.true(Math.abs((at(h) - at(-h)) / (2 * h) - gradient[i]!) < 2e-4 * Math.max(1, Math.abs(gradient[i]!)), `${i}: ${(at(h) - at(-h)) / (2 * h)}, ${gradient[i]}`);
    });
  });
}

for (const kernels of kernelSets) {
  const of = (subject: Subject, p: readonly number[], t: readonly number[], columns = p.length, options: Options = {}): [number, number[]] => {
    const { loss, gradient } = run(subject, kernels, p, t, columns, options);
    return [loss, [...gradient]];
  };

  test(`${kernels.set}: worked examples`, (t) => {
    t.deepEqual(of(pointwise('meanAbsoluteError', 0), [1, 5, 2, 0], [2, 2, 2, 0.5], 2), [2.25, [-0.5, 0.5, 0, -0.5]]);
    // Within delta 0.5^2 / 2, beyond it 1 (3 - 1 / 2).
    t.deepEqual(of(pointwise('huber', 1), [0.5, -3], [0, 0]), [(0.125 + 2.5) / 2, [0.25, -0.5]]);
    t.deepEqual(of(pointwise('hinge', 0), [0.5, 2, 0.5], [1, 1, 0], 1), [0.5 + 1.5, [-1, 0, 1]]);
    t.deepEqual(of(pointwise('squaredHinge', 0), [0.5, 2], [1, -1]), [(0.25 + 9) / 2, [-0.5, 3]]);
    // The best wrong class has 3, the right one 2: 1 + 3 - 2.
    t.deepEqual(of(categoricalHinge, [2, 3, 1], [1, 0, 0]), [2, [-1, 1, 0]]);
    t.deepEqual(of(categoricalHinge, [5, 3, 1], [1, 0, 0]), [0, [0, 0, 0]]);
    const [loss, gradient] = of(pointwise('binaryCrossentropy', 0), [0, 0], [0, 1], 1, { divisor: 2 });
    t.true(near(loss, 2 * Math.LN2, 1e-9));
    t.deepEqual(gradient, [0.25, -0.25]);
    const [divergence] = of(pointwise('kullbackLeiblerDivergence', 0), [0.25, 0.75], [0.5, 0.5]);
    t.true(near(divergence, 0.5 * Math.log(2) + 0.5 * Math.log(0.5 / 0.75), 1e-13));
    t.deepEqual(of(pointwise('kullbackLeiblerDivergence', 0), [0, 1.5], [1, 0])[1], [0, 0], 'outside of [1e-7, 1] the loss is flat');
    const [doubt, slopes] = of(crossentropy(0.5), [0, 0], [1, 0]);
    t.true(near(doubt, Math.LN2, 1e-9));
    t.deepEqual(slopes, [-0.25, 0.25]);
  });

  test(`${kernels.set}: sure and right predictions have tiny losses and gradients with full relative accuracy`, (t) => {
    const tiny = 9.357622968839299e-14;
    for (const [logit, target, sign] of [
      [30, 1, -1],
      [-30, 0, 1],
    ] as const) {
      const [loss, [slope]] = of(pointwise('binaryCrossentropy', 0), [logit], [target]);
      t.true(near(loss, tiny, 1e-6) && near(slope!, sign * tiny, 1e-6), `${loss}, ${slope}`);
    }
    const wrong = of(pointwise('binaryCrossentropy', 0), [200], [0]);
    t.deepEqual(wrong, [200, [1]]);
    t.deepEqual(of(pointwise('binaryCrossentropy', 0), [2000, -2000], [0, 1], 1), [4000, [1, -1]]);
  });

  test(`${kernels.set}: on one-hot targets the crossentropy is that of class labels`, (t) => {
    const logits = randomFloats(35, 3).map((value) => 4 * value);
    const labels = [1, 0, 4, 2, 2, 3, 1];
    const oneHot = labels.flatMap((label) => [0, 1, 2, 3, 4].map((c) => (c === label ? 1 : 0)));
    const space = new TensorSpace();
    const [x, at, dx, sums] = [space.floats(logits), space.bytes(28), space.bytes(140), space.bytes(16)];
    arena.i32.set(labels, at >>> 2);
    kernels.sparseCrossentropy(x, at, dx, 7, 5, 7, sums);
    const [loss, gradient] = [arena.f64[sums >>> 3]!, floatsAt(dx, 35)];
    const dense = run(crossentropy(0), kernels, logits, oneHot, 5, { divisor: 7 });
    t.true(near(dense.loss, loss, 1e-12));
    dense.gradient.forEach((g, i) => {
      t.true(near(g, gradient[i]!, 2 ** -20));
    });
  });
}
