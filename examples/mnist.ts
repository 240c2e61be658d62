import { datasets, layers, optimizers, sequential, train } from 'lockstep';

const model = sequential([
  layers.flatten({ inputShape: [28, 28] }),
  layers.batchNormalization(),
  layers.dense({ units: 100, activation: 'elu', kernelInitializer: 'heNormal' }),
  layers.batchNormalization(),
  layers.dense({ units: 10, activation: 'softmax' }),
]);

const run = await train({
  model,
  data: datasets.mnist(),
  loss: 'sparseCategoricalCrossentropy',
  metrics: ['accuracy'],
  optimizer: optimizers.sgd({ learningRate: 0.05, momentum: 0.9, globalClipnorm: 1 }),
  batchSize: 128,
  epochs: 2,
  seed: 42,
  onEpoch: ({ epoch, validation }) => console.log(epoch, validation),
});

console.log(run.weightsSha256, run.history);
