/**
 * Room: tests of local. `predict()` against the model's own predictions: every row, in order, whoever computes it.
 */
import test from 'ava';
import { layers } from '../../src/layers/factories.ts';
import { predict } from '../../src/local/predict.ts';
import { train } from '../../src/local/train.ts';
import { type Model, sequential } from '../../src/model/model.ts';
import { optimizers } from '../../src/optimizers/factories.ts';
import { classified, kernelSets } from '../toy.ts';

async function trained(normalize?: 'standard') {
  const model = sequential([
    layers.batchNormalization(),
    layers.dense({ units: 9, activation: 'relu' }),
    layers.dropout({ rate: 0.5 }),
    layers.dense({ units: 4, activation: 'softmax' }),
  ]);
  const data = { train: { ...classified(300, [6], 4, 1), ...(normalize && { normalize }) } };
  return await train({ model, data, loss: 'sparseCategoricalCrossentropy', optimizer: optimizers.sgd({ learningRate: 0.1 }), workers: 1, epochs: 2 });
}

const bytes = ({ data }: { data: Float32Array }): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

test.serial('the outputs of all rows come in their order, as the model alone computes them, and labels are not needed', async (t) => {
  const { model } = await trained();
  const { x } = classified(205, [6], 4, 2);
  const expected = model.predict(x as Float32Array);
  for (const kernels of kernelSets) {
    const found = await predict({ model, data: { x, inputShape: [6] }, batchSize: 50, workers: 2, kernels });
    t.deepEqual(found.shape, [205, 4]);
    t.true(
      found.data.every((value, i) => Math.abs(value - expected.data[i]!) < 1e-6),
      kernels,
    );
    t.deepEqual(found.argMax(), expected.argMax());
  }
});

test.serial('workers do not change a bit at the same shards and batch size', async (t) => {
  const { model } = await trained();
  const data = classified(131, [6], 4, 3);
  for (const kernels of kernelSets) {
    const [one, ...others] = await Promise.all([1, 2, 3].map((workers) => predict({ model, data, batchSize: 40, shards: 3, workers, kernels })));
    for (const other of others) t.true(bytes(one!).equals(bytes(other)), kernels);
    t.is(new Set(one!.data).size > 100, true);
  }
});

test.serial('rows get what the training data taught', async (t) => {
  const run = await trained('standard');
  const { x } = classified(40, [6], 4, 2);
  const { offset, divisor } = run.normalization!;
  const prepared = Float32Array.from(x as Float32Array, (value, i) => (value - offset[i % 6]!) / divisor[i % 6]!);
  const found = await predict({ model: run.model, data: { x, inputShape: [6] }, learnt: run, batchSize: 16, workers: 2, shards: 2, kernels: 'wasm' });
  const expected = await predict({ model: run.model, data: { x: prepared, inputShape: [6] }, batchSize: 16, workers: 1, shards: 2, kernels: 'wasm' });
  t.true(bytes(found).equals(bytes(expected)));
});

test('rows of another shape, a model without weights and unknown options are refused', async (t) => {
  const model: Model = sequential([layers.dense({ units: 2, inputShape: [3] })]);
  const data = { x: new Float32Array(8), inputShape: [4] };
  await t.throwsAsync(predict({ model, data }), { code: 'LOCKSTEP_USAGE', message: /to have weights/ });
  model.initialize(1);
  await t.throwsAsync(predict({ model, data }), { code: 'LOCKSTEP_SHAPE', message: /the model has weights for, \(3,\), got \(4,\); / });
  await t.throwsAsync(predict({ model, data, loss: 'meanSquaredError' } as never), { code: 'LOCKSTEP_CONFIG', message: /loss/ });
});
