/** A hundred layers, with batch normalisation and without: docs/guides/deep-networks.md walks through it. */
import { type LayerConfigInput, layers, type Model, sequential, type TrainOptions } from 'lockstep';
import { compare } from './support/compare.ts';

const common: Omit<TrainOptions, 'model'> = {
  data: { train: { dataset: 'mnist', split: 'train', limit: 12_000 }, validation: { dataset: 'mnist', split: 'test', limit: 2000 } },
  loss: 'sparseCategoricalCrossentropy',
  metrics: ['accuracy'],
  optimizer: { type: 'sgd', learningRate: 0.05, momentum: 0.9, globalClipnorm: 1 },
  batchSize: 64,
  epochs: 2,
  seed: 5,
};
const width = 32;
const flatten = (): LayerConfigInput => layers.flatten({ inputShape: [28, 28] });
const output = (): LayerConfigInput => layers.dense({ units: 10, activation: 'softmax' });
const deep = (depth: number, hidden: () => LayerConfigInput[]): Model => sequential([flatten(), ...Array.from({ length: depth }, hidden).flat(), output()]);

type Activation = 'relu' | 'selu';
type Initializer = Exclude<Parameters<typeof layers.dense>[0]['kernelInitializer'], undefined>;
const plain = (activation: Activation, kernelInitializer: Initializer) => (): LayerConfigInput[] => [layers.dense({ units: width, activation, kernelInitializer })];
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

// More and more layers, and what normalisation can do about it.
for (const depth of [10, 30, 100]) {
  await compare(
    `depth-${depth}`,
    [
      { name: 'relu, He', model: deep(depth, plain('relu', 'heNormal')) },
      { name: 'selu, LeCun', model: deep(depth, plain('selu', 'leCunNormal')) },
      { name: 'relu, batch normalisation', model: deep(depth, normalised) },
    ],
    common,
  );
}

// Residual blocks of two layers: each adds to what goes by, so a gradient reaches the first of them as it is.
const blocks = 50;
const residual = (branch: () => LayerConfigInput[], last = output()): Model =>
  sequential([
    flatten(),
    layers.dense({ units: width, activation: 'relu', kernelInitializer: 'heNormal', name: 'block_0' }),
    ...Array.from({ length: blocks }, (_, i) => [...branch(), layers.add({ from: `block_${i}`, name: `block_${i + 1}` })]).flat(),
    last,
  ]);
const linear = (kernelInitializer: Initializer): LayerConfigInput => layers.dense({ units: width, useBias: false, kernelInitializer });
const relu = (): LayerConfigInput => layers.activation({ activation: 'relu' });
const bias = (): LayerConfigInput => layers.scalarAffine({ scale: false });
const first = { type: 'fixup', blocks, layersPerBlock: 2 } as const;

await compare(
  'residual',
  [
    { name: 'He', model: residual(() => [linear('heNormal'), relu(), linear('heNormal')]) },
    {
      name: 'batch normalisation',
      // A gamma of 0 makes each block do nothing at first.
      model: residual(() => [linear('heNormal'), layers.batchNormalization(), relu(), linear('heNormal'), layers.batchNormalization({ gammaInitializer: 'zeros' })]),
    },
    {
      name: 'Fixup',
      model: residual(
        () => [bias(), linear(first), bias(), relu(), bias(), linear('zeros'), layers.scalarAffine()],
        layers.dense({ units: 10, activation: 'softmax', kernelInitializer: 'zeros' }),
      ),
    },
  ],
  common,
);
