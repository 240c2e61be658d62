/**
 * Room: tests of layers. Add: the order of its additions, forward and on the way back, to the bit; on every kernel set, and however the batch is cut.
 */
import test from 'ava';
import type { LayerConfigInput } from '../../src/config/layers.ts';
import { layers } from '../../src/layers/factories.ts';
import { Network, numbers } from '../contracts/network.ts';

const [rows, size] = [7, 9];
const f = Math.fround;

/** x, a = tanh-free doubling chain: only additions and scalings, so every bit can be said. */
const chain: readonly LayerConfigInput[] = [
  layers.scalarAffine({ name: 'a', center: false }),
  layers.scalarAffine({ name: 'b', center: false }),
  layers.add({ from: ['a', '@input'], name: 'c' }),
  layers.scalarAffine({ name: 'd', center: false }),
  layers.add({ from: ['c', 'a'], name: 'e' }),
];
const [p, q, r] = [f(0.3), f(1.7), f(-0.9)] as const;

function network(options: { readonly kernels?: 'reference' | 'wasm'; readonly shards?: number } = {}): Network {
  const made = new Network(chain, { inputShape: [size], rows, ...options });
  made.setWeight('a/multiplier', [p]);
  made.setWeight('b/multiplier', [q]);
  made.setWeight('d/multiplier', [r]);
  return made;
}

const [x, dy] = [numbers(rows * size, 3), numbers(rows * size, 4)];

test('outputs are added in the order of their names, in float32', (t) => {
  const expected = x.map((value) => {
    const a = f(p * value);
    const c = f(f(f(q * a) + a) + value);
    return f(f(f(r * c) + c) + a);
  });
  for (const kernels of ['reference', 'wasm'] as const) t.deepEqual(network({ kernels }).forward(x), expected, kernels);
});

test('on the way back an output gets what comes along the chain, plus what was held: the last sum first', (t) => {
  const dx = dy.map((de) => {
    // e hands its gradient on to d, c and a.
    const dc = f(f(r * de) + de);
    // c hands its own on to b, a and the input.
    const heldA = f(de + dc);
    const da = f(f(q * dc) + heldA);
    return f(f(p * da) + dc);
  });
  for (const kernels of ['reference', 'wasm'] as const) {
    for (const shards of [1, 2, 5]) {
      const made = network({ kernels, shards });
      made.forward(x);
      t.deepEqual(made.backward(dy).dx, dx, `${kernels}, ${shards} shards`);
      // What was held is written anew in every step.
      t.deepEqual(made.backward(dy).dx, dx, 'again');
    }
  }
});

test('a layer whose output is added and penalized: the penalty comes after what was held', (t) => {
  const penalized = [
    layers.activation({ activation: 'linear', name: 'a', activityRegularizer: { type: 'l2', l2: 0.3 } }),
    layers.scalarAffine({ name: 'b', center: false }),
    layers.add({ from: 'a' }),
  ];
  const made = new Network(penalized, { inputShape: [size], rows, kernels: 'wasm' });
  made.setWeight('b/multiplier', [q]);
  made.forward(x);
  const expected = dy.map((value, i) => f(f(f(q * value) + value) + (1 / rows) * (0 + 2 * 0.3 * x[i]!)));
  t.deepEqual(made.backward(dy).dx, expected);
});
