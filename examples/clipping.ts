/** Gradients that are too large, and what clipping makes of them: docs/guides/clipping.md walks through it. */
import { type LayerConfigInput, layers, type Model, type OptimizerConfigInput, sequential, type TrainOptions, train } from 'lockstep';
import { compare, everywhere, table } from './support/compare.ts';

/**
 * A model whose gradient is its only row, x = [0.9, 100]: y = w x from w = 0, the loss |y - target| with a target far below, one step with a rate of 1. The step is then
 * the gradient as it was clipped.
 */
async function clipped(clipping: Partial<OptimizerConfigInput>): Promise<string> {
  const model = sequential([layers.dense({ units: 1, useBias: false, kernelInitializer: 'zeros', inputShape: [2] })]);
  await train({
    model,
    data: { train: { x: [[0.9, 100]], y: [[-1e6]] } },
    loss: 'meanAbsoluteError',
    optimizer: { type: 'sgd', learningRate: 1, ...clipping } as OptimizerConfigInput,
    batchSize: 1,
    steps: 1,
    kernels: 'wasm',
    workers: 1,
  });
  return `[${Array.from(model.getWeights()[0]!.data, (value) => (-value).toPrecision(6)).join(', ')}]`;
}
const ways: [string, string, Partial<OptimizerConfigInput>][] = [
  ['none', '', {}],
  ['clipvalue: 1', 'each number to [-1, 1]: another direction', { clipvalue: 1 }],
  ['clipnorm: 1', 'the tensor to the norm 1: the same direction', { clipnorm: 1 }],
  ['globalClipnorm: 1', 'all tensors together to the norm 1', { globalClipnorm: 1 }],
];
const classic: string[][] = [];
for (const [name, meaning, clipping] of ways) classic.push([name, meaning, await clipped(clipping)]);
table('classic', ['', 'what it does', 'the gradient [0.9, 100]'], classic);

// Twelve layers whose first weights are a quarter too large: 1.25 ^ 2 more variance a layer, and gradients to match.
const wide = (): LayerConfigInput =>
  layers.dense({ units: 64, activation: 'relu', kernelInitializer: { type: 'varianceScaling', scale: 2 * 1.25 * 1.25, mode: 'fanIn', distribution: 'normal' } });
const exploding = (): Model =>
  sequential([layers.flatten({ inputShape: [28, 28] }), ...Array.from({ length: 12 }, wide), layers.dense({ units: 10, activation: 'softmax' })]);
const common: Omit<TrainOptions, 'model' | 'optimizer'> = {
  ...everywhere,
  data: { train: { dataset: 'mnist', split: 'train', limit: 12_000 }, validation: { dataset: 'mnist', split: 'test', limit: 2000 } },
  loss: 'sparseCategoricalCrossentropy',
  metrics: ['accuracy'],
  batchSize: 64,
  epochs: 2,
  seed: 3,
};
const variants: [string, Partial<OptimizerConfigInput>][] = [
  ['without', {}],
  ['clipvalue 0.01', { clipvalue: 0.01 }],
  ['clipnorm 0.1', { clipnorm: 0.1 }],
  ['globalClipnorm 1', { globalClipnorm: 1 }],
  ['clipPercentile 10', { clipPercentile: 10 }],
  ['adaptiveClip 0.01', { adaptiveClip: 0.01, excludeFromAdaptiveClip: ['dense_12/*'] }],
];
await compare(
  'exploding',
  variants.map(([name, clipping]) => ({
    name,
    model: exploding(),
    optimizer: { type: 'sgd', learningRate: 0.05, momentum: 0.9, ...clipping } as OptimizerConfigInput,
  })),
  common as Omit<TrainOptions, 'model'>,
);
