/**
 * Room: tests of layers. Noise: how it is distributed, that it does not depend on who computes it, and that there is none outside training.
 */
import test from 'ava';
import type { LayerConfigInput } from '../../src/config/layers.ts';
import { Network, type NetworkOptions } from '../contracts/network.ts';

const [rows, size] = [500, 41];
const count = rows * size;

const network = (layer: LayerConfigInput, options: Partial<NetworkOptions> = {}): Network =>
  new Network([layer], { inputShape: [size], rows, kernels: 'wasm', ...options });
const noise: LayerConfigInput = { type: 'gaussianNoise', stddev: 0.5 };
const alpha: LayerConfigInput = { type: 'alphaDropout', rate: 0.3 };

function moments(values: Float32Array): { mean: number; variance: number; kurtosis: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const central = (power: number): number => values.reduce((sum, value) => sum + (value - mean) ** power, 0) / values.length;
  return { mean, variance: central(2), kurtosis: central(4) / central(2) ** 2 };
}

test('gaussianNoise adds normal numbers of its deviation, independent from one another', (t) => {
  const added = network(noise)
    .forward(new Float32Array(count).fill(2))
    .map((value) => value - 2);
  const { mean, variance, kurtosis } = moments(added);
  t.true(Math.abs(mean) < (5 * 0.5) / Math.sqrt(count), `mean ${mean}`);
  t.true(Math.abs(variance - 0.25) < 5 * 0.25 * Math.sqrt(2 / count), `variance ${variance}`);
  t.true(Math.abs(kurtosis - 3) < 5 * Math.sqrt(24 / count), `kurtosis ${kurtosis}`);
  for (const lag of [1, 2, 3, 4, size]) {
    let product = 0;
    for (let i = lag; i < count; i++) product += added[i]! * added[i - lag]!;
    t.true(Math.abs(product / count) < (5 * 0.25) / Math.sqrt(count), `lag ${lag}: ${product / count}`);
  }
});

test('alphaDropout keeps mean and variance of standardised numbers, and drops its share to one value', (t) => {
  const x = network({ type: 'gaussianNoise', stddev: 1 }).forward(new Float32Array(count));
  const y = network(alpha).forward(x);
  const { mean, variance } = moments(y);
  t.true(Math.abs(mean) < 0.03, `mean ${mean}`);
  t.true(Math.abs(variance - 1) < 0.04, `variance ${variance}`);
  const counts = new Map<number, number>();
  for (const value of y) counts.set(value, (counts.get(value) ?? 0) + 1);
  const [dropped, times] = [...counts].toSorted((a, b) => b[1] - a[1])[0]!;
  t.true(Math.abs(times / count - 0.3) < 5 * Math.sqrt(0.21 / count));
  const saturated = -1.7580993408473766;
  const scale = 1 / Math.sqrt(0.7 * (1 + 0.3 * saturated ** 2));
  t.is(dropped, Math.fround(scale * saturated - scale * saturated * 0.3));
});

test('the gradient passes gaussianNoise as it is, and alphaDropout where nothing was dropped', (t) => {
  const dy = new Float32Array(count).fill(1);
  const first = network(noise);
  first.forward(new Float32Array(count));
  t.deepEqual(first.backward(dy).dx, dy);
  const second = network(alpha);
  const y = second.forward(new Float32Array(count).fill(1));
  const { dx } = second.backward(dy);
  const scale = Math.fround(1 / Math.sqrt(0.7 * (1 + 0.3 * 1.7580993408473766 ** 2)));
  const kept = Math.max(...y);
  t.true(y.every((value, i) => dx[i] === (value === kept ? scale : 0)));
});

for (const layer of [noise, alpha]) {
  test(`${layer.type} is the same however the batch is cut, other in another step, and absent outside training`, (t) => {
    const x = new Float32Array(count).fill(0.75);
    const expected = network(layer).forward(x);
    for (const shards of [2, 3, 5]) t.deepEqual(network(layer, { shards }).forward(x), expected);
    t.deepEqual(network(layer, { kernels: 'reference' }).forward(x), expected);
    const made = network(layer);
    t.deepEqual(made.forward(x, false), x);
    made.setBatch(rows, 2);
    t.notDeepEqual(made.forward(x), expected);
    t.notDeepEqual(network(layer, { seed: 2 }).forward(x), expected);
  });
}
