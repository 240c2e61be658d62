/**
 * Room: tests of local. `train()` as a program calls it: what it learns, tells, returns and leaves behind.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { LayerConfigInput } from '../../src/config/layers.ts';
import type { ArrayData } from '../../src/data/arrays.ts';
import { LockstepError } from '../../src/errors.ts';
import { layers } from '../../src/layers/factories.ts';
import { type TrainOptions, train } from '../../src/local/train.ts';
import { type Model, sequential } from '../../src/model/model.ts';
import { optimizers } from '../../src/optimizers/factories.ts';
import type { EpochEvent, RunEvent, StepEvent } from '../../src/telemetry/events.ts';
import { ringLength } from '../../src/telemetry/reports.ts';
import { classified, exclusiveOr, threads, trace, within } from '../toy.ts';

const classes: LayerConfigInput[] = [layers.dense({ units: 8, activation: 'tanh' }), layers.dense({ units: 3, activation: 'softmax' })];

/** A run over 100 rows in batches of 32: 32, 32, 32 and 4 rows an epoch. */
function small(options: Partial<TrainOptions> = {}): TrainOptions {
  return {
    model: sequential(classes),
    data: { train: classified(100, [4], 3) },
    loss: 'sparseCategoricalCrossentropy',
    optimizer: optimizers.sgd({ learningRate: 0.1, momentum: 0.9 }),
    batchSize: 32,
    workers: 2,
    kernels: 'wasm',
    ...options,
  };
}

/** A model of one weight that starts at 0, and rows [1], [2], ..., whose target is their number: the loss tells which row it was. */
function counting(rows: number): { model: Model; data: ArrayData } {
  return {
    model: sequential([layers.dense({ units: 1, kernelInitializer: 'zeros', inputShape: [1] })]),
    data: { x: Array.from({ length: rows }, (_, row) => [row + 1]), y: Array.from({ length: rows }, (_, row) => [row + 1]) },
  };
}

/** The row that each step read, from a run with batches of one and a learning rate of 0. */
async function order(rows: number, options: Partial<TrainOptions>): Promise<number[]> {
  const { model, data } = counting(rows);
  const seen: number[] = [];
  await train({
    ...small({ model, data: { train: data }, loss: 'meanSquaredError', optimizer: optimizers.sgd({ learningRate: 0 }), batchSize: 1, workers: 1 }),
    onStep: ({ loss }) => seen.push(Math.sqrt(loss)),
    ...options,
  });
  return seen;
}

test.serial('a network learns what no line separates, and predicts it', async (t) => {
  const model = sequential([
    layers.dense({ units: 16, activation: 'tanh' }),
    layers.batchNormalization({ momentum: 0.9 }),
    layers.dense({ units: 16, activation: 'tanh' }),
    layers.dense({ units: 2, activation: 'softmax' }),
  ]);
  const { history } = await train({
    model,
    data: { train: exclusiveOr(1000, 1), validation: exclusiveOr(300, 2) },
    loss: 'sparseCategoricalCrossentropy',
    metrics: ['accuracy'],
    optimizer: optimizers.adam({ learningRate: 0.02 }),
    batchSize: 50,
    epochs: 20,
    workers: 2,
    shards: 2,
    kernels: 'wasm',
  });
  t.true(history['accuracy']![0]! < 0.9, 'the first epoch cannot know it yet');
  t.true(history['val_accuracy']!.at(-1)! > 0.95, `${history['val_accuracy']}`);
  const corners = model
    .predict([
      [0.5, 0.5],
      [-0.5, 0.5],
      [-0.5, -0.5],
      [0.5, -0.5],
    ])
    .toRows();
  t.deepEqual(
    corners.map(([same, other]) => (same! > other! ? 0 : 1)),
    [0, 1, 0, 1],
  );
});

test.serial('a line is found by least squares', async (t) => {
  const x = Array.from({ length: 64 }, (_, row) => [row / 32 - 1]);
  const model = sequential([layers.dense({ units: 1 })]);
  await train(
    small({
      model,
      data: { train: { x, y: x.map(([value]) => [3 * value! - 2]) } },
      loss: 'meanSquaredError',
      epochs: 60,
      optimizer: optimizers.sgd({ learningRate: 0.2 }),
    }),
  );
  const [kernel, bias] = model.getWeights();
  t.true(Math.abs(kernel!.data[0]! - 3) < 1e-3, `${kernel!.data[0]}`);
  t.true(Math.abs(bias!.data[0]! + 2) < 1e-3, `${bias!.data[0]}`);
});

test.serial('steps, epochs and the end are told in order, and the history has the names of Keras', async (t) => {
  const events: RunEvent[] = [];
  const steps: StepEvent[] = [];
  const epochs: EpochEvent[] = [];
  const run = await train(
    small({
      data: { train: classified(100, [4], 3), validation: classified(30, [4], 3, 2) },
      metrics: ['accuracy'],
      epochs: 2,
      onStep: (event) => steps.push(event),
      onEpoch: (event) => epochs.push(event),
      onEvent: (event) => events.push(event),
    }),
  );
  t.deepEqual(
    events.map(({ event }) => event),
    [...Array<string>(4).fill('step'), 'epoch', ...Array<string>(4).fill('step'), 'epoch', 'end'],
  );
  t.deepEqual(
    events.filter(({ event }) => event === 'step'),
    steps,
  );
  t.deepEqual(
    events.filter(({ event }) => event === 'epoch'),
    epochs,
  );
  t.deepEqual(
    steps.map(({ step }) => step),
    [1, 2, 3, 4, 5, 6, 7, 8],
  );
  t.deepEqual(
    steps.map(({ epoch }) => epoch),
    [0, 0, 0, 0, 1, 1, 1, 1],
  );
  t.deepEqual(
    steps.map(({ samples }) => samples),
    [32, 32, 32, 4, 32, 32, 32, 4],
  );
  t.true(steps.every(({ loss, gradNorm, learningRate, clipScale, seconds }) => loss > 0 && gradNorm > 0 && learningRate === 0.1 && clipScale === 1 && seconds > 0));
  t.deepEqual(Object.keys(run.history), ['loss', 'accuracy', 'val_loss', 'val_accuracy']);
  // The mean of an epoch weighs steps by their rows.
  const [a, b, c, d] = steps;
  t.true(Math.abs(run.history['loss']![0]! - (32 * a!.loss + 32 * b!.loss + 32 * c!.loss + 4 * d!.loss) / 100) < 1e-12);
  t.deepEqual(
    run.history['val_accuracy'],
    epochs.map(({ validation }) => validation!.metrics['accuracy']!),
  );
  t.deepEqual({ steps: run.steps, interrupted: run.interrupted }, { steps: 8, interrupted: false });
  t.is(run.weightsSha256, run.model.weightsSha256);
  t.like(events.at(-1), { event: 'end', steps: 8, weightsSha256: run.weightsSha256 });
});

test.serial('without metrics and validation the history holds the loss alone', async (t) => {
  const { history } = await train(small({ epochs: 3 }));
  t.deepEqual(Object.keys(history), ['loss']);
  t.is(history['loss']!.length, 3);
});

test.serial('what a run turns out to be is told before its first step', async (t) => {
  const told: unknown[] = [];
  await train(
    small({
      shards: 5,
      steps: 6,
      onStart: ({ kernels, arenaBytes, ...run }) => told.push({ ...run, set: kernels.set, fits: arenaBytes > 0 }),
      onStep: ({ step }) => told.push(step),
    }),
  );
  t.deepEqual(told, [{ hosts: 1, workers: 2, shards: 5, samples: 100, stepsPerEpoch: 4, steps: 6, from: 0, epochsBefore: 0, set: 'wasm', fits: true }, 1, 2, 3, 4, 5, 6]);
});

test.serial('steps end a run exactly, inside an epoch or epochs later', async (t) => {
  const three = await trace(small({ steps: 3 }));
  t.is(three.steps.length, 3);
  t.deepEqual(
    three.epochs.map(({ partial }) => partial),
    [true],
  );
  const six = await trace(small({ steps: 6 }));
  t.is(six.steps.length, 6);
  t.deepEqual(
    six.epochs.map(({ partial }) => partial),
    [undefined, true],
  );
  t.deepEqual(six.steps.slice(0, 3), three.steps);
  t.is((await trace(small({ steps: 6, epochs: 1 }))).steps.length, 4);
});

test.serial('rows come in file order without shuffle, and else in a new order of all rows in every epoch', async (t) => {
  const inOrder = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
  t.deepEqual(await order(12, { shuffle: false, epochs: 2 }), [...inOrder, ...inOrder]);
  const shuffled = await order(12, { epochs: 2 });
  const [one, two] = [shuffled.slice(0, 12), shuffled.slice(12)];
  const sorted = (rows: number[]): number[] => rows.toSorted((a, b) => a - b);
  t.deepEqual(sorted(one), inOrder);
  t.deepEqual(sorted(two), inOrder);
  t.notDeepEqual(one, inOrder);
  t.notDeepEqual(one, two);
  t.deepEqual(await order(12, { epochs: 2 }), shuffled);
  t.notDeepEqual(await order(12, { epochs: 2, seed: 9 }), shuffled);
});

test.serial('dropRemainder leaves the last batch out when it is not full', async (t) => {
  const { steps } = await trace(small({ dropRemainder: true, epochs: 2 }));
  t.deepEqual(
    steps.map(({ samples }) => samples),
    [32, 32, 32, 32, 32, 32],
  );
  await t.throwsAsync(train(small({ dropRemainder: true, batchSize: 101 })), {
    instanceOf: LockstepError,
    message: 'Expected at least one full batch of 101 rows with dropRemainder, got 100 rows; use a smaller batchSize or keep the remainder.',
  });
});

test.serial('a model that was trained goes on from its weights', async (t) => {
  const model = sequential(classes);
  const first = await trace(small({ model, epochs: 5 }));
  const second = await trace(small({ model, epochs: 5 }));
  t.true(second.steps[0]!.loss < first.steps[0]!.loss);
  t.not(second.weightsSha256, first.weightsSha256);
  t.is(model.weightsSha256, second.weightsSha256);
});

test.serial('first weights come from a safetensors file when one is given, and otherwise from the seed', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-train-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'first.safetensors');
  const origin = sequential(classes);
  const half = await train(small({ model: origin, steps: 2 }));
  await half.model.save(path);
  const onward = await train(small({ model: origin, steps: 2 }));
  const loaded = await train(small({ init: path, steps: 2, seed: 0 }));
  t.is(loaded.weightsSha256, onward.weightsSha256);

  const seeded = sequential(classes);
  seeded.build([4]);
  seeded.initialize(0);
  t.is((await train(small({ model: seeded, steps: 2 }))).weightsSha256, half.weightsSha256);
});

test.serial('a model refuses data of another shape than its weights were made for', async (t) => {
  const { model } = await train(small({ steps: 1 }));
  const before = model.weightsSha256;
  await t.throwsAsync(train(small({ model, data: { train: classified(100, [5], 3) } })), {
    instanceOf: LockstepError,
    code: 'LOCKSTEP_SHAPE',
    message: 'Expected samples of the shape that the model has weights for, (4,), got (5,); train a new model on them.',
  });
  t.is(model.weightsSha256, before);
  t.is(model.predict([[1, 2, 3, 4]]).shape.join(), '1,3');
});

test.serial('aborting ends the run after a whole step, with the weights of exactly that many steps', async (t) => {
  const controller = new AbortController();
  const endless = small({ signal: controller.signal, epochs: 1_000_000, onStep: ({ step }) => step === 5 && controller.abort() });
  const run = await within(60_000, 'an interrupted run', train(endless));
  t.true(run.interrupted);
  t.true(run.steps >= 5);
  const whole = await train(small({ steps: run.steps }));
  t.false(whole.interrupted);
  t.is(run.weightsSha256, whole.weightsSha256);
});

test.serial('a run that is aborted before it begins takes no step', async (t) => {
  const model = sequential(classes);
  model.build([4]);
  model.initialize(1);
  const { weightsSha256 } = model;
  const run = await train(small({ model, signal: AbortSignal.abort() }));
  t.deepEqual({ steps: run.steps, interrupted: run.interrupted, weightsSha256: run.weightsSha256 }, { steps: 0, interrupted: true, weightsSha256 });
});

for (const where of ['onStart', 'onStep', 'onEpoch', 'onEvent'] as const) {
  test.serial(`what ${where} throws ends the run, leaves no thread and does not hinder the next`, async (t) => {
    const reason = new Error(`thrown in ${where}`);
    const listener = (): never => {
      throw reason;
    };
    const error = await within(60_000, 'the end of the run', t.throwsAsync(train(small({ epochs: 1000, [where]: listener }))));
    t.is(error, reason);
    t.is(threads(), 0);
    t.is((await train(small())).steps, 4);
    t.is(threads(), 0);
  });
}

test.serial('more steps than the ring holds are all told to a listener that keeps the ranks waiting', async (t) => {
  const steps = 3 * ringLength + 7;
  const seen: number[] = [];
  await train(
    small({
      workers: 1,
      batchSize: 1,
      data: { train: classified(5, [4], 3) },
      steps,
      onStep({ step }) {
        // Long enough for the ranks to fill the ring while nobody reads.
        if (step % ringLength === 1) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
        seen.push(step);
      },
    }),
  );
  t.deepEqual(
    seen,
    Array.from({ length: steps }, (_, i) => i + 1),
  );
});

test.serial('inputs are divided by their scale, whatever type they are stored in', async (t) => {
  const bytes = Uint8Array.from({ length: 400 }, (_, i) => (i * 37) % 256);
  const y = Int32Array.from({ length: 100 }, (_, row) => bytes[4 * row]! % 3);
  const run = async (x: Uint8Array | Float32Array, scale: number) => await trace(small({ data: { train: { x, y, inputShape: [4], scale } } }));
  const expected = await run(bytes, 256);
  t.deepEqual(await run(Float32Array.from(bytes), 256), expected);
  t.deepEqual(
    await run(
      Float32Array.from(bytes, (byte) => byte / 256),
      1,
    ),
    expected,
  );
  t.notDeepEqual(await run(bytes, 128), expected);
});

test.serial("Adam's count of updates goes on from epoch to epoch: three epochs of one batch are one epoch of the batch three times", async (t) => {
  const once = classified(32, [4], 3);
  const thrice: ArrayData = {
    x: new Float32Array([once.x, once.x, once.x].flatMap((x) => [...(x as Float32Array)])),
    y: Int32Array.from([once.y, once.y, once.y].flatMap((y) => [...(y as Int32Array)])),
    inputShape: [4],
  };
  const adam = (data: ArrayData, epochs: number): Promise<{ weightsSha256: string }> =>
    train(small({ model: sequential(classes), data: { train: data }, optimizer: optimizers.adam({ learningRate: 0.05 }), shuffle: false, epochs }));
  t.is((await adam(once, 3)).weightsSha256, (await adam(thrice, 1)).weightsSha256);
});

test.serial('a run that is aborted does not evaluate first', async (t) => {
  const controller = new AbortController();
  const epochs: EpochEvent[] = [];
  const run = await train(
    small({
      data: { train: classified(100, [4], 3), validation: classified(50, [4], 3, 2) },
      epochs: 1000,
      signal: controller.signal,
      onStep: () => controller.abort(),
      onEpoch: (event) => epochs.push(event),
    }),
  );
  t.true(run.interrupted);
  t.is(epochs.at(-1)?.validation, undefined);
});

test.serial('more steps than can be counted are refused', async (t) => {
  await t.throwsAsync(train(small({ epochs: 2 ** 30 })), {
    code: 'LOCKSTEP_CONFIG',
    message: 'Expected at most 2147483647 steps in a run, got 4294967296; use fewer epochs.',
  });
});
