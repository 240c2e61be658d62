/**
 * Room: tests of layers. First values: their ranges, their moments, and their bits, which must not change between versions.
 */
import test from 'ava';
import type { InitializerConfigInput } from '../../src/config/initializers.ts';
import { parseLayer } from '../../src/config/parse.ts';
import { defineLayer } from '../../src/layers/define.ts';
import { initialize } from '../../src/layers/initializers.ts';

const [inputs, units] = [60, 250];
const count = inputs * units;

/** First values of a dense kernel (60, 250). */
function kernel(kernelInitializer: InitializerConfigInput, seed = 1, index = 0): Float32Array {
  const [weight] = defineLayer(parseLayer({ type: 'dense', units, kernelInitializer }), [inputs], 'layer').weights;
  const values = new Float32Array(count);
  initialize(values, weight!, seed, index);
  return values;
}

const moments = (values: Float32Array): readonly [mean: number, variance: number] => {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return [mean, values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length];
};

/** Of n numbers of this variance and kurtosis, mean and variance within five standard deviations of what they should be. */
function isLike(values: Float32Array, mean: number, variance: number, kurtosis: number): boolean {
  const [actualMean, actualVariance] = moments(values);
  const n = values.length;
  return Math.abs(actualMean - mean) < 5 * Math.sqrt(variance / n) && Math.abs(actualVariance - variance) < 5 * variance * Math.sqrt((kurtosis - 1) / n);
}

/** A uniform distribution has a kurtosis of 9/5, a normal one 3; one cut at two deviations has less than 3. */
const [uniform, normal] = [1.8, 3];

test('constants are constant', (t) => {
  t.true(kernel('zeros').every((value) => Object.is(value, 0)));
  t.true(kernel('ones').every((value) => value === 1));
  t.true(kernel({ type: 'constant', value: 0.1 }).every((value) => value === Math.fround(0.1)));
});

test('uniform initialisers fill exactly their range', (t) => {
  const limits = [
    ['glorotUniform', Math.sqrt(6 / (inputs + units))],
    ['heUniform', Math.sqrt(6 / inputs)],
    ['leCunUniform', Math.sqrt(3 / inputs)],
    ['randomUniform', 0.05],
  ] as const;
  for (const [name, limit] of limits) {
    const values = kernel(name);
    const largest = values.reduce((a, b) => Math.max(a, b));
    const smallest = values.reduce((a, b) => Math.min(a, b));
    t.true(largest <= Math.fround(limit) && smallest >= -Math.fround(limit), name);
    t.true(largest > 0.998 * limit && smallest < -0.998 * limit, name);
    t.true(isLike(values, 0, (limit * limit) / 3, uniform), name);
  }
  const values = kernel({ type: 'randomUniform', minval: 2, maxval: 3 });
  t.true(values.every((value) => value >= 2 && value <= 3));
  t.true(isLike(values, 2.5, 1 / 12, uniform));
});

test('normal initialisers that scale with the fans have the variance that Keras gives them, cut at two deviations before scaling', (t) => {
  for (const [name, variance] of [
    ['glorotNormal', 2 / (inputs + units)],
    ['heNormal', 2 / inputs],
    ['leCunNormal', 1 / inputs],
  ] as const) {
    const values = kernel(name);
    const cut = (2 * Math.sqrt(variance)) / 0.8796256610342398;
    const largest = values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    t.true(largest <= Math.fround(cut) && largest > 0.99 * cut, name);
    t.true(isLike(values, 0, variance, normal), name);
  }
});

test('randomNormal and truncatedNormal have the deviation that they are given', (t) => {
  t.true(isLike(kernel('randomNormal'), 0, 0.05 ** 2, normal));
  t.true(isLike(kernel({ type: 'randomNormal', mean: 3, stddev: 2 }), 3, 4, normal));
  t.true(
    kernel('randomNormal').some((value) => Math.abs(value) > 0.11),
    'a normal number is not cut',
  );
  const truncated = kernel({ type: 'truncatedNormal', mean: 1, stddev: 0.5 });
  t.true(truncated.every((value) => value >= 0 && value <= 2));
  t.true(isLike(truncated, 1, (0.5 * 0.8796256610342398) ** 2, normal));
});

test('a normal number is as often beyond one, two and three deviations as it should be', (t) => {
  const values = kernel({ type: 'randomNormal', stddev: 1 });
  for (const [deviations, share] of [
    [1, 0.3173],
    [2, 0.0455],
    [3, 0.0027],
  ] as const) {
    const actual = values.filter((value) => Math.abs(value) > deviations).length / count;
    t.true(Math.abs(actual - share) < 5 * Math.sqrt((share * (1 - share)) / count), `beyond ${deviations}: ${actual}`);
  }
});

const random = ['glorotUniform', 'glorotNormal', 'heUniform', 'heNormal', 'leCunUniform', 'leCunNormal', 'randomUniform', 'randomNormal', 'truncatedNormal'] as const;

test('values differ by seed and by weight, and repeat for the same ones', (t) => {
  for (const name of random) {
    const values = kernel(name, 1, 0);
    t.deepEqual(kernel(name, 1, 0), values, name);
    for (const [seed, index] of [
      [2, 0],
      [1, 1],
      [1 + 2 ** 32, 0],
      [0, 1],
    ] as const)
      t.notDeepEqual(kernel(name, seed, index), values, `${name}, seed ${seed}, weight ${index}`);
    t.true(new Set(values).size > 0.95 * count, name);
  }
});

test('an element does not depend on how many there are', (t) => {
  const shape = [4, 250];
  for (const initializer of ['randomUniform', 'truncatedNormal'] as const) {
    const few = new Float32Array(1000);
    initialize(few, { name: 'kernel', shape, initializer, role: 'summed' }, 1, 0);
    t.deepEqual(few, kernel(initializer).subarray(0, 1000));
  }
});

test('fans of a vector are its length, as in Keras', (t) => {
  const bias = (biasInitializer: InitializerConfigInput): Float32Array => {
    const weight = defineLayer(parseLayer({ type: 'dense', units: 5000, biasInitializer }), [3], 'layer').weights[1];
    const values = new Float32Array(5000);
    initialize(values, weight!, 1, 0);
    return values;
  };
  t.true(isLike(bias('heUniform'), 0, 2 / 5000, uniform));
  t.true(isLike(bias('glorotNormal'), 0, 1 / 5000, normal));
});

/** The first four values for seed 42 and weight 3, as float32 bits. A change here changes every run that starts from a seed. */
const pinned: Readonly<Record<(typeof random)[number], readonly string[]>> = {
  glorotUniform: ['3dca7294', '3daba377', 'bd888d71', '3b38d454'],
  glorotNormal: ['3e20af60', '3e0041e9', 'bd132a97', '3d049ff1'],
  heUniform: ['3e6615b1', '3e4311de', 'be1b31a9', '3bd20fb9'],
  heNormal: ['3eb69efa', '3e91c43c', 'bda741be', '3d96bae6'],
  leCunUniform: ['3e22b1c9', '3e09ef68', 'bddb7a3a', '3b94892d'],
  leCunNormal: ['3e8121ef', '3e4e2520', 'bd6c896e', '3d552a1d'],
  randomUniform: ['3d1184b3', '3cf6bef6', 'bcc44e7d', '3a84dac1'],
  randomNormal: ['3daff862', '3d8c753d', 'bca12a64', '3c913da0'],
  truncatedNormal: ['3daff862', '3d8c753d', 'bca12a64', '3c913da0'],
};

test('the first values for a seed are the same bits in every version', (t) => {
  for (const name of random) {
    const bits = [...new Uint32Array(kernel(name, 42, 3).buffer, 0, 4)].map((word) => word.toString(16).padStart(8, '0'));
    t.deepEqual(bits, pinned[name], name);
  }
});

test('varianceScaling has the variance of its scale, mode and distribution', (t) => {
  for (const [mode, fan] of [
    ['fanIn', inputs],
    ['fanOut', units],
    ['fanAvg', (inputs + units) / 2],
  ] as const) {
    for (const distribution of ['normal', 'truncatedNormal', 'uniform'] as const) {
      const kurtosis = distribution === 'uniform' ? uniform : normal;
      t.true(isLike(kernel({ type: 'varianceScaling', scale: 3, mode, distribution }), 0, 3 / fan, kurtosis), `${mode} ${distribution}`);
    }
  }
  t.deepEqual(kernel({ type: 'varianceScaling', scale: 2, mode: 'fanIn', distribution: 'truncatedNormal' }), kernel('heNormal'));
});

test('identity has its gain on the diagonal', (t) => {
  const values = kernel({ type: 'identity', gain: 2 });
  t.true(values.every((value, i) => value === (Math.floor(i / units) === i % units ? 2 : 0)));
});

test('orthogonal rows, or columns where these are fewer, stand on each other with the length of the gain', (t) => {
  for (const [rows, columns] of [
    [inputs, units],
    [30, 7],
    [9, 9],
  ] as const) {
    const [weight] = defineLayer(parseLayer({ type: 'dense', units: columns, kernelInitializer: { type: 'orthogonal', gain: 1.5 } }), [rows], 'layer').weights;
    const values = new Float32Array(rows * columns);
    initialize(values, weight!, 4, 0);
    const wide = columns >= rows;
    const vector = (v: number): number[] => Array.from({ length: wide ? columns : rows }, (_, i) => values[wide ? v * columns + i : i * columns + v]!);
    for (let a = 0; a < Math.min(rows, columns); a++) {
      for (let b = a; b < Math.min(rows, columns); b++) {
        const other = vector(b);
        const product = vector(a).reduce((sum, value, i) => sum + value * other[i]!, 0);
        t.true(Math.abs(product - (a === b ? 2.25 : 0)) < 1e-5, `${rows} x ${columns}: ${a} and ${b}: ${product}`);
      }
    }
  }
});

test('fixup is heNormal made smaller by the number of blocks', (t) => {
  const he = kernel('heNormal');
  t.deepEqual(kernel({ type: 'fixup', blocks: 1, layersPerBlock: 2 }), he);
  // 16^(-1/2), 16^(-1/4), 27^(-1/6).
  for (const [blocks, layersPerBlock, factor] of [
    [16, 2, 0.25],
    [16, 3, 0.5],
    [27, 4, 1 / Math.sqrt(3)],
  ] as const) {
    const scaled = kernel({ type: 'fixup', blocks, layersPerBlock });
    t.true(
      scaled.every((value, i) => Math.abs(value - factor * he[i]!) <= 1e-7 * Math.abs(he[i]!)),
      `${blocks} blocks of ${layersPerBlock}`,
    );
  }
});
