/** A hundred layers, with batch normalisation and without: docs/guides/deep-networks.md walks through it. */
import { type LayerConfigInput, layers, type Model, sequential, type TrainOptions } from 'lockstep';
import { compare } from './support/compare.ts';

const common: Omit<TrainOptions, 'model'> = {
  data: { train: { dataset: 'mnist', split: 'train', limit: 12_000 }, validation: { dataset: 'mnist', split: 'test', limit: 2000 } },
  loss: 'sparseCategoricalCrossentropy',
  metrics: ['accuracy'],
  optimizer: { type: 'sgd', learningRate: 0.01, momentum: 0.9, globalClipnorm: 1 },
  batchSize: 64,
  epochs: 2,
  seed: 5,
};
const width = 32;
const flatten = (): LayerConfigInput => layers.flatten({ inputShape: [28, 28] });
const output = (): LayerConfigInput => layers.dense({ units: 10, activation: 'softmax' });
const deep = (depth: number, hidden: () => LayerConfigInput[]): Model => sequential([flatten(), ...Array.from({ length: depth }, hidden).flat(), output()]);

type Activation = 'relu' | 'selu' | 'tanh';
const plain = (activation: Activation, kernelInitializer: 'glorotUniform' | 'heNormal' | 'leCunNormal') => (): LayerConfigInput[] => [
  layers.dense({ units: width, activation, kernelInitializer }),
];
const normalised = (): LayerConfigInput[] => [
  layers.dense({ units: width, useBias: false, kernelInitializer: 'heNormal' }),
  layers.batchNormalization(),
  layers.activation({ activation: 'relu' }),
];

// First weights: as much variance behind a layer as before it, for the activation that there is.
await compare(
  'initializers',
  [
    { name: 'relu, Glorot', model: deep(20, plain('relu', 'glorotUniform')) },
    { name: 'relu, He', model: deep(20, plain('relu', 'heNormal')) },
    { name: 'selu, LeCun', model: deep(20, plain('selu', 'leCunNormal')) },
    { name: 'selu, He', model: deep(20, plain('selu', 'heNormal')) },
  ],
  common,
);

await compare(
  'hundred',
  [
    { name: 'relu, Glorot', model: deep(100, plain('relu', 'glorotUniform')) },
    { name: 'relu, He', model: deep(100, plain('relu', 'heNormal')) },
    { name: 'selu, LeCun', model: deep(100, plain('selu', 'leCunNormal')) },
    { name: 'relu, batch normalisation', model: deep(100, normalised) },
  ],
  common,
);
