/**
 * Room: tests of layers. Masked steps against the unmasked ones alone: the same statistics bit for bit, gradients by finite differences, batches of padding alone,
 * and what a mask may not meet.
 */
import test, { type ExecutionContext } from 'ava';
import type { LayerConfigInput } from '../../src/config/layers.ts';
import { layers } from '../../src/layers/factories.ts';
import { sequential } from '../../src/model/model.ts';
import { differences, meaning } from '../contracts/meaning.ts';
import { Network, numbers, relativeError } from '../contracts/network.ts';

const kernelSets = ['reference', 'wasm'] as const;
const chain = (synchronized = true): LayerConfigInput[] => [
  layers.masking(),
  layers.batchNormalization({ synchronized, momentum: 0.5, epsilon: 1e-3 }),
  layers.flatten(),
];

const near = (t: ExecutionContext, actual: ArrayLike<number>, expected: ArrayLike<number>): boolean =>
  t.true(relativeError(actual, expected) < 2e-5, `${Array.from(actual).join()} for ${Array.from(expected).join()}`);

/** Five rows of four steps of three features; the third row and some steps are padding. */
const [rows, steps, features] = [5, 4, 3];
const isPadding = (step: number): boolean => Math.floor(step / steps) === 2 || step % 3 === 1;
const padded = numbers(rows * steps * features, 3).map((value, i) => (isPadding(Math.floor(i / features)) ? 0 : value));
const unpadded = padded.filter((_, i) => !isPadding(Math.floor(i / features)));

for (const kernels of kernelSets) {
  for (const synchronized of [true, false]) {
    const told = `${synchronized ? 'synchronized' : 'ghost batches'}, ${kernels}`;

    test(`by hand: mean 2 and variance 1 of the steps 1 and 3, by which padding is normalised, too; ${told}`, (t) => {
      const network = new Network(chain(synchronized), { inputShape: [2, 1], rows: 2, kernels });
      const invStd = 1 / Math.sqrt(1 + 1e-3);
      near(t, network.forward([1, 0, 0, 3]), [-invStd, -2 * invStd, -2 * invStd, invStd]);
      // S1 = 4, S2 = -1 + 0 - 2 * 2 + 1 = -4, N = 2.
      const { dx, weights } = network.backward([1, 0, 2, 1]);
      const part = (dy: number, centred: number): number => invStd * (dy - 4 / 2 - (centred * invStd * invStd * -4) / 2);
      near(t, dx, [part(1, -1), 0, 0, part(1, 1)]);
      near(t, weights.get('batch_normalization/beta')!, [4]);
      near(t, weights.get('batch_normalization/gamma')!, [-4 * invStd]);
      network.commit();
      near(t, network.weights.get('batch_normalization/moving_mean')!, [1]);
      near(t, network.weights.get('batch_normalization/moving_variance')!, [1]);
    });

    test(`statistics have the bits of those of the unmasked steps alone; ${told}`, (t) => {
      const masked = new Network(chain(synchronized), { inputShape: [steps, features], rows, kernels });
      const alone = new Network(chain(synchronized).slice(1), { inputShape: [features], rows: unpadded.length / features, kernels });
      const y = masked.forward(padded).filter((_, i) => !isPadding(Math.floor(i / features)));
      t.deepEqual(y, alone.forward(unpadded));
      for (const [network, dy] of [[masked, padded] as const, [alone, unpadded] as const]) {
        network.backward(dy);
        network.commit();
      }
      t.deepEqual(masked.weights, alone.weights);
    });

    test(`a batch of padding alone is divided by the root of epsilon, and leaves moving statistics; ${told}`, (t) => {
      const network = new Network(chain(synchronized), { inputShape: [2, 3], rows: 3, shards: 2, kernels });
      const before = network.weights;
      network.setWeight('batch_normalization/beta', [1, 2, 3]);
      t.deepEqual([...network.forward(new Float32Array(18))], Array.from({ length: 6 }, () => [1, 2, 3]).flat());
      const { dx, weights } = network.backward(numbers(18, 5));
      t.deepEqual([...dx], [...new Float32Array(18)]);
      t.true([...weights.values()].every((gradient) => gradient.every(Number.isFinite)));
      network.commit();
      for (const name of ['moving_mean', 'moving_variance']) t.deepEqual(network.weights.get(`batch_normalization/${name}`), before.get(`batch_normalization/${name}`));
    });
  }

  test(`ghost batches: gradients are those of each shard by itself, and moving statistics the mean over shards with unmasked steps; ${kernels}`, (t) => {
    const network = new Network(chain(false), { inputShape: [steps, features], rows, shards: rows, kernels });
    const y = network.forward(padded);
    const dy = numbers(y.length, 8);
    const { dx } = network.backward(dy);
    const size = steps * features;
    const weights = new Map([...network.weights].map(([name, values]) => [name, Float64Array.from(values)]));
    let sum = new Float64Array(features);
    for (let row = 0; row < rows; row++) {
      const x = Float64Array.from(padded.subarray(row * size, (row + 1) * size));
      if (row === 2) {
        t.true(dx.subarray(row * size, (row + 1) * size).every((value) => value === 0));
        continue;
      }
      const f = (): Float64Array => meaning(network.plan.topology.layers, weights, x, true);
      near(t, y.subarray(row * size, (row + 1) * size), f());
      near(t, dx.subarray(row * size, (row + 1) * size), differences(x, dy.subarray(row * size, (row + 1) * size), f));
      const kept = [0, 1, 2, 3].filter((step) => !isPadding(row * steps + step));
      sum = sum.map((value, c) => value + kept.reduce((total, step) => total + x[step * features + c]!, 0) / kept.length);
    }
    network.commit();
    near(
      t,
      network.weights.get('batch_normalization/moving_mean')!,
      sum.map((value) => (0.5 * value) / (rows - 1)),
    );
  });

  test(`a frozen normalization, and inference, do not heed the mask; ${kernels}`, (t) => {
    const frozen = new Network([layers.masking(), layers.batchNormalization({ trainable: false }), layers.flatten()], { inputShape: [steps, features], rows, kernels });
    const y = frozen.forward(padded);
    t.deepEqual(frozen.forward(padded, false), y);
    const dy = numbers(y.length, 8);
    const invStd = 1 / Math.sqrt(1 + 1e-3);
    near(
      t,
      frozen.backward(dy).dx,
      dy.map((value, i) => (isPadding(Math.floor(i / features)) ? 0 : value * invStd)),
    );
  });
}

test('a step is masked when all of its features are the value in float32; -0 is 0', (t) => {
  const model = sequential([layers.masking({ maskValue: 0.1, inputShape: [3, 2] }), layers.flatten()]);
  model.initialize(1);
  const f = Math.fround;
  t.deepEqual([...model.predict(Float32Array.of(0.1, 0.1, 0.1, 0, 0, 0)).data], [0, 0, f(0.1), 0, 0, 0]);
  const zeros = sequential([layers.masking({ inputShape: [3, 1] }), layers.batchNormalization({ epsilon: 1e-3 }), layers.flatten()]);
  zeros.initialize(1);
  // The statistics of 4 alone.
  near(t, zeros.predict([[[-0], [4], [0]]], { training: true }).data, [-4 / Math.sqrt(1e-3), 0, -4 / Math.sqrt(1e-3)]);
});

test('a later masking decides alone', (t) => {
  const network = new Network(
    [layers.masking(), layers.batchNormalization({ epsilon: 1e-3 }), layers.masking({ maskValue: 7 }), layers.batchNormalization(), layers.flatten()],
    {
      inputShape: [2, 1],
      rows: 2,
    },
  );
  network.forward([1, 0, 0, 3]);
  network.backward([1, 1, 1, 1]);
  network.commit();
  // All four steps count: (-1 - 2 - 2 + 1) / 4.
  const mean = network.weights.get('batch_normalization_1/moving_mean')!;
  near(t, mean, [(-1 / Math.sqrt(1 + 1e-3)) * 0.01]);
});

test('a mask that reaches the output, or statistics over other axes, is refused', (t) => {
  const first = { inputShape: [3, 2] };
  t.is(
    t.throws(() => sequential([layers.masking(first), layers.dense({ units: 2 })]), { code: 'LOCKSTEP_CONFIG' })?.message,
    "Expected the mask of `masking` to end before the model's output, got one that reaches it, which losses do not know; put a flatten or a reshape behind the last normalization that is to heed it.",
  );
  for (const axis of [1, [1, 2]]) {
    t.is(
      t.throws(() => sequential([layers.masking(first), layers.batchNormalization({ axis }), layers.flatten()]), { code: 'LOCKSTEP_CONFIG' })?.message,
      `Expected \`model.layers[1].axis\` to be the last, -1, as a masking before it masks whole steps, got ${JSON.stringify(axis)}; change it, or put a flatten or a reshape between the two.`,
    );
  }
  t.is(
    t.throws(() => sequential([layers.masking(first), layers.batchNormalization(), layers.add({ from: ['masking', '@input'] }), layers.flatten()]), {
      code: 'LOCKSTEP_CONFIG',
    })?.message,
    'Expected `model.layers[2].from` to name layers whose outputs have the mask of `masking`, as its input, got no mask of `@input`; put the masking before both ways, or a flatten or a reshape into each.',
  );
  t.notThrows(() => sequential([layers.masking(first), layers.batchNormalization({ axis: [2] }), layers.flatten(), layers.batchNormalization({ axis: 1 })]));
  t.notThrows(() => sequential([layers.masking(first), layers.resizing({ height: 2, width: 2 }), layers.batchNormalization({ axis: [1, 2] })]));
});
