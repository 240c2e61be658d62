/**
 * Room: tests of local. Ranks that fail on purpose again and again, until none is left: the run ends with an error that says who, where and
 * when; nobody hangs, and the process has nothing left that would keep it.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { LockstepError } from '../../src/errors.ts';
import { layers } from '../../src/layers/factories.ts';
import { type TrainOptions, train } from '../../src/local/train.ts';
import { sequential } from '../../src/model/model.ts';
import { noStep } from '../../src/train/loop.ts';
import { classified, threads, within } from '../toy.ts';

const deadlineMs = 60_000;

function run(options: Partial<TrainOptions>): TrainOptions {
  return {
    model: sequential([
      layers.batchNormalization(),
      layers.dense({ units: 6, name: 'middle' }),
      layers.batchNormalization(),
      layers.dense({ units: 3, activation: 'softmax' }),
    ]),
    data: { train: classified(200, [4], 3), validation: classified(50, [4], 3, 2) },
    loss: 'sparseCategoricalCrossentropy',
    optimizer: { type: 'sgd' },
    batchSize: 20,
    epochs: 1000,
    kernels: 'wasm',
    shards: 4,
    ...options,
  };
}

const cases = [
  { workers: 1, rank: 0, step: 1, layer: 0, name: 'batch_normalization' },
  { workers: 2, rank: 0, step: 1, layer: 3, name: 'dense' },
  { workers: 2, rank: 0, step: 25, layer: 1, name: 'middle' },
  { workers: 3, rank: 0, step: 3, layer: 2, name: 'batch_normalization_1' },
] as const;
const end = 'the run ended with the step before it, as its only rank failed 3 times in 10 steps';
const reasons = { throw: 'a fault was asked for here', exit: 'worker exited with code: 3' } as const;

for (const kind of ['throw', 'exit'] as const) {
  for (const { workers, rank, step, layer, name } of cases) {
    test.serial(`rank ${rank} of ${workers} that fails by ${kind} in layer ${layer} at step ${step} is named, and no later step is told`, async (t) => {
      const steps: number[] = [];
      const fault = { rank, step, layer, kind };
      const error = await within(deadlineMs, 'the end of the run', t.throwsAsync(train(run({ workers, fault, onStep: (event) => steps.push(event.step) }))));
      t.true(error instanceof LockstepError);
      t.like(error, {
        code: 'LOCKSTEP_RANK_FAILED',
        message: `Rank ${rank} failed in phase forward of layer \`${name}\` at step ${step}: ${reasons[kind]}; ${end}.`,
      });
      t.deepEqual(
        steps,
        Array.from({ length: step - 1 }, (_, i) => i + 1),
      );
      t.is(threads(), 0);
    });
  }
}

test.serial('a run after a failed one is a run like any other', async (t) => {
  const options = (): TrainOptions => run({ workers: 2, epochs: 1 });
  const expected = await train(options());
  await t.throwsAsync(train({ ...options(), fault: { rank: 0, step: 2, layer: 1, kind: 'exit' } }), { code: 'LOCKSTEP_RANK_FAILED' });
  t.is((await train(options())).weightsSha256, expected.weightsSha256);
});

test.serial('the model of a failed run keeps the weights that it came with', async (t) => {
  const options = run({ workers: 2, epochs: 1 });
  await train(options);
  const { weightsSha256 } = options.model;
  await t.throwsAsync(train({ ...options, fault: { rank: 0, step: 5, layer: 1, kind: 'throw' } }), { code: 'LOCKSTEP_RANK_FAILED' });
  t.is(options.model.weightsSha256, weightsSha256);
});

const program = fileURLToPath(new URL('./faulty.js', import.meta.url));

for (const { workers, rank, kind } of [
  { workers: 1, rank: 0, kind: 'throw' },
  { workers: 2, rank: 0, kind: 'exit' },
  { workers: 3, rank: 0, kind: 'throw' },
] as const) {
  test.serial(`a process whose rank ${rank} of ${workers} failed by ${kind} ends by itself`, async (t) => {
    const fault = { rank, step: 7, layer: 1, kind };
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [program, JSON.stringify({ workers, fault })], { timeout: deadlineMs, killSignal: 'SIGKILL' });
    t.is(stderr, '');
    t.is(stdout, `LOCKSTEP_RANK_FAILED\nRank ${rank} failed in phase forward of layer \`dense\` at step 7: ${reasons[kind]}; ${end}.\n`);
  });
}

for (const kind of ['throw', 'exit'] as const) {
  test.serial(`a rank that fails by ${kind} in an evaluation is named with its layer, and its peers do not finish the data first`, async (t) => {
    const epochs: number[] = [];
    const fault = { rank: 0, step: noStep, layer: 1, kind };
    const options = run({ workers: 2, fault, onEpoch: ({ epoch }) => epochs.push(epoch) });
    const error = await within(deadlineMs, 'the end of the run', t.throwsAsync(train(options)));
    t.like(error, {
      code: 'LOCKSTEP_RANK_FAILED',
      message: `Rank 0 failed in phase forward of layer \`middle\` of an evaluation: ${reasons[kind]}; the run ended there.`,
    });
    t.deepEqual(epochs, []);
    t.is(threads(), 0);
  });
}
