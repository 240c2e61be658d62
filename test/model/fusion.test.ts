/**
 * Room: tests of the model. The first normalisation fused with the Dense after it: when it is, that nobody sees it but the plan,
 * and that outputs, gradients and moving statistics are those of the same layers one after the other.
 */
import test, { type ExecutionContext } from 'ava';
import type { LayerConfigInput } from '../../src/config/layers.ts';
import { parseModelConfig } from '../../src/config/parse.ts';
import { layers } from '../../src/layers/factories.ts';
import { type Shape, sizeOf } from '../../src/memory/shape.ts';
import { fuseFirstNormalization } from '../../src/model/fusion.ts';
import { resolveTopology } from '../../src/model/topology.ts';
import { Network, numbers, relativeError } from '../contracts/network.ts';

const { activation, add, batchNormalization, dense, dropout, flatten, masking, reshape } = layers;

const resolve = (chain: readonly LayerConfigInput[], inputShape: Shape) => resolveTopology(parseModelConfig({ layers: chain }), inputShape);

const fused: Record<string, readonly [Shape, readonly LayerConfigInput[]]> = {
  'the first two layers': [[6], [batchNormalization(), dense({ units: 5 })]],
  'behind a flatten, with more layers after': [
    [2, 3],
    [flatten(), batchNormalization(), dense({ units: 5, activation: 'elu' }), batchNormalization(), dense({ units: 3 })],
  ],
  'with renames between': [[6], [batchNormalization(), reshape({ targetShape: [2, 3] }), flatten(), dense({ units: 4, activation: 'gelu' })]],
  'over all axes of an image, then flattened': [
    [2, 3],
    [batchNormalization({ axis: [1, 2] }), flatten(), dense({ units: 4, activation: 'tanh' })],
  ],
  'behind layers that are not trained': [
    [6],
    [dropout({ rate: 0 }), batchNormalization({ scale: false, center: false }), activation({ activation: 'tanh' }), batchNormalization(), dense({ units: 9 })],
  ],
  'without scale': [[6], [batchNormalization({ scale: false }), dense({ units: 8, activation: 'swish' }), dense({ units: 2 })]],
  'without center': [[6], [batchNormalization({ center: false }), dense({ units: 5, activation: 'softmax' })]],
  'without bias': [[6], [batchNormalization(), dense({ units: 5, useBias: false })]],
  'without bias and scale': [[6], [batchNormalization({ scale: false }), dense({ units: 5, useBias: false })]],
  'without bias and center': [[6], [batchNormalization({ center: false }), dense({ units: 5, useBias: false, activation: 'relu' })]],
  'with its input and the output of the Dense added elsewhere': [
    [6],
    [batchNormalization(), dense({ units: 6, name: 'hidden' }), dense({ units: 6 }), add({ from: ['@input', 'hidden'] })],
  ],
  'of one number and one unit': [[1], [batchNormalization(), dense({ units: 1 })]],
};

const notFused: Record<string, readonly [Shape, readonly LayerConfigInput[]]> = {
  'nothing to train in it': [[6], [batchNormalization({ scale: false, center: false }), dense({ units: 5 })]],
  'a trained layer before it': [[6], [dense({ units: 6 }), batchNormalization(), dense({ units: 5 })]],
  'an output of it that is added elsewhere': [[6], [batchNormalization({ name: 'normal' }), dense({ units: 6 }), add({ from: 'normal' })]],
  'a rename of its output that is added elsewhere': [
    [2, 3],
    [batchNormalization({ axis: [1, 2] }), flatten({ name: 'flat' }), dense({ units: 6 }), add({ from: 'flat' })],
  ],
  'an addition between': [[6], [batchNormalization(), add({ from: '@input' }), dense({ units: 5 })]],
  'an activation between': [[6], [batchNormalization(), activation({ activation: 'relu' }), dense({ units: 5 })]],
  'a dropout between': [[6], [batchNormalization(), dropout({ rate: 0.5 }), dense({ units: 5 })]],
  'another normalisation between': [[6], [batchNormalization(), batchNormalization(), dense({ units: 5 })]],
  'channels that are not last': [
    [4, 3],
    [batchNormalization({ axis: 1 }), flatten(), dense({ units: 5 })],
  ],
  'several positions a channel': [
    [4, 3],
    [batchNormalization(), dense({ units: 5 })],
  ],
  'several positions a channel, flattened': [
    [4, 3],
    [batchNormalization(), flatten(), dense({ units: 5 })],
  ],
  'a Dense that sees positions': [[6], [batchNormalization(), reshape({ targetShape: [2, 3] }), dense({ units: 5 })]],
  'no Dense after it': [[6], [batchNormalization(), activation({ activation: 'softmax' })]],
  'a mask that reaches it': [[6], [masking(), batchNormalization(), flatten(), dense({ units: 5 })]],
  'no layer after it': [[6], [batchNormalization()]],
  'no weights at all': [[6], [activation({ activation: 'tanh' })]],
};

for (const [title, [inputShape, chain]] of Object.entries(fused)) {
  test(`fused: ${title}; names, shapes and weights stay`, (t) => {
    const before = resolve(chain, inputShape);
    const after = fuseFirstNormalization(before);
    t.not(after, before);
    const told = ({ weights, layers: named, ...rest }: typeof before) => ({
      ...rest,
      layers: named.map(({ name, config, inputShape: shape, definition }) => ({ name, config, shape, outputShape: definition.outputShape })),
      weights: weights.map(({ name, layer, size, definition: { role, ...definition } }) => ({ name, layer, size, definition, trained: role !== 'state' })),
    });
    t.deepEqual(told(after), told(before));
    for (const { layer, definition } of after.weights)
      t.deepEqual(
        definition,
        after.layers[layer]!.definition.weights.find(({ name }) => name === definition.name),
      );
  });

  for (const kernels of ['reference', 'wasm'] as const) {
    test(`fused: ${title}; everything is as layer by layer, on ${kernels}`, (t) => {
      // Eleven rows: whole and uneven shards, and with 13 two of them empty.
      for (const shards of [1, 2, 3, 7, 8, 13]) compare(t, chain, inputShape, 11, shards, kernels);
    });
  }
}

for (const [title, [inputShape, chain]] of Object.entries(notFused)) {
  test(`not fused: ${title}`, (t) => {
    const topology = resolve(chain, inputShape);
    t.is(fuseFirstNormalization(topology), topology);
  });
}

test('not fused: a model whose input gradient is asked for', (t) => {
  const synced = (inputGradient: boolean): number =>
    new Network([batchNormalization(), dense({ units: 2 })], { inputShape: [3], rows: 2, inputGradient }).plan.tensors.filter(({ summed }) => !summed).length;
  t.deepEqual([synced(true), synced(false)], [2, 0]);
});

test('a shape as in practice agrees too', (t) => {
  const chain = [flatten(), batchNormalization(), dense({ units: 30, activation: 'elu' }), batchNormalization(), dense({ units: 10 })];
  for (const shards of [1, 5]) compare(t, chain, [14, 14], 64, shards, 'wasm');
});

test('both layers keep an operation, of which only the Dense goes backward, without an input gradient', (t) => {
  const { plan } = new Network([batchNormalization(), dense({ units: 5 })], { inputShape: [6], rows: 8, shards: 4, inputGradient: false });
  const { operations, firstBackward } = plan.ranks[0]!;
  t.deepEqual(
    operations.map(({ layer }) => layer),
    [0, 1],
  );
  t.deepEqual([firstBackward, operations[1]!.dx], [1, 0]);
  t.deepEqual(
    plan.topology.weights.map(({ name, operation }) => `${name} ${operation}`),
    [
      'batch_normalization/gamma 1',
      'batch_normalization/beta 1',
      'batch_normalization/moving_mean 0',
      'batch_normalization/moving_variance 0',
      'dense/kernel 1',
      'dense/bias 1',
    ],
  );
});

/** The fused network against the same one that makes the gradient of its input as well. */
function compare(t: ExecutionContext, chain: readonly LayerConfigInput[], inputShape: Shape, rows: number, shards: number, kernels: 'reference' | 'wasm'): void {
  const [whole, folded] = [true, false].map((inputGradient) => new Network(chain, { inputShape, rows, shards, kernels, inputGradient })) as [Network, Network];
  for (const network of [whole, folded]) setWeights(network);
  const where = `with ${shards} shards`;
  const x = numbers(rows * sizeOf(inputShape), 7).map((value) => 2 * value + 3);
  const y = whole.forward(x);
  near(t, folded.forward(x), y, `y ${where}`);
  const dy = numbers(y.length, 9);
  const [expected, actual] = [whole.backward(dy), folded.backward(dy)];
  t.is(actual.dx.length, 0);
  t.deepEqual([...actual.weights.keys()], [...expected.weights.keys()]);
  for (const [name, gradient] of actual.weights) near(t, gradient, expected.weights.get(name)!, `gradient of ${name} ${where}`);
  for (const network of [whole, folded]) network.commit();
  for (const [name, values] of folded.weights) near(t, values, whole.weights.get(name)!, `${name} after commit ${where}`);
  near(t, folded.forward(x, false), whole.forward(x, false), `inference ${where}`);
}

/** All random; in every gamma of more than one number one is 0 and one negative. */
function setWeights(network: Network): void {
  for (const [i, { name, size, definition }] of network.plan.topology.weights.entries()) {
    const values = numbers(size, 100 + i).map((value) => (definition.name === 'moving_variance' ? 1.1 + value : value));
    if (definition.name === 'gamma') values.set(size > 1 ? [0, -1.5] : [1.5]);
    network.setWeight(name, values);
  }
}

function near(t: ExecutionContext, actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  const error = relativeError(actual, expected);
  t.true(error <= 1e-5, `${what} is off by ${error}`);
}
