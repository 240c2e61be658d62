/**
 * Room: tests of local. Runs that stop and go on: after every step, with another number of workers, the bits, the epochs and the history
 * are those of the run that never stopped. Checkpoints of another run are refused with what differs, and damaged ones passed over.
 */
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { layers } from '../../src/layers/factories.ts';
import type { CheckpointOptions } from '../../src/local/checkpoint-options.ts';
import { type TrainOptions, train } from '../../src/local/train.ts';
import { sequential } from '../../src/model/model.ts';
import { classified, type Trace, trace } from '../toy.ts';

const stepsPerEpoch = 11;

function run(options: Partial<TrainOptions> = {}): TrainOptions {
  return {
    model: sequential([
      layers.batchNormalization(),
      layers.dense({ units: 20, activation: 'relu' }),
      layers.batchNormalization(),
      layers.dropout({ rate: 0.2 }),
      layers.dense({ units: 3, activation: 'softmax' }),
    ]),
    data: { train: classified(203, [16], 3), validation: classified(50, [16], 3, 2) },
    loss: 'sparseCategoricalCrossentropy',
    optimizer: { type: 'adam', globalClipnorm: 0.5 },
    batchSize: 20,
    steps: 40,
    seed: 5,
    kernels: 'wasm',
    shards: 4,
    workers: 2,
    ...options,
  };
}

function folder(t: { teardown: (act: () => void) => void }): string {
  const path = mkdtempSync(join(tmpdir(), 'lockstep-resume-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const stepsIn = (runDir: string): string[] => readdirSync(join(runDir, 'checkpoints')).filter((name) => /^step-\d+$/.test(name));

const undisturbed = trace(run());

test.serial('stopped at every step and resumed with another number of workers: the same bits, epochs and history', async (t) => {
  const expected = await undisturbed;
  for (let stop = 1; stop < 40; stop++) {
    const runDir = folder(t);
    const first = await trace(run({ steps: stop, workers: 1 + (stop % 3), checkpoints: { runDir } }));
    const rest = await trace(run({ workers: 1 + ((stop + 1) % 3), checkpoints: { runDir, resume: true } }));
    t.is(rest.weightsSha256, expected.weightsSha256, `stopped at ${stop}`);
    t.deepEqual([...first.steps, ...rest.steps], expected.steps);
    t.deepEqual(rest.history, expected.history);
    t.deepEqual(rest.epochs, expected.epochs.slice(Math.floor(stop / stepsPerEpoch)));
  }
});

test.serial('metrics and weights of an epoch that was broken off go on with it; a metric that is new then is not known for that epoch', async (t) => {
  const { x, y } = classified(60, [16], 3);
  const rows = {
    x,
    y: Array.from(y as Int32Array, (label) => [0, 1, 2].map((c) => (c === label ? 1 : 0))),
    inputShape: [16],
    sampleWeights: Array.from({ length: 60 }, (_, row) => row % 4),
  };
  const weighted = (options: Partial<TrainOptions> = {}): TrainOptions =>
    run({
      data: { train: rows, validation: rows },
      loss: 'categoricalCrossentropy',
      metrics: ['auc', 'precision', 'categoricalAccuracy'],
      classWeight: { 1: 3 },
      steps: 6,
      ...options,
    });
  const expected = await trace(weighted());
  for (let stop = 1; stop < 6; stop++) {
    const runDir = folder(t);
    await trace(weighted({ steps: stop, checkpoints: { runDir } }));
    const rest = await trace(weighted({ workers: 1, checkpoints: { runDir, resume: true } }));
    t.is(rest.weightsSha256, expected.weightsSha256, `stopped at ${stop}`);
    t.deepEqual(rest.history, expected.history);
  }
  const runDir = folder(t);
  await trace(weighted({ steps: 1, checkpoints: { runDir } }));
  const { history } = await trace(weighted({ metrics: ['recall', 'auc'], checkpoints: { runDir, resume: true } }));
  t.deepEqual(history['auc'], expected.history['auc']);
  t.is(history['recall']![0], Number.NaN);
  t.true(history['recall']![1]! > 0);
});

test.serial('checkpoints on the way change nothing, come when they are due, and each goes on to the same bits', async (t) => {
  const expected = await undisturbed;
  const runDir = folder(t);
  // A step of its own between two copies lets the writer finish.
  let last: Trace | undefined;
  for (const steps of [7, 14, 21, 28, 40]) last = await trace(run({ steps, checkpoints: { runDir, every: '7steps', keep: 3, resume: true } }));
  t.is(last!.weightsSha256, expected.weightsSha256);
  const names = stepsIn(runDir);
  t.is(names.length, 3);
  t.true(names.includes('step-000000040'));
  t.true(names.includes('step-000000028'));
});

test.serial('a run that was asked to stop leaves the checkpoint of its last step', async (t) => {
  const runDir = folder(t);
  const stop = new AbortController();
  const ended = await train(run({ steps: 4000, signal: stop.signal, onStep: ({ step }) => step === 25 && stop.abort(), checkpoints: { runDir, every: '1epoch' } }));
  t.true(ended.interrupted);
  t.true(stepsIn(runDir).includes(`step-${String(ended.steps).padStart(9, '0')}`));
  const whole = await train(run({ steps: ended.steps + 3 }));
  t.is((await train(run({ steps: ended.steps + 3, checkpoints: { runDir, resume: true } }))).weightsSha256, whole.weightsSha256);
});

test.serial('time makes them due, too', async (t) => {
  const runDir = folder(t);
  const stop = new AbortController();
  const looks = setInterval(() => stepsIn(runDir).length > 0 && stop.abort(), 20);
  t.teardown(() => clearInterval(looks));
  const ended = await train(run({ steps: 2_000_000, signal: stop.signal, checkpoints: { runDir, every: '1s', keep: 10 } }));
  t.true(ended.interrupted);
  t.true(stepsIn(runDir).length >= 1);
});

test.serial('the best epoch by the chosen metric stays', async (t) => {
  const runDir = folder(t);
  const { history } = await train(run({ steps: 44, epochs: undefined, checkpoints: { runDir, best: 'val_loss', keep: 1, every: '1epoch' } }));
  const losses = history['val_loss']!;
  const best = losses.indexOf(Math.min(...losses));
  t.true(stepsIn(runDir).includes(`step-${String((best + 1) * stepsPerEpoch).padStart(9, '0')}`));
});

test.serial('a run that goes on keeps its shards when none are given, whatever the number of workers', async (t) => {
  const runDir = folder(t);
  const expected = await train(run({ shards: 3 }));
  await train(run({ shards: undefined, workers: 3, steps: 5, checkpoints: { runDir } }));
  for (const [workers, steps] of [
    [1, 6],
    [2, 40],
  ] as const) {
    const { weightsSha256 } = await train(run({ shards: undefined, workers, steps, checkpoints: { runDir, resume: true } }));
    if (steps === 40) t.is(weightsSha256, expected.weightsSha256);
  }
});

for (const [best, change] of [
  ['val_loss', { data: { train: classified(203, [16], 3) } }],
  ['accuracy', {}],
  ['val_accuracy', {}],
] as const) {
  test.serial(`the best by ${best} is refused when no epoch has it, and nothing is made`, async (t) => {
    const runDir = join(folder(t), 'run');
    const message = /^Expected `options.checkpoints.best` to be a number of the history \(loss.*\), got /;
    await t.throwsAsync(train(run({ ...change, checkpoints: { runDir, best } })), { code: 'LOCKSTEP_CONFIG', message });
    t.false(existsSync(runDir));
  });
}

test.serial('misspelt options of checkpoints are named', async (t) => {
  await t.throwsAsync(train(run({ checkpoints: { runDir: folder(t), evry: '1s' } as CheckpointOptions })), { code: 'LOCKSTEP_CONFIG', message: /evry.*every/ });
  for (const wrong of [null, 'runs', 7]) await t.throwsAsync(train(run({ checkpoints: wrong as unknown as CheckpointOptions })), { code: 'LOCKSTEP_USAGE' });
});

const refused = [
  { change: { seed: 6 }, says: '`seed` (`5` there, `6` here)' },
  { change: { batchSize: 21 }, says: '`batchSize` (`20` there, `21` here)' },
  { change: { shards: 3 }, says: '`shards` (`4` there, `3` here)' },
  { change: { optimizer: { type: 'adam', globalClipnorm: 0.25 } }, says: '`optimizer.globalClipnorm` (`0.5` there, `0.25` here)' },
  { change: { data: { train: classified(203, [16], 3, 9), validation: classified(50, [16], 3, 2) } }, says: '`data.train`' },
  { change: { model: sequential([layers.dense({ units: 3, activation: 'softmax' })]) }, says: '`model.layers' },
] as const;

for (const { change, says } of refused) {
  test.serial(`a checkpoint of a run with another ${Object.keys(change)[0]} is refused with the difference`, async (t) => {
    const runDir = folder(t);
    await train(run({ steps: 3, checkpoints: { runDir } }));
    const before = readdirSync(join(runDir, 'checkpoints'));
    const error = await t.throwsAsync(train(run({ ...change, checkpoints: { runDir, resume: true } } as Partial<TrainOptions>)), { code: 'LOCKSTEP_CONFIG' });
    t.true(error.message.includes(says), error.message);
    t.deepEqual(readdirSync(join(runDir, 'checkpoints')), before);
  });
}

test.serial('a damaged checkpoint is named and the one before it taken; without any the run says so', async (t) => {
  const runDir = folder(t);
  await train(run({ steps: 5, checkpoints: { runDir } }));
  await train(run({ steps: 9, checkpoints: { runDir, resume: true } }));
  const file = join(runDir, 'checkpoints', 'step-000000009', 'optimizer.safetensors');
  const bytes = readFileSync(file);
  bytes[bytes.length - 9]! ^= 4;
  writeFileSync(file, bytes);
  const news: string[] = [];
  const steps: number[] = [];
  const options: CheckpointOptions = { runDir, resume: true };
  const ended = await train(run({ checkpoints: options, onNews: (sentence) => news.push(sentence), onStep: ({ step }) => steps.push(step) }));
  t.is(ended.weightsSha256, (await undisturbed).weightsSha256);
  t.is(steps[0], 6);
  t.regex(news[0]!, /^passed over the checkpoint .*step-000000009: .*optimizer\.safetensors/);
  for (const name of stepsIn(runDir)) appendFileSync(join(runDir, 'checkpoints', name, 'run.json'), ' ');
  await t.throwsAsync(train(run({ checkpoints: options })), { code: 'LOCKSTEP_CHECKPOINT' });
});

test.serial('a run directory with checkpoints is not begun anew, and resume without any begins', async (t) => {
  const runDir = folder(t);
  t.is((await train(run({ checkpoints: { runDir, resume: true } }))).weightsSha256, (await undisturbed).weightsSha256);
  await t.throwsAsync(train(run({ checkpoints: { runDir } })), { code: 'LOCKSTEP_USAGE' });
});

test.serial('a folder that vanishes, or becomes a file, costs checkpoints but not the run, and is told', async (t) => {
  const runDir = folder(t);
  const news: string[] = [];
  const onEpoch = ({ epoch }: { epoch: number }): void => {
    if (epoch !== 0) return;
    rmSync(runDir, { recursive: true });
    writeFileSync(runDir, 'in the way');
  };
  const ended = await train(run({ checkpoints: { runDir }, onEpoch, onNews: (sentence) => news.push(sentence) }));
  t.is(ended.weightsSha256, (await undisturbed).weightsSha256);
  t.true(
    news.some((sentence) => sentence.startsWith('no checkpoint of step 40: ')),
    news.join('\n'),
  );
});

test('the last epoch can be the best also when its checkpoint is written at the very end, as the writer was busy', async (t) => {
  const runDir = folder(t);
  await trace(run({ steps: 20 * stepsPerEpoch, checkpoints: { runDir, best: 'val_loss' } }));
  const record = JSON.parse(readFileSync(join(runDir, 'checkpoints', 'latest', 'run.json'), 'utf8')) as { step: number; metric?: { name: string } };
  t.is(record.step, 20 * stepsPerEpoch);
  t.is(record.metric?.name, 'val_loss');
});
