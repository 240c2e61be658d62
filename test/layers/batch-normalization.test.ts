/**
 * Room: tests of layers. BatchNormalization: what commit does to moving statistics, the cancellation case, and the texts of
 * wrong axes. Forward and backward are in contracts/layers.test.ts.
 */
import test from 'ava';
import type { LayerConfigInput } from '../../src/config/layers.ts';
import { parseLayer } from '../../src/config/parse.ts';
import { defineLayer } from '../../src/layers/define.ts';
import type { Shape } from '../../src/memory/shape.ts';
import { Network } from '../contracts/network.ts';

const define = (options: Omit<Extract<LayerConfigInput, { type: 'batchNormalization' }>, 'type'>, inputShape: Shape) =>
  defineLayer(parseLayer({ type: 'batchNormalization', ...options }), inputShape, 'model.layers[3]');

const moving = (network: Network): number[][] => ['moving_mean', 'moving_variance'].map((name) => [...network.weights.get(`batch_normalization/${name}`)!]);

test('commit moves the statistics as Keras does: biased variance, momentum of the old', (t) => {
  const network = new Network([{ type: 'batchNormalization', momentum: 0.75 }], { inputShape: [2], rows: 2 });
  // Channel 0 holds 0 and 4: mean 2, variance 4. Channel 1 holds -1 and -1: mean -1, variance 0.
  network.forward([0, -1, 4, -1]);
  t.deepEqual(moving(network), [
    [0, 0],
    [1, 1],
  ]);
  network.commit();
  t.deepEqual(moving(network), [
    [0.5, -0.25],
    [1.75, 0.75],
  ]);
  network.forward([0, -1, 4, -1]);
  network.commit();
  t.deepEqual(moving(network), [
    [0.875, -0.4375],
    [2.3125, 0.5625],
  ]);
});

test("momentum 1 keeps the statistics and momentum 0 takes the batch's", (t) => {
  for (const [momentum, expected] of [
    [1, [[0], [1]]],
    [0, [[2], [4]]],
  ] as const) {
    const network = new Network([{ type: 'batchNormalization', momentum }], { inputShape: [1], rows: 2 });
    network.forward([0, 4]);
    network.commit();
    t.deepEqual(
      moving(network),
      expected.map((values) => [...values]),
    );
  }
});

test('positions of a channel count as rows do', (t) => {
  const network = new Network([{ type: 'batchNormalization', momentum: 0 }], { inputShape: [2, 1], rows: 2, shards: 2 });
  network.forward([0, 2, 4, 6]);
  network.commit();
  t.deepEqual(moving(network), [[3], [5]]);
});

test('an empty batch changes nothing', (t) => {
  const network = new Network([{ type: 'batchNormalization', momentum: 0.5 }], { inputShape: [3], rows: 0, shards: 2 });
  network.forward([]);
  network.backward([]);
  network.commit();
  t.deepEqual(moving(network), [
    [0, 0, 0],
    [1, 1, 1],
  ]);
});

test('inference after a commit uses what was committed', (t) => {
  const network = new Network([{ type: 'batchNormalization', momentum: 0, epsilon: 1e-12 }], { inputShape: [1], rows: 2 });
  network.forward([0, 4]);
  network.commit();
  t.deepEqual([...network.forward([2, 6], false)], [0, 2]);
});

test('a mean near 1000, between two float32, with a spread of 0.01 is normalised', (t) => {
  const rows = 64;
  // Steps of 11 x 2^-14 from 1000 are exact in float32; their mean, 31.5 steps from it, is not.
  const step = 11 * 2 ** -14;
  const mean = 1000 + 31.5 * step;
  t.not(Math.fround(mean), mean);
  const x = Float32Array.from({ length: rows }, (_, i) => 1000 + ((i * 29) % rows) * step);
  const deviation = step * Math.sqrt((rows * rows - 1) / 12);
  for (const kernels of ['reference', 'wasm'] as const) {
    for (const shards of [1, 3, 64]) {
      const network = new Network([{ type: 'batchNormalization', epsilon: 1e-12 }], { inputShape: [1], rows, shards, kernels });
      network.forward(x).forEach((value, i) => {
        t.true(Math.abs(value - (x[i]! - mean) / deviation) < 1e-5, `row ${i} on ${kernels} with ${shards} shards: ${value}`);
      });
    }
  }
});

test('a channel that is constant in the batch gives beta, and no infinite gradient', (t) => {
  const network = new Network([{ type: 'batchNormalization' }], { inputShape: [1], rows: 4, shards: 3 });
  network.setWeight('batch_normalization/beta', [0.25]);
  t.deepEqual([...network.forward([0.1, 0.1, 0.1, 0.1])], [0.25, 0.25, 0.25, 0.25]);
  const { dx, weights } = network.backward([1, 2, 3, 4]);
  t.true(dx.every(Number.isFinite));
  t.deepEqual(
    [...weights.values()].map((values) => [...values]),
    [[0], [10]],
  );
});

test('weights are per channel, and only those that are wanted exist', (t) => {
  const names = (options: Parameters<typeof define>[0], inputShape: Shape): string[] =>
    define(options, inputShape).weights.map(({ name, shape, role }) => `${name} ${shape} ${role}`);
  t.deepEqual(names({}, [5, 7]), ['gamma 7 synced', 'beta 7 synced', 'moving_mean 7 state', 'moving_variance 7 state']);
  t.deepEqual(names({ axis: [1, 2] }, [5, 7]), ['gamma 35 synced', 'beta 35 synced', 'moving_mean 35 state', 'moving_variance 35 state']);
  t.deepEqual(names({ axis: 1, scale: false }, [5, 7]), ['beta 5 synced', 'moving_mean 5 state', 'moving_variance 5 state']);
  t.deepEqual(names({ center: false, scale: false }, [5]), ['moving_mean 5 state', 'moving_variance 5 state']);
  t.deepEqual(define({}, [5, 7]).outputShape, [5, 7]);
});

test('axes that the input does not have are refused with what there is', (t) => {
  const message = (axis: number | number[]): string | undefined => t.throws(() => define({ axis }, [28, 28]), { code: 'LOCKSTEP_SHAPE' })?.message;
  const sentence = (axis: string): string =>
    `Expected \`model.layers[3].axis\` to name different dimensions from 1 to 2 of (None, 28, 28), got ${axis}; 0 is the batch, -1 the last dimension.`;
  t.is(message(3), sentence('3'));
  t.is(message(-3), sentence('-3'), '-3 is the batch');
  t.is(message(-4), sentence('-4'));
  t.is(message([1, 3]), sentence('[1,3]'));
  t.is(message([2, -1]), sentence('[2,-1]'), 'the same dimension twice');
});

test('axis 0 is refused by the config already', (t) => {
  const error = t.throws(() => parseLayer({ type: 'batchNormalization', axis: 0 }), { code: 'LOCKSTEP_CONFIG' });
  t.regex(error?.message ?? '', /`layer\.axis`.*an axis: an integer other than 0 \(the batch\)/);
});
