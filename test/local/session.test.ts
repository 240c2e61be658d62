/**
 * Room: tests of local. What a run is planned for, and what does not belong together: no thread is started.
 */
import { availableParallelism } from 'node:os';
import test from 'ava';
import type { LayerConfigInput } from '../../src/config/layers.ts';
import { arraySource } from '../../src/data/arrays.ts';
import { layers } from '../../src/layers/factories.ts';
import { type PlanOptions, planSpecFor } from '../../src/local/session.ts';
import { train } from '../../src/local/train.ts';
import { sequential } from '../../src/model/model.ts';
import { planRun } from '../../src/model/plan.ts';
import { refusal } from '../data/folder.ts';
import { classified, numbers } from '../toy.ts';

const softmax = layers.dense({ units: 3, activation: 'softmax' });
const source = (rows: number, shape: readonly number[]) => arraySource(classified(rows, shape, 3));
const targets = (targetShape: readonly number[]) => {
  const size = targetShape.reduce((product, dimension) => product * dimension, 1);
  return arraySource({ x: numbers(20, 1), y: numbers(10 * size, 2), inputShape: [2], targetShape });
};

/** The spec of a run over 10 rows of 4 numbers and 3 classes. */
function spec({ chain = [softmax], ...changes }: Partial<PlanOptions> & { chain?: LayerConfigInput[] } = {}) {
  const options: PlanOptions = {
    model: sequential(chain),
    loss: 'sparseCategoricalCrossentropy',
    settings: { batchSize: 4, metrics: [] },
    optimizerSlots: 0,
    train: source(10, [4]),
    ...changes,
  };
  options.model.build((options.train ?? options.validation)!.inputShape);
  return planSpecFor(options);
}

test('validation rows of another shape than the training rows are refused, by number of dimensions too', async (t) => {
  const words = (shape: string) =>
    `Expected the rows of \`data.validation\` to have the shape that the model is built for, (4,), got ${shape}; give all data rows of one shape.`;
  t.is(
    refusal('LOCKSTEP_SHAPE', () => spec({ validation: source(10, [5]) })),
    words('(5,)'),
  );
  t.is(
    refusal('LOCKSTEP_SHAPE', () => spec({ validation: source(10, [2, 2]) })),
    words('(2, 2)'),
  );
  const model = sequential([softmax]);
  const data = { train: classified(10, [4], 3), validation: classified(10, [400], 3) };
  await t.throwsAsync(train({ model, data, loss: 'sparseCategoricalCrossentropy', optimizer: { type: 'sgd' }, batchSize: 4 }), {
    code: 'LOCKSTEP_SHAPE',
    message: words('(400,)'),
  });
  t.deepEqual(model.topology.inputShape, [4], 'the training data decides');
});

test('there are as many workers as cores, but not more than rows in a batch or shards', (t) => {
  const cores = availableParallelism();
  t.is(spec({ settings: { batchSize: 1000, metrics: [] } }).ranks, cores);
  t.is(spec({ settings: { batchSize: 1, metrics: [] } }).ranks, 1);
  t.like(spec({ settings: { batchSize: 1000, shards: 1, metrics: [] } }), { ranks: 1, shards: 1 });
  t.like(spec({ settings: { batchSize: 1000, workers: 3, shards: 1, metrics: [] } }), { ranks: 3, shards: 1 }, 'what is asked for is done');
});

test('there is room for the largest batch that comes, not for the largest that was asked for', (t) => {
  const rows = (batchSize: number, validationBatchSize?: number) =>
    spec({ settings: { batchSize, metrics: [], ...(validationBatchSize && { validationBatchSize }) }, validation: source(7, [4]) }).batchRows;
  t.is(rows(3), 3);
  t.is(rows(50_000_000), 10);
  t.is(rows(3, 5), 5);
  t.is(rows(3, 50_000_000), 7);
});

test('a loss on logits refuses a model that ends in softmax, and the other way round', (t) => {
  t.is(
    refusal('LOCKSTEP_CONFIG', () => spec({ loss: { type: 'sparseCategoricalCrossentropy', fromLogits: true } })),
    'Expected the last layer to give logits for a loss with `fromLogits: true`, got one that ends in softmax; leave out `fromLogits` or the softmax.',
  );
  t.regex(
    refusal('LOCKSTEP_CONFIG', () => spec({ chain: [layers.dense({ units: 3 })] })),
    /^Expected the last layer to end in softmax/,
  );
  t.notThrows(() => spec({ chain: [layers.dense({ units: 3 })], loss: { type: 'sparseCategoricalCrossentropy', fromLogits: true } }));
});

test('a model with nothing to train cannot be trained, but evaluated', (t) => {
  const chain = [layers.dropout({ rate: 0.5 }), layers.activation({ activation: 'softmax' })];
  t.is(
    refusal('LOCKSTEP_CONFIG', () => spec({ chain })),
    'Expected the model to have weights to train, got none in its layers; add a dense layer.',
  );
  t.notThrows(() =>
    planSpecFor({
      model: sequential([layers.flatten({ inputShape: [4] }), ...chain]),
      loss: 'sparseCategoricalCrossentropy',
      settings: { batchSize: 4, metrics: [] },
      optimizerSlots: 0,
      validation: source(10, [4]),
    }),
  );
});

test('targets have the shape of the output, not only as many numbers', (t) => {
  const mse = (targetShape: readonly number[]) =>
    spec({ chain: [layers.dense({ units: 6 }), layers.reshape({ targetShape: [2, 3] })], loss: 'meanSquaredError', train: targets(targetShape) });
  t.notThrows(() => mse([2, 3]));
  for (const [shape, words] of [
    [[3, 2], '(3, 2)'],
    [[6], '(6,)'],
  ] as const) {
    t.is(
      refusal('LOCKSTEP_SHAPE', () => mse(shape)),
      `Expected the targets of \`data.train\` to have the shape of the model's output, (2, 3), got ${words}; change the last layer or the targets.`,
    );
  }
});

test('a normalisation over the first axis of huge rows is refused by size before any table is made', (t) => {
  const model = sequential([layers.batchNormalization({ axis: 1, inputShape: [65_536, 65_536] })]).toConfig();
  t.throws(() => planRun({ model, inputShape: [65_536, 65_536], shards: 1, ranks: 1, batchRows: 1, optimizerSlots: 0 }), { code: 'LOCKSTEP_MEMORY' });
});
