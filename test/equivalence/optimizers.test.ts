/**
 * Room: tests of equivalence. Every optimizer, and every option of one: the number of workers changes no bit, nor does a stop and a resume, nor a
 * rank that dies while the update is being applied.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { OptimizerConfigInput } from '../../src/config/optimizers.ts';
import { layers } from '../../src/layers/factories.ts';
import type { TrainOptions } from '../../src/local/train.ts';
import { sequential } from '../../src/model/model.ts';
import { optimizers } from '../../src/optimizers/factories.ts';
import { classified, trace, within } from '../toy.ts';

const deadlineMs = 60_000;

/** 4 steps an epoch. The largest tensor has three blocks of 4,096 numbers, so that ranks share it. */
function run(optimizer: OptimizerConfigInput, options: Partial<TrainOptions> = {}): TrainOptions {
  return {
    model: sequential([
      layers.batchNormalization(),
      layers.dense({ units: 80, activation: 'relu' }),
      layers.dense({ units: 130, activation: 'relu' }),
      layers.dense({ units: 4, activation: 'softmax' }),
    ]),
    data: { train: classified(75, [12], 4) },
    loss: 'sparseCategoricalCrossentropy',
    optimizer,
    batchSize: 20,
    steps: 6,
    seed: 5,
    kernels: 'wasm',
    shards: 5,
    ...options,
  };
}

const cosine = { type: 'cosineDecay', initialLearningRate: 0.01, decaySteps: 10, warmupSteps: 2 } as const;

const recipes: readonly OptimizerConfigInput[] = [
  ...Object.values(optimizers).map((make) => make()),
  optimizers.sgd({ momentum: 0.9, nesterov: true, weightDecay: 0.1, excludeFromWeightDecay: ['*/bias'] }),
  optimizers.rmsprop({ centered: true, momentum: 0.5, clipnorm: 0.1, learningRateFactors: { dense_1: 0.1, 'dense/bias': 0 } }),
  optimizers.nadam({ learningRate: cosine, useEma: true, emaMomentum: 0.8, emaOverwriteFrequency: 4 }),
  optimizers.lamb({ learningRate: cosine, weightDecay: 0.1, globalClipnorm: 0.1, useEma: true }),
  optimizers.lars({ clipvalue: 0.01, weightDecay: 0.1 }),
  optimizers.sgd({ learningRate: 0.5, momentum: 0.9, adaptiveClip: 0.02, adaptiveClipEpsilon: 0.01 }),
  optimizers.adam({ clipPercentile: 30, clipHistory: 3 }),
  optimizers.lamb({ adaptiveClip: 0.02, excludeFromAdaptiveClip: ['dense_2', '*/bias'] }),
];

for (const optimizer of recipes) {
  test.serial(`1, 2, 3 and 5 workers give the same bits: ${JSON.stringify(optimizer)}`, async (t) => {
    const expected = await trace(run(optimizer, { workers: 1 }));
    t.is(expected.steps.length, 6);
    for (const workers of [2, 3, 5]) t.deepEqual(await trace(run(optimizer, { workers })), expected, `${workers} workers`);
  });
}

test.serial('every recipe gives weights of its own', async (t) => {
  const hashes = [];
  for (const optimizer of recipes) hashes.push((await trace(run(optimizer, { workers: 2 }))).weightsSha256);
  t.is(new Set(hashes).size, recipes.length);
});

const resumed: readonly OptimizerConfigInput[] = [
  optimizers.nadam({ learningRate: { type: 'cosineDecayRestarts', initialLearningRate: 0.01, firstDecaySteps: 3, warmupSteps: 2 }, useEma: true }),
  optimizers.adagrad({ learningRate: 0.05, useEma: true, emaOverwriteFrequency: 3 }),
  optimizers.lamb({ learningRate: 0.01, weightDecay: 0.1 }),
  optimizers.sgd({ learningRate: 0.1, momentum: 0.9, adaptiveClip: 0.02 }),
  optimizers.sgd({ learningRate: 0.1, momentum: 0.9, clipPercentile: 30, clipHistory: 4 }),
  optimizers.sgd({ learningRate: 0.1, clipPercentile: 25 }),
];

for (const optimizer of resumed) {
  test.serial(`stopped after any step and resumed with other workers: ${JSON.stringify(optimizer)}`, async (t) => {
    const expected = await trace(run(optimizer, { workers: 2, steps: 9 }));
    for (let stop = 1; stop < 9; stop++) {
      const runDir = mkdtempSync(join(tmpdir(), 'lockstep-optimizers-'));
      t.teardown(() => rmSync(runDir, { recursive: true, force: true }));
      const first = await trace(run(optimizer, { workers: 1 + (stop % 3), steps: stop, checkpoints: { runDir } }));
      const rest = await trace(run(optimizer, { workers: 1 + ((stop + 1) % 3), steps: 9, checkpoints: { runDir, resume: true } }));
      t.is(rest.weightsSha256, expected.weightsSha256, `stopped after ${stop}`);
      t.deepEqual([...first.steps, ...rest.steps], expected.steps);
    }
  });
}

const places = ['reduce', 'clip', 'optimizer', 'commit', 'wait'] as const;

const mortal = {
  lamb: optimizers.lamb({ learningRate: 0.02, useEma: true, globalClipnorm: 0.5 }),
  lars: optimizers.lars({ learningRate: 0.02, useEma: true, globalClipnorm: 0.5 }),
  'clipping by percentile': optimizers.adam({ learningRate: 0.02, clipPercentile: 10, clipHistory: 2 }),
  'adaptive clipping': optimizers.lamb({ learningRate: 0.02, useEma: true, adaptiveClip: 0.02 }),
};

for (const [name, optimizer] of Object.entries(mortal)) {
  for (const phase of places) {
    for (const rank of [0, 1]) {
      test.serial(`rank ${rank} that dies in phase ${phase} of a step of ${name} costs no bit`, async (t) => {
        const expected = await trace(run(optimizer, { workers: 1 }));
        for (const kind of ['throw', 'exit'] as const) {
          const news: string[] = [];
          const fault = { rank, step: 3, phase, kind, times: 1 };
          t.deepEqual(await within(deadlineMs, 'the run', trace(run(optimizer, { workers: 2, fault, onNews: (sentence) => news.push(sentence) }))), expected);
          t.is(news.length, 1);
          if (phase === 'optimizer' || phase === 'commit') t.regex(news[0]!, /its step was finished$/);
          // Those that meet after the verdict change nothing before that meeting.
          if (phase === 'reduce' || (phase === 'clip' && name !== 'clipping by percentile')) t.regex(news[0]!, /its step is replayed$/);
        }
      });
    }
  }
}
