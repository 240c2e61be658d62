/**
 * Room: tests of local. What the options of optimizers come to in a run: the rate of every step is told, frozen weights stay, the model
 * gets the average of its weights, and patterns about nothing are refused.
 */
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { parseRecord, serializeRecord } from '../../src/checkpoint/record.ts';
import type { OptimizerConfigInput } from '../../src/config/optimizers.ts';
import { layers } from '../../src/layers/factories.ts';
import { type TrainOptions, train } from '../../src/local/train.ts';
import { sequential } from '../../src/model/model.ts';
import { percentileOf } from '../percentile.ts';
import { classified, trace } from '../toy.ts';

function run(optimizer: OptimizerConfigInput, options: Partial<TrainOptions> = {}): TrainOptions {
  return {
    model: sequential([layers.dense({ units: 8, activation: 'relu' }), layers.batchNormalization(), layers.dense({ units: 3, activation: 'softmax' })]),
    data: { train: classified(60, [6], 3) },
    loss: 'sparseCategoricalCrossentropy',
    optimizer,
    batchSize: 20,
    steps: 5,
    seed: 5,
    kernels: 'wasm',
    shards: 2,
    workers: 2,
    ...options,
  };
}

/** The model's weights by name, after `steps` steps. */
async function weightsAfter(optimizer: OptimizerConfigInput, steps: number): Promise<Map<string, Float32Array>> {
  const { model } = await train(run(optimizer, { steps }));
  return new Map(model.getWeights().map(({ name, data }) => [name, data]));
}

const stairs = { type: 'stepDecay' as const, boundaries: [0, 2], values: [0.4, 0.2, 0.1] } satisfies OptimizerConfigInput['learningRate'];

test.serial('steps tell the rate that they were updated with, and a checkpoint that of the next', async (t) => {
  const runDir = mkdtempSync(join(tmpdir(), 'lockstep-optimizers-'));
  t.teardown(() => rmSync(runDir, { recursive: true, force: true }));
  const { steps } = await trace(run({ type: 'sgd', learningRate: stairs }, { steps: 3, checkpoints: { runDir } }));
  t.deepEqual(
    steps.map(({ learningRate }) => learningRate),
    [0.4, 0.2, 0.2],
  );
  const record = JSON.parse(readFileSync(join(runDir, 'checkpoints/latest/run.json'), 'utf8')) as { learningRate: number };
  t.is(record.learningRate, 0.1);
});

test.serial('a step that is skipped counts for no schedule', async (t) => {
  const data = classified(60, [6], 3);
  // A row of the first step, without a shuffle.
  (data.x as Float32Array).fill(3e38, 0, 6);
  const { steps } = await trace(run({ type: 'sgd', learningRate: stairs }, { data: { train: data }, shuffle: false, onNonFinite: 'skip', steps: 3 }));
  t.deepEqual(
    steps.map(({ skipped, learningRate }) => [skipped !== undefined, learningRate]),
    [
      [true, 0.4],
      [false, 0.4],
      [false, 0.2],
    ],
  );
});

test.serial('weights whose factor is 0 stay bit for bit, the others do not', async (t) => {
  const before = await weightsAfter({ type: 'sgd', learningRate: 0 }, 1);
  const after = await weightsAfter({ type: 'adam', weightDecay: 0.1, learningRateFactors: { dense: 0, '*/gamma': 0 } }, 5);
  for (const [name, data] of after) {
    const isFrozen = name.startsWith('dense/') || name.endsWith('/gamma');
    t.is(
      data.every((value, i) => value === before.get(name)![i]),
      isFrozen,
      name,
    );
  }
});

test.serial('a factor is a learning rate of its own', async (t) => {
  const halved = await weightsAfter({ type: 'nadam', learningRate: 0.02, learningRateFactors: { '*': 0.5 } }, 5);
  t.deepEqual(halved, await weightsAfter({ type: 'nadam', learningRate: 0.01 }, 5));
});

test.serial('without a gradient scale to speak of, weights that are not excluded decay', async (t) => {
  const before = await weightsAfter({ type: 'sgd', learningRate: 0 }, 1);
  const after = await weightsAfter({ type: 'sgd', learningRate: 1, clipvalue: 1e-30, weightDecay: 0.25, excludeFromWeightDecay: ['dense_1'] }, 1);
  for (const name of ['dense/kernel', 'batch_normalization/gamma'])
    t.deepEqual(
      after.get(name),
      before.get(name)!.map((value) => 0.75 * value),
      name,
    );
  t.deepEqual(after.get('dense_1/kernel'), before.get('dense_1/kernel'));
});

test.serial('the model gets the moving average of its weights, moving statistics as they are', async (t) => {
  const plain = [];
  for (let steps = 1; steps <= 5; steps++) plain.push(await weightsAfter({ type: 'adam', learningRate: 0.05 }, steps));
  const averaged = await weightsAfter({ type: 'adam', learningRate: 0.05, useEma: true, emaMomentum: 0.75 }, 5);
  for (const [name, data] of averaged) {
    const values = plain.map((weights) => weights.get(name)!);
    if (name.includes('moving_')) {
      t.deepEqual(data, values[4]);
      continue;
    }
    for (let i = 0; i < data.length; i++) {
      let average = values[0]![i]!;
      for (let step = 1; step < 5; step++) average = 0.75 * average + 0.25 * values[step]![i]!;
      t.true(Math.abs(data[i]! - average) < 1e-6, `${name}[${i}]`);
      if (name === 'dense_1/kernel') t.not(data[i], values[4]![i]);
    }
  }
});

test.serial('an average that overwrites the weights at every step keeps them where the first step left them', async (t) => {
  const after = await weightsAfter({ type: 'sgd', learningRate: 0.1, useEma: true, emaMomentum: 1, emaOverwriteFrequency: 1 }, 5);
  const first = await weightsAfter({ type: 'sgd', learningRate: 0.1 }, 1);
  for (const name of ['dense/kernel', 'dense_1/bias']) t.deepEqual(after.get(name), first.get(name), name);
});

test.serial(
  'adaptive clipping holds the step of every unit to its share of the unit, but that of weights that are excluded, and tells the smallest factor',
  async (t) => {
    const before = await weightsAfter({ type: 'sgd', learningRate: 0 }, 1);
    const free = await weightsAfter({ type: 'sgd', learningRate: 1 }, 1);
    const optimizer = { type: 'sgd' as const, learningRate: 1, adaptiveClip: 0.05, excludeFromAdaptiveClip: ['dense_1', '*/beta'] } satisfies OptimizerConfigInput;
    const after = await weightsAfter(optimizer, 1);
    const clipped = new Set<string>();
    let least = 1;
    for (const [name, data] of after) {
      if (name.includes('moving_')) continue;
      if (name.startsWith('dense_1/') || name.endsWith('/beta')) {
        t.deepEqual(data, free.get(name)!, name);
        continue;
      }
      const columns = name === 'dense/kernel' ? 8 : 1;
      const units = (values: ArrayLike<number>): number[][] => Array.from({ length: columns }, (_, unit) => Array.from(values).filter((_, i) => i % columns === unit));
      const gradient = units(before.get(name)!.map((value, i) => value - free.get(name)![i]!));
      const actual = units(before.get(name)!.map((value, i) => value - data[i]!));
      for (const [unit, weights] of units(before.get(name)!).entries()) {
        const most = 0.05 * Math.max(Math.hypot(...weights), 1e-3);
        const norm = Math.hypot(...gradient[unit]!);
        const factor = norm > most ? most / norm : 1;
        if (factor < 1) clipped.add(name);
        least = Math.min(least, factor);
        // Differences of float32 weights around 1.
        for (const [i, g] of gradient[unit]!.entries()) t.true(Math.abs(actual[unit]![i]! - factor * g) < 3e-7, `${name}, unit ${unit}, number ${i}`);
      }
    }
    t.deepEqual(clipped, new Set(['dense/kernel', 'dense/bias', 'batch_normalization/gamma']));
    const { steps } = await trace(run(optimizer, { steps: 1 }));
    t.true(Math.abs(steps[0]!.clipScale / least - 1) < 1e-4);
  },
);

test.serial('a share that no gradient reaches changes no bit', async (t) => {
  const plain = await trace(run({ type: 'nadam' }));
  t.deepEqual(await trace(run({ type: 'nadam', adaptiveClip: 1e9 })), plain);
  t.deepEqual(new Set(plain.steps.map(({ clipScale }) => clipScale)), new Set([1]));
});

test.serial('the threshold is the percentile of the norms of the last updates; a step that is skipped is none, and a checkpoint has them', async (t) => {
  const data = classified(60, [6], 3);
  // A row of the first step of every epoch, without a shuffle.
  (data.x as Float32Array).fill(3e38, 0, 6);
  const runDir = mkdtempSync(join(tmpdir(), 'lockstep-optimizers-'));
  t.teardown(() => rmSync(runDir, { recursive: true, force: true }));
  const changes: Partial<TrainOptions> = { data: { train: data }, shuffle: false, onNonFinite: 'skip', steps: 12, checkpoints: { runDir } };
  const { steps } = await trace(run({ type: 'sgd', learningRate: 0.2, clipPercentile: 35, clipHistory: 4 }, changes));
  const norms: number[] = [];
  for (const [i, { skipped, gradNorm, clipScale }] of steps.entries()) {
    t.is(skipped !== undefined, i % 3 === 0);
    if (skipped) continue;
    norms.push(gradNorm);
    t.is(clipScale, Math.min(1, percentileOf(norms.slice(-4), 35) / gradNorm), `step ${i + 1}`);
  }
  t.true(new Set(steps.map(({ clipScale }) => clipScale < 1)).size === 2, 'some are clipped, some are not');
  const file = join(runDir, 'checkpoints/latest/run.json');
  const record = JSON.parse(readFileSync(file, 'utf8')) as { gradNorms: number[] };
  t.deepEqual(record.gradNorms, norms.slice(-4));
});

test.serial('a checkpoint without the norms that its updates left is refused', async (t) => {
  const runDir = mkdtempSync(join(tmpdir(), 'lockstep-optimizers-'));
  t.teardown(() => rmSync(runDir, { recursive: true, force: true }));
  const optimizer = { type: 'sgd', clipPercentile: 35, clipHistory: 4 } as const;
  await trace(run(optimizer, { steps: 3, checkpoints: { runDir } }));
  const file = join(realpathSync(join(runDir, 'checkpoints/latest')), 'run.json');
  const parsed = parseRecord(readFileSync(file));
  if (!('record' in parsed)) return t.fail(parsed.reason);
  const { gradNorms, ...record } = parsed.record;
  t.is(gradNorms?.length, 3);
  for (const [changed, got] of [
    [record, 'none'],
    [{ ...record, gradNorms: gradNorms!.slice(1) }, '2'],
  ] as const) {
    writeFileSync(file, serializeRecord(changed));
    await t.throwsAsync(train(run(optimizer, { checkpoints: { runDir, resume: true } })), {
      code: 'LOCKSTEP_CHECKPOINT',
      message: new RegExp(`^Expected the norms of 3 gradients in run\\.json of .*, got ${got}; take another run directory\\.$`),
    });
  }
  return undefined;
});

test.serial('patterns about no weight are refused before anything runs', async (t) => {
  await t.throwsAsync(train(run({ type: 'sgd', learningRateFactors: { dense_9: 0 } })), {
    code: 'LOCKSTEP_CONFIG',
    message: /got `dense_9` of `optimizer.learningRateFactors`/,
  });
  // Moving statistics have no learning rate.
  await t.throwsAsync(train(run({ type: 'sgd', excludeFromWeightDecay: ['*/moving_mean'] })), { code: 'LOCKSTEP_CONFIG' });
  await t.throwsAsync(train(run({ type: 'sgd', adaptiveClip: 0.01, excludeFromAdaptiveClip: ['dense_9'] })), {
    code: 'LOCKSTEP_CONFIG',
    message: /got `dense_9` of `optimizer.excludeFromAdaptiveClip`/,
  });
  await t.throwsAsync(train(run({ type: 'sgd', emaMomentum: 0.5 })), {
    code: 'LOCKSTEP_CONFIG',
    message: /`options.optimizer.emaMomentum` to be absent without `useEma`/,
  });
});
