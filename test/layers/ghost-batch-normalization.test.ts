/**
 * Room: tests of layers. Normalisation shard by shard: each shard as a batch of its own would be normalised, with sums of gradients and means of statistics
 * over them.
 */
import test from 'ava';
import { shardStart } from '../../src/data/sampler.ts';
import { Network, numbers, relativeError } from '../contracts/network.ts';

const [channels, rows] = [5, 11];
const x = numbers(rows * channels, 1).map((value) => 3 * value + 1);
const dy = numbers(rows * channels, 2);
const weightNames = ['gamma', 'beta', 'moving_mean', 'moving_variance'] as const;

function network(count: number, shards: number, synchronized: boolean, inputShape: readonly number[] = [channels], axis = -1): Network {
  const made = new Network([{ type: 'batchNormalization', synchronized, axis, momentum: 0.75 }], { inputShape, rows: count, shards, kernels: 'wasm' });
  for (const [i, name] of weightNames.entries()) {
    const size = made.weights.get(`batch_normalization/${name}`)!.length;
    made.setWeight(
      `batch_normalization/${name}`,
      numbers(size, 10 + i).map((value) => 1.5 + value),
    );
  }
  return made;
}

/** Where shards begin and end in the batch. */
function cuts(shards: number): readonly (readonly [from: number, to: number])[] {
  return Array.from({ length: shards }, (_, s) => [shardStart(rows, shards, s), shardStart(rows, shards, s + 1)] as const);
}

for (const shards of [1, 2, 3, 5, 14]) {
  test(`${shards} shards are normalised as ${shards} batches`, (t) => {
    const ghost = network(rows, shards, false);
    const y = ghost.forward(x);
    const gradients = ghost.backward(dy);
    ghost.commit();
    const sums = new Map<string, Float64Array>();
    const statistics = new Map<string, Float64Array>();
    const whole = cuts(shards).filter(([from, to]) => to > from);
    const started = network(rows, 1, true).weights;
    for (const [from, to] of whole) {
      const alone = network(to - from, 1, true);
      const part = (values: Float32Array): Float32Array => values.subarray(from * channels, to * channels);
      t.deepEqual(part(y), alone.forward(part(x)), `y of rows ${from} to ${to}`);
      const own = alone.backward(part(dy));
      t.deepEqual(part(gradients.dx), own.dx, `dx of rows ${from} to ${to}`);
      alone.commit();
      for (const [name, values] of own.weights)
        sums.set(
          name,
          (sums.get(name) ?? new Float64Array(channels)).map((sum, i) => sum + values[i]!),
        );
      for (const name of ['batch_normalization/moving_mean', 'batch_normalization/moving_variance']) {
        const values = alone.weights.get(name)!;
        statistics.set(
          name,
          (statistics.get(name) ?? new Float64Array(channels)).map((sum, i) => sum + values[i]! / whole.length),
        );
      }
    }
    for (const [name, values] of gradients.weights) t.true(relativeError(values, sums.get(name)!) < 1e-6, name);
    for (const [name, values] of statistics) {
      t.true(relativeError(ghost.weights.get(name)!, values) < 1e-6, name);
      t.notDeepEqual(ghost.weights.get(name), started.get(name));
    }
  });
}

test('one shard is the synchronised layer, on any axis, in training and inference', (t) => {
  for (const [inputShape, axis] of [
    [[4, 3], -1],
    [[4, 3], 1],
  ] as const) {
    const [ghost, synced] = [network(6, 1, false, inputShape, axis), network(6, 1, true, inputShape, axis)];
    const input = numbers(72, 5);
    t.deepEqual(ghost.forward(input), synced.forward(input));
    t.deepEqual(ghost.backward(input), synced.backward(input));
    ghost.commit();
    synced.commit();
    t.deepEqual(ghost.forward(input, false), synced.forward(input, false));
    t.deepEqual(ghost.weights, synced.weights);
  }
});
