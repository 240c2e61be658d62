/**
 * Room: tests of kernels. Every elementwise activation and softmax of every kernel set, forward and backward: at most
 * 2 ulp from the reference on dense sweeps, the same bits in place, at any address and at any position of a vector.
 */
import test from 'ava';
import { activationCode, activationNeedsInput, type ElementwiseActivation, type Kernels } from '../../../src/kernels/contract.ts';
import { floatsAt, kernelSets, randomFloats, TensorSpace } from './sets.ts';
import { sameBits, ulpsBetween } from './ulps.ts';

const reference = kernelSets[0]!;
const names = Object.keys(activationCode) as ElementwiseActivation[];

/** Every kind of float32: edges, then a fine grid where the functions bend, a coarse one for the tails, and all magnitudes. */
const sweep = Float32Array.from([
  0,
  -0,
  1e-20,
  -1e-20,
  1e-45,
  -1e-45,
  1.2e-38,
  -1.2e-38,
  3e38,
  -3e38,
  Infinity,
  -Infinity,
  NaN,
  -0.625,
  0.625,
  -0.75179,
  -1.27846,
  ...Array.from({ length: 8001 }, (_, i) => (i - 4000) / 997),
  ...Array.from({ length: 4001 }, (_, i) => (i - 2000) / 17.3),
  ...Array.from({ length: 600 }, (_, i) => (i % 2 === 0 ? 1 : -1) * 2 ** ((i - 400) / 3)),
]);

interface Forward {
  readonly y: Float32Array;
  /** What x holds afterwards: the pre-activation, or y when in place. */
  readonly z: Float32Array;
}

interface Options {
  readonly alpha?: number;
  readonly bias?: Float32Array;
  readonly columns?: number;
  readonly inPlace?: boolean;
  readonly shift?: number;
}

function forward(kernels: Kernels, name: ElementwiseActivation, values: Float32Array, options: Options = {}): Forward {
  const { alpha = 1, bias, columns = values.length, inPlace = false, shift = 0 } = options;
  const space = new TensorSpace();
  const x = space.floats(values, shift);
  const b = bias ? space.floats(bias, shift) : 0;
  const y = inPlace
    ? x
    : space.floats(
        values.map(() => 7),
        shift,
      );
  kernels.biasActivation(activationCode[name], alpha, x, b, y, values.length / columns, columns);
  return { y: floatsAt(y, values.length), z: floatsAt(x, values.length) };
}

function backward(kernels: Kernels, name: ElementwiseActivation, dy: Float32Array, { z, y }: Forward, options: Options = {}): Float32Array {
  const { alpha = 1, inPlace = false, shift = 0 } = options;
  const space = new TensorSpace();
  const at = space.floats(dy, shift);
  const dx = inPlace
    ? at
    : space.floats(
        dy.map(() => 7),
        shift,
      );
  kernels.activationBackward(activationCode[name], alpha, at, space.floats(z, shift), space.floats(y, shift), dx, dy.length);
  return floatsAt(dx, dy.length);
}

for (const kernels of kernelSets) {
  for (const name of names) {
    for (const alpha of [1, 0.3]) {
      test(`${kernels.set}: ${name} (alpha ${alpha}) is at most 2 ulp from the reference`, (t) => {
        const expected = forward(reference, name, sweep, { alpha }).y;
        const actual = forward(kernels, name, sweep, { alpha }).y;
        sweep.forEach((x, i) => {
          t.true(ulpsBetween(actual[i]!, expected[i]!) <= 2, `${name}(${x}) is ${actual[i]}, expected ${expected[i]}`);
        });
      });

      test(`${kernels.set}: the slope of ${name} (alpha ${alpha}) is the reference's`, (t) => {
        const at = forward(reference, name, sweep, { alpha });
        const dy = randomFloats(sweep.length, 5);
        const expected = backward(reference, name, dy, at, { alpha });
        const actual = backward(kernels, name, dy, at, { alpha });
        sweep.forEach((x, i) => {
          const tail = activationNeedsInput.has(name) && x < -4;
          const near = !tail && Math.abs(actual[i]! - expected[i]!) <= 4 * 2 ** -24 * Math.abs(dy[i]!);
          t.true(near || ulpsBetween(actual[i]!, expected[i]!) <= 4, `${name}'(${x}) * ${dy[i]} is ${actual[i]}, expected ${expected[i]}`);
        });
      });
    }

    test(`${kernels.set}: ${name} gives the same bits in place, at odd addresses, and in bodies and tails`, (t) => {
      const dy = randomFloats(sweep.length, 6);
      const whole = forward(kernels, name, sweep);
      const slopes = backward(kernels, name, dy, whole);
      t.true(sameBits(whole.z, sweep), 'x is left alone without a bias');
      t.true(sameBits(forward(kernels, name, sweep, { inPlace: true }).y, whole.y));
      t.true(sameBits(forward(kernels, name, sweep, { shift: 4 }).y, whole.y));
      t.true(sameBits(backward(kernels, name, dy, whole, { inPlace: true }), slopes));
      t.true(sameBits(backward(kernels, name, dy, whole, { shift: 12 }), slopes));
      for (const count of [1, 2, 3, 5, 6, 7]) {
        for (let first = 0; first + count <= 1200; first += count) {
          const part = (values: Float32Array): Float32Array => values.slice(first, first + count);
          const y = forward(kernels, name, part(sweep)).y;
          t.true(sameBits(y, part(whole.y)), `${count} numbers from ${first}`);
          t.true(sameBits(backward(kernels, name, part(dy), { z: part(whole.z), y }), part(slopes)), `${count} slopes from ${first}`);
        }
      }
    });

    test(`${kernels.set}: ${name} adds the bias of each column and leaves the pre-activation in x`, (t) => {
      for (const columns of [1, 2, 3, 4, 5, 7, 8, 10, 13, 300]) {
        const x = randomFloats(5 * columns, columns).map((value) => 4 * value);
        const bias = randomFloats(columns, 99);
        const z = x.map((value, i) => Math.fround(value + bias[i % columns]!));
        const expected = forward(kernels, name, z).y;
        const apart = forward(kernels, name, x, { bias, columns });
        const inPlace = forward(kernels, name, x, { bias, columns, inPlace: true });
        t.true(sameBits(apart.y, expected), `${columns} columns`);
        t.true(sameBits(apart.z, z), `${columns} columns, pre-activation`);
        t.true(sameBits(inPlace.y, expected), `${columns} columns in place`);
      }
    });
  }

  test(`${kernels.set}: no rows, no columns, no count: nothing is written`, (t) => {
    const space = new TensorSpace();
    const x = space.floats(new Float32Array([1, 2, 3, 4]));
    const y = space.floats(new Float32Array([5, 6, 7, 8]));
    for (const name of names) {
      kernels.biasActivation(activationCode[name], 1, x, x, y, 0, 4);
      kernels.biasActivation(activationCode[name], 1, x, 0, y, 4, 0);
      kernels.activationBackward(activationCode[name], 1, x, x, x, y, 0);
    }
    kernels.softmax(x, y, 0, 4);
    kernels.softmax(x, y, 4, 0);
    kernels.softmaxBackward(x, x, y, 0, 4);
    kernels.softmaxBackward(x, x, y, 4, 0);
    t.deepEqual([...floatsAt(x, 4), ...floatsAt(y, 4)], [1, 2, 3, 4, 5, 6, 7, 8]);
  });
}

for (const name of names) {
  test(`reference: the slope of ${name} is its central difference`, (t) => {
    const h = 2 ** -6;
    const x = randomFloats(500, 3)
      .map((value) => Math.round(256 * 5 * value) / 256)
      .filter((value) => Math.abs(value) > h);
    const [after, before] = [h, -h].map(
      (step) =>
        forward(
          reference,
          name,
          x.map((value) => value + step),
          { alpha: 0.5 },
        ).y,
    );
    const slopes = backward(
      reference,
      name,
      x.map(() => 1),
      forward(reference, name, x, { alpha: 0.5 }),
      { alpha: 0.5 },
    );
    x.forEach((value, i) => {
      t.true(Math.abs((after![i]! - before![i]!) / (2 * h) - slopes[i]!) < 2e-4, `${name}'(${value})`);
    });
  });
}

test('activationNeedsInput names just the activations whose backward reads z', (t) => {
  for (const name of names) {
    const x = randomFloats(40, 8);
    const at = forward(reference, name, x, { alpha: 0.5 });
    const [needed, other]: readonly (keyof Forward)[] = activationNeedsInput.has(name) ? ['z', 'y'] : ['y', 'z'];
    const dy = x.map(() => 1);
    const slopes = backward(reference, name, dy, at, { alpha: 0.5 });
    for (const kernels of kernelSets) {
      const without = backward(kernels, name, dy, { ...at, [other!]: x.map(() => NaN) }, { alpha: 0.5 });
      t.true(
        without.every((slope, i) => ulpsBetween(slope, slopes[i]!) <= 8),
        `${kernels.set}: ${name} reads ${needed}`,
      );
    }
  }
});
