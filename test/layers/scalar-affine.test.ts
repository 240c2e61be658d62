/**
 * Room: tests of layers. One multiplier and one bias for a whole sample: what they begin with, and the order in which their gradients are summed, to the bit.
 */
import test from 'ava';
import { layers } from '../../src/layers/factories.ts';
import { Network, numbers } from '../contracts/network.ts';

const [rows, size] = [11, 13];
const inputShape = [size];

test('it begins by changing nothing, and learns two numbers', (t) => {
  const network = new Network([layers.scalarAffine()], { inputShape, rows, kernels: 'wasm' });
  const x = numbers(rows * size, 1);
  t.deepEqual(network.forward(x), x);
  t.deepEqual(
    [...network.weights],
    [
      ['scalar_affine/multiplier', Float32Array.of(1)],
      ['scalar_affine/bias', Float32Array.of(0)],
    ],
  );
  const none = new Network([layers.scalarAffine({ scale: false, center: false })], { inputShape, rows });
  t.deepEqual([none.forward(x), none.weights.size], [x, 0]);
  const silent = new Network([layers.scalarAffine({ multiplierInitializer: 'zeros', biasInitializer: { type: 'constant', value: 2 } })], { inputShape, rows });
  t.true(silent.forward(x).every((value) => value === 2));
});

test('gradients are sums in float64, by places over the rows and then over the places, rounded once', (t) => {
  const [x, dy] = [numbers(rows * size, 2), numbers(rows * size, 3)];
  const sum = (term: (i: number) => number): number => {
    let total = 0;
    for (let place = 0; place < size; place++) {
      let column = 0;
      for (let row = 0; row < rows; row++) column += term(row * size + place);
      total += column;
    }
    return Math.fround(total);
  };
  for (const kernels of ['reference', 'wasm'] as const) {
    const network = new Network([layers.scalarAffine()], { inputShape, rows, kernels });
    network.setWeight('scalar_affine/multiplier', [0.7]);
    network.forward(x);
    const { dx, weights } = network.backward(dy);
    t.deepEqual([...weights.get('scalar_affine/multiplier')!], [sum((i) => dy[i]! * x[i]!)], kernels);
    t.deepEqual([...weights.get('scalar_affine/bias')!], [sum((i) => dy[i]!)], kernels);
    t.deepEqual(
      dx,
      dy.map((value) => Math.fround(0.7) * value),
      kernels,
    );
  }
});
