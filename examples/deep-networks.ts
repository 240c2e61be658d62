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

// Residual blocks: each adds to what goes by, so a gradient reaches the first of them as it is.
const blocks = 50;
const stem = (): LayerConfigInput => layers.dense({ units: width, activation: 'relu', kernelInitializer: 'heNormal', name: 'block_0' });
const residual = (block: (number: number) => LayerConfigInput[], last: LayerConfigInput = output()): Model =>
  sequential([
    flatten(),
    stem(),
    ...Array.from({ length: blocks }, (_, i) => [
      ...block(i + 1),
      layers.add({ from: `block_${i}`, name: `sum_${i + 1}` }),
      layers.activation({ activation: 'relu', name: `block_${i + 1}` }),
    ]).flat(),
    last,
  ]);
const he = (): LayerConfigInput => layers.dense({ units: width, kernelInitializer: 'heNormal' });
const relu = (): LayerConfigInput => layers.activation({ activation: 'relu' });
/** A layer without a bias of its own, then a normalisation. */
const normal = (): LayerConfigInput[] => [layers.dense({ units: width, useBias: false, kernelInitializer: 'heNormal' }), layers.batchNormalization()];
const bias = (): LayerConfigInput => layers.scalarAffine({ scale: false });
const zeros = { kernelInitializer: 'zeros' } as const;
const fixup = { kernelInitializer: { type: 'fixup', blocks, layersPerBlock: 2 } } as const;

await compare(
  'residual',
  [
    { name: 'He', model: residual(() => [he(), relu(), he()]) },
    { name: 'batch normalisation', model: residual(() => [...normal(), relu(), ...normal()]) },
    {
      name: 'Fixup',
      model: residual(
        () => [
          bias(),
          layers.dense({ units: width, useBias: false, ...fixup }),
          bias(),
          relu(),
          bias(),
          layers.dense({ units: width, useBias: false, ...zeros }),
          layers.scalarAffine(),
        ],
        layers.dense({ units: 10, activation: 'softmax', ...zeros }),
      ),
    },
  ],
  common,
);
