/**
 * Room: tests of local. Early stopping as Keras judges: the cases are worked through by hand from its documented rule. And whole runs that end early, by it
 * or by a callback, also when they are killed between and go on.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { parseRunSettings } from '../../src/config/parse.ts';
import { layers } from '../../src/layers/factories.ts';
import { EarlyStopping } from '../../src/local/early-stopping.ts';
import { type TrainOptions, train } from '../../src/local/train.ts';
import { sequential } from '../../src/model/model.ts';
import type { EndEvent, EpochEvent } from '../../src/telemetry/events.ts';
import { classified } from '../toy.ts';

function optionsOf(earlyStopping: object) {
  return parseRunSettings({ loss: 'sparseCategoricalCrossentropy', optimizer: { type: 'sgd' }, earlyStopping }).earlyStopping!;
}

/** After which epoch the run ends, and which epoch's weights were kept. */
function judged(values: readonly number[], options: object): { ended: number | undefined; kept: number | undefined } {
  const early = new EarlyStopping<number>(optionsOf({ restoreBestWeights: true, monitor: 'loss', ...options }));
  for (const [epoch, loss] of values.entries()) {
    early.epoch({ event: 'epoch', epoch, loss, metrics: { accuracy: loss } }, () => epoch);
    if (early.stop !== undefined) return { ended: epoch, kept: early.kept };
  }
  return { ended: undefined, kept: early.kept };
}

test('patience counts epochs that are no better; equal is no better', (t) => {
  t.deepEqual(judged([3, 2, 1, 0.5], {}), { ended: undefined, kept: 3 });
  t.deepEqual(judged([3, 2, 2], {}), { ended: 2, kept: 1 });
  t.deepEqual(judged([3, 2, 4, 2.5, 1.5, 5, 5, 5], { patience: 3 }), { ended: 7, kept: 4 });
  t.deepEqual(judged([3, 2, 4, 2.5, 1.5, 5, 5], { patience: 3 }), { ended: undefined, kept: 4 });
});

test('the direction follows from the name, or is given', (t) => {
  t.deepEqual(judged([1, 2, 3, 2], { monitor: 'accuracy' }), { ended: 3, kept: 2 });
  t.deepEqual(judged([1, 2, 3, 2], { monitor: 'accuracy', mode: 'min', patience: 2 }), { ended: 2, kept: 0 });
  t.deepEqual(judged([1, 2, 3, 2], { mode: 'max' }), { ended: 3, kept: 2 });
});

test('an improvement must be more than minDelta, and better than the baseline to count against patience', (t) => {
  t.deepEqual(judged([3, 2.75, 2.5, 1], { minDelta: 0.5, patience: 2 }), { ended: 2, kept: 0 });
  t.deepEqual(judged([3, 2, 1], { baseline: 0.5, patience: 4 }), { ended: undefined, kept: 2 });
  t.deepEqual(judged([3, 2, 1, 1], { baseline: 0.5, patience: 4 }), { ended: 3, kept: 2 });
});

test('epochs before the first that is looked at, and numbers that are none', (t) => {
  t.deepEqual(judged([1, 2, 3, 2, 4], { startFromEpoch: 2 }), { ended: 4, kept: 3 });
  t.deepEqual(judged([Number.NaN, 2, 3], { patience: 1 }), { ended: 2, kept: 1 });
  t.deepEqual(judged([2, Number.NaN, Number.NaN], { patience: 2 }), { ended: 2, kept: 0 });
});

const perEpoch = 11;
function run(changes: Partial<TrainOptions> = {}): TrainOptions {
  return {
    model: sequential([layers.dense({ units: 12, activation: 'relu' }), layers.batchNormalization(), layers.dense({ units: 3, activation: 'softmax' })]),
    data: { train: classified(203, [6], 3), validation: classified(60, [6], 3, 5) },
    loss: 'sparseCategoricalCrossentropy',
    metrics: ['accuracy'],
    optimizer: { type: 'adam', learningRate: 0.05 },
    batchSize: 20,
    epochs: 60,
    seed: 3,
    kernels: 'wasm',
    shards: 4,
    workers: 2,
    ...changes,
  };
}

const early = { monitor: 'val_loss', patience: 3, restoreBestWeights: true } as const;

/** The run, and the same without early stopping up to the epoch that was best. */
const stopped = train(run({ earlyStopping: early }));

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'lockstep-early-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test.serial('a run ends early with the weights of its best epoch, and says why', async (t) => {
  const { history, stopped: reason, interrupted, steps, weightsSha256 } = await stopped;
  const losses = history['val_loss']!;
  const best = losses.indexOf(Math.min(...losses));
  t.is(losses.length, best + 4);
  t.true(losses.length < 60);
  t.is(steps, losses.length * perEpoch);
  t.is(reason, `early stopping: val_loss did not get better than ${losses[best]} of epoch ${best + 1} in 3 epochs`);
  t.false(interrupted);
  t.is(weightsSha256, (await train(run({ epochs: best + 1 }))).weightsSha256);
});

test.serial('without restoring, the weights are the last ones; the number of workers changes nothing', async (t) => {
  const expected = await stopped;
  for (const workers of [1, 3]) {
    const { history, weightsSha256, steps } = await train(run({ earlyStopping: { ...early, restoreBestWeights: false }, workers }));
    t.deepEqual(history, expected.history);
    t.is(weightsSha256, (await train(run({ steps, epochs: undefined }))).weightsSha256);
    t.is((await train(run({ earlyStopping: early, workers }))).weightsSha256, expected.weightsSha256);
  }
});

test.serial('a run that is stopped after an epoch and goes on ends as early, with the same weights', async (t) => {
  const expected = await stopped;
  const epochs = expected.history['loss']!.length;
  for (let epoch = 1; epoch <= epochs; epoch += 3) {
    const runDir = folder(t);
    const news: string[] = [];
    await train(run({ earlyStopping: early, epochs: epoch, checkpoints: { runDir } }));
    const {
      weightsSha256,
      history,
      stopped: reason,
    } = await train(run({ earlyStopping: early, checkpoints: { runDir, resume: true }, onNews: (line) => news.push(line) }));
    t.is(weightsSha256, expected.weightsSha256, `stopped after ${epoch}`);
    t.deepEqual(history, expected.history);
    t.is(reason, expected.stopped);
    t.deepEqual(news, []);
    t.true(readdirSync(runDir).filter((name) => name.startsWith('best-weights')).length <= 2);
  }
});

test.serial('best weights that are gone are told, and the run ends with its last ones', async (t) => {
  const runDir = folder(t);
  const expected = await stopped;
  await train(run({ earlyStopping: early, epochs: expected.history['loss']!.length, checkpoints: { runDir } }));
  for (const name of readdirSync(runDir)) if (name.startsWith('best-weights')) rmSync(join(runDir, name));
  const news: string[] = [];
  const { weightsSha256 } = await train(run({ earlyStopping: early, checkpoints: { runDir, resume: true }, onNews: (line) => news.push(line) }));
  t.regex(news.join('\n'), /the weights of epoch \d+, the best one, are not there any more/);
  t.is(weightsSha256, (await train(run({ epochs: expected.history['loss']!.length }))).weightsSha256);
});

test.serial('a number that the history does not have is refused', async (t) => {
  await t.throwsAsync(train(run({ earlyStopping: { monitor: 'val_acc' } })), {
    code: 'LOCKSTEP_CONFIG',
    message:
      'Expected `earlyStopping.monitor` to be a number of the history (loss, accuracy, val_loss, val_accuracy), got `"val_acc"`; choose one, or add it to `metrics`.',
  });
  const data = { train: classified(203, [6], 3) };
  await t.throwsAsync(train(run({ data, earlyStopping: early })), { code: 'LOCKSTEP_CONFIG', message: /got `"val_loss"`; add validation data\.$/ });
});

test.serial('a callback ends the run after its step, with its reason, and the end is told', async (t) => {
  const ends: EndEvent[] = [];
  const byStep = await train(run({ onStep: ({ step }, { stop }) => step === 25 && stop('enough'), onEnd: (event) => ends.push(event) }));
  t.is(byStep.stopped, 'enough');
  t.false(byStep.interrupted);
  t.true(byStep.steps >= 25 && byStep.steps < 60 * perEpoch);
  t.is(byStep.weightsSha256, (await train(run({ steps: byStep.steps, epochs: undefined }))).weightsSha256);
  t.is(ends.length, 1);
  t.is(ends[0]!.stopped, 'enough');
  t.is(ends[0]!.weightsSha256, byStep.weightsSha256);

  const epochs: EpochEvent[] = [];
  const onEpoch: TrainOptions['onEpoch'] = (event, control) => {
    epochs.push(event);
    if (event.epoch === 2) control.stop();
  };
  const byEpoch = await train(run({ onEpoch }));
  t.is(byEpoch.steps, 3 * perEpoch);
  t.is(byEpoch.stopped, 'a callback asked for it');
  t.is(epochs.length, 3);
});
