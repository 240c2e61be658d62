/**
 * Room: tests of local. Ranks that die once, in every phase of a step and of every kind of death: the run ends with the bits of the
 * undisturbed one, every step is told once, and what happened is said. A rank that dies again and again is left out.
 */
import test from 'ava';
import { layers } from '../../src/layers/factories.ts';
import { evaluate } from '../../src/local/evaluate.ts';
import { predict } from '../../src/local/predict.ts';
import { type TrainOptions, train } from '../../src/local/train.ts';
import { sequential } from '../../src/model/model.ts';
import { noStep } from '../../src/train/loop.ts';
import { classified, threads, trace, within } from '../toy.ts';

const deadlineMs = 60_000;
/** Only where somebody hangs: ranks that a busy machine keeps waiting are not to be taken for stuck. */
const vigil = { everyMs: 20, floorMs: 2000, steps: 8, unmeasuredMs: 20_000 };

function run(options: Partial<TrainOptions> = {}): TrainOptions {
  return {
    model: sequential([
      layers.batchNormalization(),
      layers.dense({ units: 70, name: 'middle', activation: 'relu' }),
      layers.batchNormalization(),
      layers.dropout({ rate: 0.2 }),
      layers.dense({ units: 3, activation: 'softmax' }),
    ]),
    data: { train: classified(203, [64], 3), validation: classified(50, [64], 3, 2) },
    loss: 'sparseCategoricalCrossentropy',
    optimizer: { type: 'adam', globalClipnorm: 0.5 },
    batchSize: 20,
    epochs: 3,
    seed: 5,
    kernels: 'wasm',
    shards: 4,
    workers: 2,
    ...options,
  };
}

const undisturbed = trace(run());

const places = ['data', 'forward', 'loss', 'bn_sync', 'backward', 'reduce', 'clip', 'optimizer', 'commit', 'wait'] as const;
const kinds = ['throw', 'exit', 'memory', 'hang'] as const;

for (const phase of places) {
  for (const kind of phase === 'forward' || phase === 'optimizer' ? kinds : (['throw', 'exit'] as const)) {
    // Who waits is not stuck.
    for (const rank of [0, 1]) {
      test.serial(`rank ${rank} that dies once by ${kind} in phase ${phase} costs no bit and no step`, async (t) => {
        const news: string[] = [];
        const fault = { rank, step: 14, phase, kind, times: 1 };
        const disturbed = await within(deadlineMs, 'the run', trace(run({ fault, ...(kind === 'hang' && { vigil }), onNews: (sentence) => news.push(sentence) })));
        t.deepEqual(disturbed, await undisturbed);
        t.is(news.length, 1);
        t.regex(news[0]!, new RegExp(`^Rank ${rank} failed in phase .* at step 14: .*; it was started again and its step (is replayed|was finished)$`));
        if (phase === 'optimizer' || phase === 'commit') t.regex(news[0]!, /its step was finished$/);
        if (phase === 'forward' || phase === 'backward') t.regex(news[0]!, /its step is replayed$/);
        t.is(threads(), 0);
      });
    }
  }
}

// What ranks were doing is found out otherwise at the first step of an order, at its last, and between; the epochs here have eleven steps.
for (const step of [1, 11, 12, 33]) {
  for (const phase of ['clip', 'optimizer', 'commit', 'wait'] as const) {
    test.serial(`a rank that dies in phase ${phase} of step ${step} costs no bit and no step`, async (t) => {
      const fault = { rank: 1, step, phase, kind: 'exit', times: 1 } as const;
      t.deepEqual(await within(deadlineMs, 'the run', trace(run({ fault }))), await undisturbed);
    });
  }
}

test.serial('a rank that hangs is found though the orders before were shorter than the time between two looks', async (t) => {
  const rare = { everyMs: 1000, floorMs: 1500, steps: 8, unmeasuredMs: 3_600_000 };
  const fault = { rank: 0, step: 14, phase: 'data', kind: 'hang', times: 1 } as const;
  t.deepEqual(await within(deadlineMs, 'the run', trace(run({ fault, vigil: rare }))), await undisturbed);
});

test.serial('a stuck rank that is ended while it runs out of memory is told once, and costs nothing', async (t) => {
  const news: string[] = [];
  const fault = { rank: 1, step: 14, phase: 'backward', kind: 'memory', times: 1 } as const;
  const impatient = { everyMs: 1, floorMs: 200, steps: 1, unmeasuredMs: 20_000 };
  t.deepEqual(await within(deadlineMs, 'the run', trace(run({ fault, vigil: impatient, onNews: (sentence) => news.push(sentence) }))), await undisturbed);
  t.true(news.length >= 1);
});

test.serial('a rank that dies where a model is only used costs nothing, either', async (t) => {
  const model = sequential([layers.dense({ units: 9, activation: 'relu' }), layers.dense({ units: 3, activation: 'softmax' })]);
  model.build([64]);
  model.initialize(1);
  const news: string[] = [];
  const common = { model, data: classified(90, [64], 3), batchSize: 20, shards: 4, workers: 2, kernels: 'wasm', onNews: (line: string) => news.push(line) } as const;
  const fault = { rank: 1, step: noStep, phase: 'forward', kind: 'exit', times: 1 } as const;
  const judge = async (changes: object): Promise<number> => (await evaluate({ ...common, loss: 'sparseCategoricalCrossentropy', ...changes })).loss;
  t.is(await within(deadlineMs, 'the evaluation', judge({ fault })), await judge({}));
  const outputs = async (changes: object): Promise<Float32Array> => (await predict({ ...common, ...changes })).data;
  t.deepEqual(await within(deadlineMs, 'the predictions', outputs({ fault })), await outputs({}));
  t.is(news.length, 2);
  for (const line of news) t.regex(line, /^Rank 1 failed in phase forward.*; it was started again and what it computed is repeated$/);
  t.is(threads(), 0);
});

test.serial('a rank that dies in an evaluation costs nothing', async (t) => {
  t.deepEqual(await within(deadlineMs, 'the run', trace(run({ fault: { rank: 1, step: noStep, phase: 'forward', kind: 'exit', times: 2 } }))), await undisturbed);
});

test.serial('a rank that fails three times in ten steps is left out, with the reason, and the others go on to the same bits', async (t) => {
  for (const phase of ['forward', 'reduce'] as const) {
    const news: string[] = [];
    const fault = { rank: 1, step: 9, phase, kind: 'exit' } as const;
    t.deepEqual(await within(deadlineMs, 'the run', trace(run({ workers: 3, fault, onNews: (sentence) => news.push(sentence) }))), await undisturbed);
    t.regex(news.at(-1)!, /^Rank 1 failed in phase .* at step 9: worker exited with code: 3; it failed 3 times in 10 steps and is left out$/);
  }
});

test.serial('a machine alone whose ranks are asked to stop while one dies finishes the step and stops', async (t) => {
  const stop = new AbortController();
  const fault = { rank: 1, step: 12, phase: 'backward', kind: 'exit', times: 1 } as const;
  const ended = await within(deadlineMs, 'the run', train(run({ fault, signal: stop.signal, onNews: () => stop.abort() })));
  t.true(ended.interrupted);
  t.true(ended.steps >= 12 && ended.steps < 33);
});
