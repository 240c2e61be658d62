/**
 * Room: tests of equivalence. Images that are resized on the way, between layers that learn: the same weights for any number of workers.
 */
import test from 'ava';
import { layers } from '../../src/layers/factories.ts';
import { sequential } from '../../src/model/model.ts';
import { optimizers } from '../../src/optimizers/factories.ts';
import { classified, kernelSets, trace } from '../toy.ts';

for (const kernels of kernelSets) {
  test.serial(`workers change no bit of a model that resizes, on ${kernels}`, async (t) => {
    const result = (workers: number) =>
      trace({
        model: sequential([
          layers.dense({ units: 3, activation: 'tanh' }),
          layers.resizing({ height: 5, width: 7 }),
          layers.batchNormalization(),
          layers.resizing({ height: 2, width: 3, interpolation: 'nearest' }),
          layers.flatten(),
          layers.dense({ units: 4, activation: 'softmax' }),
        ]),
        data: { train: classified(61, [4, 6, 2], 4) },
        loss: 'sparseCategoricalCrossentropy',
        optimizer: optimizers.sgd({ learningRate: 0.1, momentum: 0.9 }),
        batchSize: 16,
        epochs: 2,
        shards: 5,
        kernels,
        workers,
      });
    const expected = await result(1);
    for (const workers of [2, 3, 5]) t.deepEqual(await result(workers), expected, `${workers} workers`);
    t.true(expected.steps.at(-1)!.loss < expected.steps[0]!.loss);
  });
}
