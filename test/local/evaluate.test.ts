/**
 * Room: tests of local. `evaluate()` against means computed by hand from the model's predictions.
 */
import test from 'ava';
import { layers } from '../../src/layers/factories.ts';
import { evaluate } from '../../src/local/evaluate.ts';
import { train } from '../../src/local/train.ts';
import { type Model, sequential } from '../../src/model/model.ts';
import { optimizers } from '../../src/optimizers/factories.ts';
import { classified, kernelSets, numbers } from '../toy.ts';

/** A model with moving statistics and a dropout that must be off. */
async function trained(): Promise<Model> {
  const model = sequential([
    layers.batchNormalization(),
    layers.dense({ units: 9, activation: 'relu' }),
    layers.dropout({ rate: 0.5 }),
    layers.dense({ units: 4, activation: 'softmax' }),
  ]);
  await train({
    model,
    data: { train: classified(300, [6], 4, 1) },
    loss: 'sparseCategoricalCrossentropy',
    optimizer: optimizers.sgd({ learningRate: 0.1 }),
    workers: 1,
    epochs: 3,
  });
  return model;
}

test.serial('loss and accuracy are the means over all rows of what the model predicts', async (t) => {
  const model = await trained();
  const data = classified(205, [6], 4, 2);
  const rows = model.predict(data.x as Float32Array).toRows();
  let [loss, correct] = [0, 0];
  rows.forEach((probabilities, row) => {
    const label = (data.y as Int32Array)[row]!;
    loss -= Math.log(probabilities[label]!);
    if (probabilities.indexOf(Math.max(...probabilities)) === label) correct++;
  });
  for (const kernels of kernelSets) {
    const result = await evaluate({ model, data, loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'], batchSize: 50, workers: 2, kernels });
    t.is(result.samples, 205);
    t.is(result.metrics['accuracy'], correct / 205);
    t.true(Math.abs(result.loss - loss / 205) < 1e-6 * result.loss, `${kernels}: ${result.loss}, ${loss / 205} by hand`);
  }
  t.true(correct > 100, 'a model that learnt nothing would not tell wrong rows from right ones');
});

test.serial('a mean squared error is the mean over rows of the mean over outputs', async (t) => {
  const model = sequential([layers.dense({ units: 3, inputShape: [2] })]);
  model.initialize(5);
  const [x, y] = [numbers(2 * 70, 1), numbers(3 * 70, 2)];
  const predictions = model.predict(x).data;
  let loss = 0;
  predictions.forEach((value, i) => {
    loss += (value - y[i]!) ** 2 / 3;
  });
  const result = await evaluate({ model, data: { x, y, inputShape: [2], targetShape: [3] }, loss: 'meanSquaredError', batchSize: 32, workers: 2 });
  t.deepEqual(result.metrics, {});
  t.true(Math.abs(result.loss - loss / 70) < 1e-6 * result.loss, `${result.loss}, ${loss / 70} by hand`);
});

test.serial('any number of workers gives the same bits, and no weight changes', async (t) => {
  const model = await trained();
  const { weightsSha256 } = model;
  const run = async (workers: number) => {
    const { loss, metrics } = await evaluate({
      model,
      data: classified(203, [6], 4, 2),
      loss: 'sparseCategoricalCrossentropy',
      metrics: ['accuracy'],
      batchSize: 64,
      shards: 5,
      workers,
    });
    return { loss, metrics };
  };
  const expected = await run(1);
  for (const workers of [2, 3, 6]) t.deepEqual(await run(workers), expected, `${workers} workers`);
  t.is(model.weightsSha256, weightsSha256);
});

test.serial('it equals the validation that a run reports at its end', async (t) => {
  const model = sequential([layers.batchNormalization(), layers.dense({ units: 4, activation: 'softmax' })]);
  const validation = classified(99, [6], 4, 2);
  const settings = { loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'], batchSize: 32, shards: 3, workers: 2 } as const;
  const { history } = await train({ model, data: { train: classified(100, [6], 4), validation }, optimizer: optimizers.adam(), ...settings, metrics: ['accuracy'] });
  const result = await evaluate({ model, data: validation, ...settings, metrics: ['accuracy'] });
  t.is(result.loss, history['val_loss']![0]!);
  t.is(result.metrics['accuracy'], history['val_accuracy']![0]!);
});

test.serial('a model without weights is refused', async (t) => {
  await t.throwsAsync(
    evaluate({ model: sequential([layers.dense({ units: 4, activation: 'softmax' })]), data: classified(9, [6], 4), loss: 'sparseCategoricalCrossentropy' }),
    {
      code: 'LOCKSTEP_USAGE',
      message: 'Expected the model to have weights, got none yet; train it, or call `initialize(seed)` or `load(path)` first.',
    },
  );
});

test.serial('there may be more shards than rows in a batch, as in the validation of a training', async (t) => {
  const model = await trained();
  const data = classified(10, [6], 4, 2);
  const run = async (workers: number) => {
    const { loss, metrics } = await evaluate({ model, data, loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'], shards: 8, batchSize: 4, workers });
    return { loss, metrics };
  };
  const expected = await run(1);
  t.deepEqual(await run(2), expected);
  const whole = await evaluate({ model, data, loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'], shards: 1, batchSize: 10 });
  t.true(Math.abs(whole.loss - expected.loss) < 1e-6 * whole.loss);
  t.deepEqual(whole.metrics, expected.metrics);
});
