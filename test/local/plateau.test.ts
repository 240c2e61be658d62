/**
 * Room: tests of local. A lower rate where a number gets no better: Keras' rules epoch by epoch, and the bits of runs that use it, also when they were
 * stopped, have other workers, or lose a rank.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { parseRunSettings } from '../../src/config/parse.ts';
import { Plateau } from '../../src/local/plateau.ts';
import { type TrainOptions, train } from '../../src/local/train.ts';
import { sequential } from '../../src/model/model.ts';
import { classified, trace } from '../toy.ts';

/** The scale after each epoch with these values of the watched number. */
function scales(reduceLROnPlateau: object, values: readonly number[]): number[] {
  const settings = parseRunSettings({ loss: 'meanSquaredError', optimizer: { type: 'sgd' }, reduceLROnPlateau });
  const plateau = new Plateau(settings.reduceLROnPlateau!);
  return values.map((value, epoch) => {
    plateau.epoch({ event: 'epoch', epoch, loss: 0, metrics: { accuracy: value }, validation: { loss: value, metrics: {} } });
    return plateau.scale;
  });
}

test('the rate falls after `patience` epochs without improvement, and again after as many', (t) => {
  t.deepEqual(scales({ patience: 2, factor: 0.5 }, [1, 1, 1, 1, 1, 0.5, 0.6, 0.6]), [1, 1, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125]);
});

test('less than `minDelta` is no improvement', (t) => {
  t.deepEqual(scales({ patience: 2, factor: 0.5, minDelta: 0.1 }, [1, 0.95, 0.91, 0.85]), [1, 1, 0.5, 0.5]);
});

test('in a cooldown nothing is counted', (t) => {
  t.deepEqual(scales({ patience: 1, factor: 0.5, cooldown: 2 }, [1, 1, 1, 1, 1, 1]), [1, 0.5, 0.5, 0.25, 0.25, 0.125]);
});

test('what is no loss is better when it is higher, unless `mode` says otherwise; what is no number is no improvement', (t) => {
  t.deepEqual(scales({ monitor: 'accuracy', patience: 1, factor: 0.5 }, [0.1, 0.2, 0.3, 0.1]), [1, 1, 1, 0.5]);
  t.deepEqual(scales({ monitor: 'accuracy', mode: 'min', patience: 1, factor: 0.5 }, [0.1, 0.2, 0.05]), [1, 0.5, 0.5]);
  t.deepEqual(scales({ patience: 1, factor: 0.5 }, [Number.NaN, 1, Number.NaN, 0.5]), [0.5, 0.5, 0.25, 0.25]);
});

const reduceLROnPlateau = { monitor: 'val_loss', patience: 1, factor: 0.5, minLr: 0.02 } as const;

function run(changes: Partial<TrainOptions> = {}): TrainOptions {
  return {
    model: sequential([
      { type: 'dense', units: 12, activation: 'relu' },
      { type: 'dense', units: 3, activation: 'softmax' },
    ]),
    data: { train: classified(203, [6], 3), validation: classified(60, [6], 3, 5) },
    loss: 'sparseCategoricalCrossentropy',
    optimizer: { type: 'adam', learningRate: 0.1 },
    batchSize: 20,
    epochs: 14,
    seed: 3,
    kernels: 'wasm',
    shards: 4,
    workers: 2,
    reduceLROnPlateau,
    ...changes,
  };
}

const expected = trace(run());

test.serial('a run takes its steps at the rates that follow, and never below `minLr`', async (t) => {
  const { steps, history } = await expected;
  const rates = history['val_loss']!.map((_, epoch) => steps[11 * epoch]!.learningRate);
  let [best, rate] = [Number.POSITIVE_INFINITY, 0.1];
  for (const [epoch, loss] of history['val_loss']!.entries()) {
    t.is(rates[epoch], rate);
    t.true(steps.slice(11 * epoch, 11 * (epoch + 1)).every(({ learningRate }) => learningRate === rate));
    if (loss < best - 1e-4) best = loss;
    else rate = Math.max(rate * 0.5, 0.02);
  }
  t.is(rates.at(-1), 0.02);
  t.true(new Set(rates).size >= 3, rates.join());
});

test.serial('workers, a stop anywhere and a rank that dies change no bit', async (t) => {
  const whole = await expected;
  for (const workers of [1, 3]) t.deepEqual(await trace(run({ workers })), whole);
  t.deepEqual(await trace(run({ fault: { rank: 1, step: 100, phase: 'optimizer', kind: 'throw', times: 1 } })), whole);
  for (const steps of [40, 77, 120]) {
    const runDir = mkdtempSync(join(tmpdir(), 'lockstep-plateau-'));
    t.teardown(() => rmSync(runDir, { recursive: true, force: true }));
    await train(run({ steps, workers: 3, checkpoints: { runDir } }));
    const { weightsSha256, history } = await train(run({ checkpoints: { runDir, resume: true } }));
    t.is(weightsSha256, whole.weightsSha256, `stopped after step ${steps}`);
    t.deepEqual(history, whole.history);
    const other = { ...reduceLROnPlateau, factor: 0.25 };
    await t.throwsAsync(train(run({ reduceLROnPlateau: other, checkpoints: { runDir, resume: true } })), {
      code: 'LOCKSTEP_CONFIG',
      message: /`reduceLROnPlateau\.factor` \(`0\.5` there, `0\.25` here\)/,
    });
  }
});

test.serial('a number that the history does not have is refused', async (t) => {
  await t.throwsAsync(train(run({ reduceLROnPlateau: { monitor: 'val_accuracy' } })), {
    code: 'LOCKSTEP_CONFIG',
    message: /^Expected `reduceLROnPlateau\.monitor` to be a number of the history \(loss, val_loss\), got `"val_accuracy"`/,
  });
});
