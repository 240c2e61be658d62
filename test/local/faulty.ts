/**
 * Room: tests of local. What the process of `faults.test.ts` runs: a training whose rank fails as the arguments say (JSON:
 * workers and fault). It prints the error's code and message, then that it came to its end; nothing here ends the process.
 */
import { isLockstepError } from '../../src/errors.ts';
import { layers } from '../../src/layers/factories.ts';
import { type TrainOptions, train } from '../../src/local/train.ts';
import { sequential } from '../../src/model/model.ts';
import { classified } from '../toy.ts';

const { workers, fault } = JSON.parse(process.argv[2]!) as Required<Pick<TrainOptions, 'workers' | 'fault'>>;
try {
  await train({
    model: sequential([layers.batchNormalization(), layers.dense({ units: 6 }), layers.batchNormalization(), layers.dense({ units: 3, activation: 'softmax' })]),
    data: { train: classified(200, [4], 3) },
    loss: 'sparseCategoricalCrossentropy',
    optimizer: { type: 'sgd' },
    batchSize: 20,
    epochs: 1000,
    kernels: 'wasm',
    workers,
    shards: 4,
    fault,
  });
  console.log('no error');
} catch (error) {
  if (!isLockstepError(error)) throw error;
  console.log(`${error.code}\n${error.message}`);
}
