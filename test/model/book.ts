/** Room: tests of model. The network of DESIGN 11. */
import { layers } from '../../src/layers/factories.ts';
import { type Model, sequential } from '../../src/model/model.ts';

export function bookModel(): Model {
  return sequential([
    layers.flatten({ inputShape: [28, 28] }),
    layers.batchNormalization(),
    layers.dense({ units: 300, activation: 'elu', kernelInitializer: 'heNormal' }),
    layers.batchNormalization(),
    layers.dense({ units: 100, activation: 'elu', kernelInitializer: 'heNormal' }),
    layers.batchNormalization(),
    layers.dense({ units: 10, activation: 'softmax' }),
  ]);
}
