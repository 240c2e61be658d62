/** Room: tests of local. The first steps of real runs, recorded by their ranks and written as a trace. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { outboxKinds } from '../../src/collectives/uplink.ts';
import { layers } from '../../src/layers/factories.ts';
import { traceProcess } from '../../src/local/recordings.ts';
import { type TrainOptions, train } from '../../src/local/train.ts';
import { sequential } from '../../src/model/model.ts';
import { optimizers } from '../../src/optimizers/factories.ts';
import type { Recording } from '../../src/telemetry/recording.ts';
import { phaseIndex, phases } from '../../src/telemetry/timing.ts';
import { type TraceEvent, writeTrace } from '../../src/telemetry/trace.ts';
import { Hosts } from '../contracts/collectives/hosts.ts';
import { classified, within } from '../toy.ts';

const folder = mkdtempSync(join(tmpdir(), 'lockstep-recordings-'));
test.after.always(() => rmSync(folder, { recursive: true }));

const deadlineMs = 30_000;

/** Four steps an epoch. */
function small(options: Partial<TrainOptions>): TrainOptions {
  return {
    model: sequential([layers.dense({ units: 8, activation: 'tanh' }), layers.batchNormalization(), layers.dense({ units: 3, activation: 'softmax' })]),
    data: { train: classified(100, [4], 3), validation: classified(20, [4], 3) },
    loss: 'sparseCategoricalCrossentropy',
    optimizer: optimizers.sgd({ learningRate: 0.1 }),
    batchSize: 32,
    epochs: 2,
    workers: 2,
    shards: 4,
    kernels: 'wasm',
    ...options,
  };
}

/** Runs, with what the ranks recorded of the first `steps` steps and how many step events had come by then. */
async function recorded(steps: number, options: Partial<TrainOptions> = {}): Promise<{ recordings: readonly Recording[]; events: number; weights: string }> {
  const handed: { recordings: readonly Recording[]; events: number }[] = [];
  let events = 0;
  const { weightsSha256 } = await train({
    ...small(options),
    onStep: () => events++,
    record: { steps, onRecorded: (recordings) => handed.push({ recordings, events }) },
  });
  if (handed.length !== 1) throw new Error(`handed over ${handed.length} times`);
  return { ...handed[0]!, weights: weightsSha256 };
}

/** The trace as a reader of the file sees it. */
function written(recordings: readonly Recording[]): TraceEvent[] {
  const path = join(folder, 'trace.json');
  writeTrace(path, [traceProcess(0, 'here', recordings)]);
  return (JSON.parse(readFileSync(path, 'utf8')) as { traceEvents: TraceEvent[] }).traceEvents;
}

test.serial('a trace of two ranks: phases fill their steps, and steps of both ranks overlap', async (t) => {
  const began = Date.now();
  const { recordings, weights } = await within(deadlineMs, 'the end of the run', recorded(6));
  t.is(recordings.length, 2);
  const events = written(recordings);
  const spans = events.filter((event) => event.ph === 'X');
  for (const tid of [0, 1]) {
    const own = spans.filter((event) => event.tid === tid);
    const steps = own.filter(({ cat }) => cat === 'step');
    t.deepEqual(
      steps.map(({ name }) => name),
      [1, 2, 3, 4, 5, 6].map((step) => `step ${step}`),
    );
    for (const { ts, dur, args } of steps) {
      const inside = own.filter((event) => event.cat === 'phase' && event.args['step'] === args['step']);
      t.true(inside.every(({ name }) => (phases as readonly string[]).includes(name)));
      for (const phase of ['data', 'forward', 'loss', 'backward', 'wait'])
        t.true(
          inside.some(({ name }) => name === phase),
          phase,
        );
      for (const [i, phase] of inside.entries()) {
        const end = inside[i + 1]?.ts ?? ts + dur;
        t.is(phase.ts + phase.dur, end);
        t.true(phase.ts >= ts);
      }
    }
    t.true(steps.every(({ ts }, i) => i === 0 || ts >= steps[i - 1]!.ts + steps[i - 1]!.dur));
    t.true(steps[0]!.ts / 1000 > began - 100 && steps.at(-1)!.ts / 1000 < Date.now() + 100);
  }
  // Ranks meet in every step, so no rank ends one before all have begun it: their clocks agree.
  for (const { name, ts } of spans.filter(({ cat }) => cat === 'step')) {
    t.true(
      spans.every((other) => other.name !== name || other.ts + other.dur >= ts),
      name,
    );
  }
  t.is(events.filter(({ ph }) => ph === 'i').length, 0);
  t.is((await within(deadlineMs, 'the end of the run', train(small({})))).weightsSha256, weights);
});

test.serial('the trace is there as soon as its steps are over, or at the end of a shorter run', async (t) => {
  let [events, at] = [0, 0];
  const options = small({ epochs: 40 });
  await within(deadlineMs, 'the end of the run', train({ ...options, onStep: () => events++, record: { steps: 2, onRecorded: () => (at = events) } }));
  t.is(events, 160);
  t.true(at < 160, `${at}`);
  const { recordings, events: all } = await within(deadlineMs, 'the end of the run', recorded(50));
  t.is(all, 8);
  t.deepEqual(
    recordings.map(({ steps, isFull }) => [steps.length, isFull]),
    [
      [8, false],
      [8, false],
    ],
  );
});

test.serial('a run that fails hands over what it recorded', async (t) => {
  const handed: (readonly Recording[])[] = [];
  const fault = { rank: 0, step: 3, layer: 1, kind: 'throw' } as const;
  const run = train({ ...small({ workers: 1, fault }), record: { steps: 50, onRecorded: (recordings) => handed.push(recordings) } });
  await t.throwsAsync(within(deadlineMs, 'the end of the run', run), { code: 'LOCKSTEP_RANK_FAILED' });
  t.is(handed.length, 1);
  const [guilty] = handed[0]!.map(({ steps }) => steps);
  // It was started again twice.
  t.deepEqual(
    guilty!.map(({ step }) => step),
    [1, 2, 3, 3, 3],
  );
  // The fault is in a forward pass, whose beginning ends the phase before.
  for (const { phases } of guilty!.slice(2)) t.deepEqual(phases.map(({ phase }) => phase).slice(0, 2), [phaseIndex.data, phaseIndex.forward]);
});

for (const [topology, carrier] of [
  ['star', 'leader'],
  ['mesh', 'main'],
] as const) {
  test.serial(`${topology}: of several hosts, the leader's sends are instants and waits say what for`, async (t) => {
    const cluster = { topology, workers: [2, 2], bounds: [0, 2, 4], carriers: [carrier, carrier] } as const;
    const { recordings } = await within(deadlineMs, 'the end of the run', recorded(3, { openCrew: Hosts.opener(cluster) }));
    const events = written(recordings);
    for (const step of [1, 2, 3]) {
      const sent = events.flatMap((event) => (event.ph === 'i' && event.tid === 0 && event.args['step'] === step ? [event.name] : []));
      t.true(sent.every((name) => (outboxKinds as readonly string[]).includes(name.replace('send ', ''))));
      t.is(sent.filter((name) => name === 'send verdict').length, 1);
      t.true(sent.includes(topology === 'star' ? 'send merged' : 'send statistics'), sent.join());
      for (const tid of [0, 1]) {
        const awaited = events.flatMap((event) => (event.ph === 'X' && event.tid === tid && event.args['step'] === step ? [event.args['waitsFor']] : []));
        t.true(awaited.includes('statistics') && awaited.includes('contributions'), awaited.join());
      }
    }
    t.is(events.filter(({ ph, tid }) => ph === 'i' && tid !== 0).length, 0);
  });
}

test.serial('a recording outlives the loss of a host, with the step that was done again', async (t) => {
  const cluster = { topology: 'mesh', workers: [2, 2, 2], bounds: [0, 1, 2, 4], loss: { host: 1, afterMessages: 70 } } as const;
  const { recordings } = await within(deadlineMs, 'the end of the run', recorded(8, { openCrew: Hosts.opener(cluster) }));
  t.is(recordings.length, 2);
  for (const { steps, isFull } of recordings) {
    t.false(isFull);
    // 28 messages a step, and two for the run: the 70th comes in the middle of the third.
    t.deepEqual(
      steps.map(({ step }) => step),
      [1, 2, 3, 3, 4, 5, 6, 7],
    );
    t.true(steps.every(({ from }, i) => i === 0 || from >= steps[i - 1]!.to));
  }
});
