/**
 * Room: tests of layers. One suite over every layer type and option, on two kernel sets and several numbers of shards:
 * forward and backward against the meaning in float64, inference with moving statistics, and what commit may change.
 */
import test, { type ExecutionContext } from 'ava';
import type { LayerConfigInput, LayerType } from '../../src/config/layers.ts';
import { type Shape, sizeOf } from '../../src/memory/shape.ts';
import { differences, meaning } from './meaning.ts';
import { Network, numbers, relativeError } from './network.ts';

interface Case {
  readonly title: string;
  readonly layers: readonly LayerConfigInput[];
  readonly inputShape: Shape;
  readonly rows: number;
  /** This value fills some steps of the last dimension. */
  readonly padding?: number;
}

const activations = ['linear', 'relu', 'leakyReLU', 'elu', 'selu', 'gelu', 'swish', 'softplus', 'tanh', 'sigmoid', 'softmax'] as const;
const steep = [
  { type: 'leakyReLU', alpha: 0.05 },
  { type: 'elu', alpha: 2 },
] as const;
const named = (activation: string | { readonly type: string }): string => (typeof activation === 'string' ? activation : JSON.stringify(activation));

const cases: readonly Case[] = [
  ...[...activations, ...steep].map(
    (activation): Case => ({ title: `dense with ${named(activation)}`, layers: [{ type: 'dense', units: 5, activation }], inputShape: [7], rows: 6 }),
  ),
  ...[...activations, ...steep].map(
    (activation): Case => ({ title: `activation ${named(activation)}`, layers: [{ type: 'activation', activation }], inputShape: [9], rows: 5 }),
  ),
  { title: 'dense without bias', layers: [{ type: 'dense', units: 4, useBias: false, activation: 'tanh' }], inputShape: [3], rows: 5 },
  { title: 'dense of one unit and one input', layers: [{ type: 'dense', units: 1 }], inputShape: [1], rows: 4 },
  { title: 'dense of 3-D input', layers: [{ type: 'dense', units: 3, activation: 'gelu' }], inputShape: [2, 4], rows: 5 },
  { title: 'dense with softmax of 4-D input', layers: [{ type: 'dense', units: 3, activation: 'softmax' }], inputShape: [2, 2, 3], rows: 3 },
  { title: 'softmax of 3-D input', layers: [{ type: 'activation', activation: 'softmax' }], inputShape: [3, 4], rows: 4 },
  { title: 'batchNormalization', layers: [{ type: 'batchNormalization' }], inputShape: [6], rows: 7 },
  { title: 'batchNormalization of 3-D input', layers: [{ type: 'batchNormalization', epsilon: 1e-5 }], inputShape: [4, 3], rows: 5 },
  { title: 'batchNormalization over axis 1', layers: [{ type: 'batchNormalization', axis: 1 }], inputShape: [4, 3], rows: 5 },
  { title: 'batchNormalization over axis 2 of 4-D input', layers: [{ type: 'batchNormalization', axis: 2 }], inputShape: [2, 3, 2], rows: 5 },
  { title: 'batchNormalization over axes [1, 2]', layers: [{ type: 'batchNormalization', axis: [1, 2] }], inputShape: [2, 3], rows: 7 },
  { title: 'batchNormalization over axes [2, 1]', layers: [{ type: 'batchNormalization', axis: [2, 1] }], inputShape: [2, 3], rows: 7 },
  { title: 'batchNormalization over axes [1, 3]', layers: [{ type: 'batchNormalization', axis: [1, 3] }], inputShape: [2, 3, 2], rows: 5 },
  { title: 'batchNormalization over axes [-1, 1]', layers: [{ type: 'batchNormalization', axis: [-1, 1] }], inputShape: [2, 3, 2], rows: 5 },
  { title: 'batchNormalization over axes [1, 2] of 4-D input', layers: [{ type: 'batchNormalization', axis: [1, 2] }], inputShape: [2, 2, 3], rows: 5 },
  { title: 'batchNormalization without center', layers: [{ type: 'batchNormalization', center: false }], inputShape: [4], rows: 6 },
  { title: 'batchNormalization without scale', layers: [{ type: 'batchNormalization', scale: false }], inputShape: [4], rows: 6 },
  {
    title: 'batchNormalization without center and scale, permuted',
    layers: [{ type: 'batchNormalization', center: false, scale: false, axis: 1 }],
    inputShape: [4, 2],
    rows: 6,
  },
  { title: 'layerNormalization', layers: [{ type: 'layerNormalization' }], inputShape: [7], rows: 5 },
  { title: 'layerNormalization of 3-D input', layers: [{ type: 'layerNormalization', epsilon: 1e-5 }], inputShape: [3, 4], rows: 4 },
  { title: 'layerNormalization over axes [1, 2]', layers: [{ type: 'layerNormalization', axis: [1, 2] }], inputShape: [2, 3], rows: 5 },
  { title: 'layerNormalization over axis 1', layers: [{ type: 'layerNormalization', axis: 1 }], inputShape: [4, 3], rows: 4 },
  { title: 'layerNormalization without center', layers: [{ type: 'layerNormalization', center: false }], inputShape: [5], rows: 4 },
  {
    title: 'layerNormalization without center and scale, permuted',
    layers: [{ type: 'layerNormalization', center: false, scale: false, axis: 1 }],
    inputShape: [5, 2],
    rows: 4,
  },
  { title: 'dropout that drops nothing', layers: [{ type: 'dropout', rate: 0 }], inputShape: [5], rows: 4 },
  { title: 'alphaDropout that drops nothing', layers: [{ type: 'alphaDropout', rate: 0 }], inputShape: [5], rows: 4 },
  { title: 'gaussianNoise of deviation 0', layers: [{ type: 'gaussianNoise', stddev: 0 }], inputShape: [5], rows: 4 },
  { title: 'resizing up', layers: [{ type: 'resizing', height: 5, width: 7 }], inputShape: [2, 3], rows: 4 },
  { title: 'resizing down, with channels', layers: [{ type: 'resizing', height: 2, width: 4 }], inputShape: [5, 3, 2], rows: 3 },
  { title: 'resizing to the nearest', layers: [{ type: 'resizing', height: 4, width: 2, interpolation: 'nearest' }], inputShape: [3, 5, 2], rows: 4 },
  {
    title: 'resizing between layers that learn',
    layers: [
      { type: 'dense', units: 3, activation: 'tanh' },
      { type: 'resizing', height: 4, width: 5 },
      { type: 'batchNormalization' },
      { type: 'resizing', height: 2, width: 2, interpolation: 'nearest' },
      { type: 'flatten' },
      { type: 'dense', units: 2 },
    ],
    inputShape: [3, 2, 2],
    rows: 4,
  },
  { title: 'scalarAffine', layers: [{ type: 'scalarAffine' }], inputShape: [7], rows: 5 },
  { title: 'scalarAffine of 3-D input', layers: [{ type: 'scalarAffine' }], inputShape: [3, 2], rows: 6 },
  { title: 'scalarAffine without center', layers: [{ type: 'scalarAffine', center: false }], inputShape: [1], rows: 4 },
  { title: 'scalarAffine without scale', layers: [{ type: 'scalarAffine', scale: false }], inputShape: [9], rows: 4 },
  { title: 'scalarAffine without both', layers: [{ type: 'scalarAffine', scale: false, center: false }], inputShape: [4], rows: 4 },
  { title: 'add of the input alone', layers: [{ type: 'add', from: '@input' }], inputShape: [5], rows: 4 },
  {
    title: 'add of what stands right before it',
    layers: [
      { type: 'activation', activation: 'tanh' },
      { type: 'add', from: 'activation' },
    ],
    inputShape: [2, 3],
    rows: 5,
  },
  {
    title: 'add in two residual blocks, with an activation on the sum',
    layers: [
      { type: 'dense', units: 6, activation: 'tanh', name: 'stem' },
      { type: 'batchNormalization' },
      { type: 'dense', units: 5, activation: 'swish' },
      { type: 'dense', units: 6 },
      { type: 'scalarAffine' },
      { type: 'add', from: 'stem', name: 'first' },
      { type: 'activation', activation: 'gelu', name: 'sum' },
      { type: 'dense', units: 6, activation: 'tanh' },
      { type: 'add', from: 'sum' },
      { type: 'dense', units: 3, activation: 'softmax' },
    ],
    inputShape: [4],
    rows: 7,
  },
  {
    title: 'add of several, of one twice, of sums, and of what only renames',
    layers: [
      { type: 'flatten', name: 'flat' },
      { type: 'layerNormalization', name: 'normal' },
      { type: 'reshape', targetShape: [2, 3], name: 'pairs' },
      { type: 'dense', units: 3, activation: 'elu', name: 'wide' },
      { type: 'add', from: ['pairs', '@input'], name: 'sum' },
      { type: 'dense', units: 3, activation: 'tanh' },
      { type: 'add', from: ['sum', 'wide', '@input'], name: 'again' },
      { type: 'flatten', name: 'end' },
      { type: 'add', from: ['normal', 'flat'] },
      { type: 'dense', units: 6, activation: 'sigmoid', useBias: false },
      { type: 'add', from: 'end' },
    ],
    inputShape: [2, 3],
    rows: 5,
  },
  { title: 'masking', layers: [{ type: 'masking' }, { type: 'flatten' }], inputShape: [5, 2], rows: 4, padding: 0 },
  {
    title: 'batchNormalization of masked steps',
    layers: [{ type: 'masking', maskValue: 0.1 }, { type: 'batchNormalization' }, { type: 'flatten' }],
    inputShape: [5, 3],
    rows: 6,
    padding: 0.1,
  },
  {
    title: 'batchNormalization of masked samples without steps',
    layers: [{ type: 'masking' }, { type: 'batchNormalization', axis: 1 }, { type: 'flatten' }, { type: 'dense', units: 2 }],
    inputShape: [4],
    rows: 7,
    padding: 0,
  },
  {
    title: 'a mask that passes through layers until it ends',
    layers: [
      { type: 'masking', maskValue: -1 },
      { type: 'dense', units: 5, activation: 'tanh', name: 'first' },
      { type: 'batchNormalization', center: false },
      { type: 'layerNormalization' },
      { type: 'dropout', rate: 0 },
      { type: 'activation', activation: 'swish' },
      { type: 'add', from: 'first' },
      { type: 'batchNormalization', scale: false, axis: [3] },
      { type: 'reshape', targetShape: [-1, 6] },
      { type: 'batchNormalization' },
      { type: 'flatten' },
      { type: 'dense', units: 3 },
    ],
    inputShape: [2, 3, 4],
    rows: 5,
    padding: -1,
  },
  { title: 'flatten alone', layers: [{ type: 'flatten' }], inputShape: [2, 3], rows: 4 },
  { title: 'reshape alone', layers: [{ type: 'reshape', targetShape: [3, -1] }], inputShape: [2, 3], rows: 4 },
  {
    title: 'a chain of renames around layers that work in place',
    layers: [
      { type: 'reshape', targetShape: [6] },
      { type: 'activation', activation: 'tanh' },
      { type: 'reshape', targetShape: [3, 2] },
      { type: 'batchNormalization', axis: 1 },
      { type: 'flatten' },
    ],
    inputShape: [2, 3],
    rows: 5,
  },
  {
    title: 'a network of all of them',
    layers: [
      { type: 'flatten' },
      { type: 'batchNormalization' },
      { type: 'dense', units: 5, activation: 'elu' },
      { type: 'dropout', rate: 0 },
      { type: 'dense', units: 6, activation: 'swish', useBias: false },
      { type: 'activation', activation: 'gelu' },
      { type: 'reshape', targetShape: [2, 3] },
      { type: 'batchNormalization', axis: 1 },
      { type: 'dense', units: 2, activation: 'softmax' },
    ],
    inputShape: [2, 2],
    rows: 9,
  },
];

/** Weights that no default hides: all random, gamma around 1, variances above 0. */
function randomWeights(network: Network): Map<string, Float64Array> {
  const weights = new Map<string, Float64Array>();
  for (const [i, { name, size, definition }] of network.plan.topology.weights.entries()) {
    const values = numbers(size, 100 + i).map((value) => {
      if (definition.name === 'gamma') return 1 + value / 2;
      return definition.name === 'moving_variance' ? 1.1 + value : value;
    });
    network.setWeight(name, values);
    weights.set(name, Float64Array.from(values));
  }
  return weights;
}

/** The tolerance of DESIGN 15 for single layers: a share of the largest expected number. */
const tolerance = 2e-5;

function near(t: ExecutionContext, actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  const error = relativeError(actual, expected);
  t.true(error <= tolerance, `${what} is off by ${error}`);
}

function input({ inputShape, rows, padding }: Case): Float32Array {
  const features = inputShape.at(-1)!;
  // The second row whole, and of the others some.
  const isPadding = (step: number): boolean => Math.floor((step * features) / sizeOf(inputShape)) === 1 || step % 7 >= 5;
  return numbers(rows * sizeOf(inputShape), 7).map((value, i) => (padding !== undefined && isPadding(Math.floor(i / features)) ? padding : 2 * value + 0.3));
}

for (const example of cases) {
  const { title, layers, inputShape, rows } = example;
  const x = input(example);

  test(`${title}: forward and backward are those of float64, on all kernel sets, however the batch is cut`, (t) => {
    const model = new Network(layers, { inputShape, rows });
    const weights = randomWeights(model);
    const x64 = Float64Array.from(x);
    const named = model.plan.topology.layers;
    const f = (): Float64Array => meaning(named, weights, x64, true);
    const y = f();
    const dy = numbers(y.length, 9);
    const dx = differences(x64, dy, f);
    const trained = model.plan.tensors.map(({ weight }) => model.plan.topology.weights[weight]!.name);
    const expected = new Map(trained.map((name) => [name, differences(weights.get(name)!, dy, f)]));
    for (const kernels of ['reference', 'wasm'] as const) {
      for (const shards of [1, 2, 3, 5, rows + 2]) {
        const network = new Network(layers, { inputShape, rows, kernels, shards });
        randomWeights(network);
        const where = `on ${kernels} with ${shards} shards`;
        near(t, network.forward(x), y, `y ${where}`);
        const gradients = network.backward(dy);
        near(t, gradients.dx, dx, `dx ${where}`);
        t.deepEqual([...gradients.weights.keys()], trained);
        for (const [name, gradient] of gradients.weights) near(t, gradient, expected.get(name)!, `gradient of ${name} ${where}`);
      }
    }
  });

  test(`${title}: inference uses moving statistics and no other row`, (t) => {
    for (const kernels of ['reference', 'wasm'] as const) {
      const network = new Network(layers, { inputShape, rows, kernels, shards: 2 });
      const weights = randomWeights(network);
      const y = network.forward(x, false);
      near(t, y, meaning(network.plan.topology.layers, weights, Float64Array.from(x), false), `y on ${kernels}`);
      const others = x.map((value, i) => (i < sizeOf(inputShape) ? value : -3 * value));
      t.deepEqual(network.forward(others, false).subarray(0, y.length / rows), y.subarray(0, y.length / rows), kernels);
    }
  });

  test(`${title}: nothing but commit changes a weight, and the same step twice gives the same bits`, (t) => {
    const network = new Network(layers, { inputShape, rows, kernels: 'wasm', shards: 3 });
    randomWeights(network);
    const before = network.weights;
    const y = network.forward(x);
    const dy = numbers(y.length, 9);
    const gradients = network.backward(dy);
    t.deepEqual(network.weights, before);
    t.deepEqual(network.forward(x), y);
    t.deepEqual(network.backward(dy), gradients);
    t.deepEqual(network.weights, before);
    network.commit();
    for (const [name, values] of network.weights) {
      if (/moving_/.test(name)) t.notDeepEqual(values, before.get(name), name);
      else t.deepEqual(values, before.get(name), name);
    }
  });

  test(`${title}: rows are computed alike when the input gradient is not wanted`, (t) => {
    const [whole, half] = [true, false].map((inputGradient) => new Network(layers, { inputShape, rows, kernels: 'wasm', inputGradient }));
    for (const network of [whole!, half!]) randomWeights(network);
    const y = whole!.forward(x);
    const dy = numbers(y.length, 9);
    const expected = whole!.backward(dy).weights;
    // Fusion adds the same numbers in another order: see test/model/fusion.test.ts.
    const fused = half!.plan.topology.weights.some(({ layer, operation }) => layer !== operation);
    if (!fused) t.deepEqual(half!.forward(x), y);
    else near(t, half!.forward(x), y, 'y');
    const gradients = half!.backward(dy).weights;
    if (!fused) t.deepEqual(gradients, expected);
    else for (const [name, gradient] of gradients) near(t, gradient, expected.get(name)!, `gradient of ${name}`);
  });
}

test('every layer type is among the cases', (t) => {
  const types = new Set(cases.flatMap(({ layers }) => layers.map(({ type }) => type)));
  const all: Record<LayerType, true> = {
    dense: true,
    batchNormalization: true,
    layerNormalization: true,
    activation: true,
    masking: true,
    flatten: true,
    reshape: true,
    resizing: true,
    dropout: true,
    alphaDropout: true,
    gaussianNoise: true,
    add: true,
    scalarAffine: true,
  };
  t.deepEqual([...types].toSorted(), Object.keys(all).toSorted() as LayerType[]);
});

test('the order in which axes are named changes no bit', (t) => {
  const results = (
    [
      [1, 2],
      [2, 1],
    ] as const
  ).map((axis) => {
    const network = new Network([{ type: 'batchNormalization', axis: [...axis] }], { inputShape: [2, 3, 2], rows: 5, shards: 2 });
    randomWeights(network);
    const y = network.forward(numbers(60, 1));
    return { y, gradients: network.backward(numbers(60, 2)) };
  });
  t.deepEqual(results[1], results[0]);
});

test('axes named from the end are those named from the start', (t) => {
  const results = (
    [
      [2, 3],
      [-2, -1],
      [-1, 2],
    ] as const
  ).map((axis) => {
    const network = new Network([{ type: 'batchNormalization', axis: [...axis] }], { inputShape: [2, 3, 2], rows: 5 });
    randomWeights(network);
    return { y: network.forward(numbers(60, 1)), gradients: network.backward(numbers(60, 2)) };
  });
  t.deepEqual(results[1], results[0]);
  t.deepEqual(results[2], results[0]);
});
