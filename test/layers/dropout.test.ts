/**
 * Room: tests of layers. Dropout: which numbers go, and that they do not depend on who computes them.
 */
import test from 'ava';
import { Network, type NetworkOptions } from '../contracts/network.ts';

const [rows, size, rate] = [400, 50, 0.4];
const ones = new Float32Array(rows * size).fill(1);

const dropout = (options: Partial<NetworkOptions> = {}): Network => new Network([{ type: 'dropout', rate }], { inputShape: [size], rows, kernels: 'wasm', ...options });

test('about a share 1 - rate of the numbers is kept, and scaled by 1 / (1 - rate)', (t) => {
  const y = dropout().forward(ones);
  const kept = y.filter((value) => value !== 0);
  t.deepEqual([...new Set(kept)], [Math.fround(1 / (1 - rate))]);
  // The share of n draws has a standard deviation of sqrt(p (1 - p) / n).
  t.true(Math.abs(kept.length / y.length - (1 - rate)) < 5 * Math.sqrt((rate * (1 - rate)) / y.length), `${kept.length} of ${y.length}`);
});

test('no row or column is dropped more than chance would', (t) => {
  const y = dropout().forward(ones);
  const kept = (count: number, at: (i: number) => number): number => Array.from({ length: count }, (_, i) => y[at(i)]).filter((value) => value !== 0).length / count;
  for (let row = 0; row < rows; row++) t.true(Math.abs(kept(size, (i) => row * size + i) - 0.6) < 6 * Math.sqrt(0.24 / size), `row ${row}`);
  for (let column = 0; column < size; column++) t.true(Math.abs(kept(rows, (i) => i * size + column) - 0.6) < 6 * Math.sqrt(0.24 / rows), `column ${column}`);
});

test('the mask is the same however the batch is cut, on every kernel set', (t) => {
  const expected = dropout().forward(ones);
  for (const shards of [2, 3, 5, 401]) t.deepEqual(dropout({ shards }).forward(ones), expected, `${shards} shards`);
  t.deepEqual(dropout({ kernels: 'reference' }).forward(ones), expected);
});

test('the mask is another one in the next step, for another seed and in another layer', (t) => {
  const network = dropout();
  const first = network.forward(ones);
  network.setBatch(rows, 2);
  t.notDeepEqual(network.forward(ones), first);
  network.setBatch(rows, 1);
  t.deepEqual(network.forward(ones), first);
  t.notDeepEqual(dropout({ seed: 2 }).forward(ones), first);
  t.notDeepEqual(dropout({ seed: 1 + 2 ** 32 }).forward(ones), first);
  const two = new Network(
    [
      { type: 'dropout', rate },
      { type: 'dropout', rate },
    ],
    { inputShape: [size], rows, kernels: 'wasm' },
  ).forward(ones);
  const kept = two.filter((value) => value !== 0).length / two.length;
  t.true(Math.abs(kept - 0.36) < 5 * Math.sqrt((0.36 * 0.64) / two.length), `two masks that are one keep ${kept}`);
});

test('backward drops and scales what forward did', (t) => {
  const network = dropout({ shards: 3 });
  const y = network.forward(ones);
  t.deepEqual(network.backward(ones).dx, y);
  const dy = ones.map((_, i) => i);
  t.deepEqual(
    network.backward(dy).dx,
    dy.map((value, i) => (y[i] === 0 ? 0 : value * Math.fround(1 / (1 - rate)))),
  );
});

test('inference and rate 0 change nothing', (t) => {
  const x = ones.map((_, i) => Math.fround(Math.sin(i)));
  t.deepEqual(dropout().forward(x, false), x);
  const network = new Network([{ type: 'dropout', rate: 0 }], { inputShape: [size], rows, kernels: 'wasm' });
  t.deepEqual(network.forward(x), x);
  t.deepEqual(network.backward(x).dx, x);
});
