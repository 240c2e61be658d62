/**
 * Room: tests of contracts. Steps that are skipped among hosts: every host skips or halts with the coordinator, which tells of the
 * phase, layer and shard that one rank would have told of, whoever found it, and no skipped step leaves a trace.
 */
import test from 'ava';
import { LockstepError } from '../../../src/errors.ts';
import { layers } from '../../../src/layers/factories.ts';
import { type TrainOptions, train } from '../../../src/local/train.ts';
import { sequential } from '../../../src/model/model.ts';
import { optimizers } from '../../../src/optimizers/factories.ts';
import type { StepEvent } from '../../../src/telemetry/events.ts';
import { numbers, within } from '../../toy.ts';
import { type Cluster, Hosts, type Seen } from './hosts.ts';

const deadlineMs = 30_000;

/** Inputs of the rows in `bad` are so large that their sum is no float32; rows come in file order, ten a step, two a shard. */
function withBadRows(bad: readonly number[], options: Partial<TrainOptions> = {}): TrainOptions {
  const x = numbers(80 * 3, 1);
  for (const row of bad) x.fill(3e38, 3 * row, 3 * row + 3);
  return {
    model: sequential([layers.dense({ units: 5, name: 'first', kernelInitializer: 'ones' }), layers.batchNormalization(), layers.dense({ units: 2, name: 'second' })]),
    data: { train: { x, y: numbers(80 * 2, 2), inputShape: [3], targetShape: [2] } },
    loss: 'meanSquaredError',
    optimizer: optimizers.sgd({ learningRate: 0.05, momentum: 0.9 }),
    batchSize: 10,
    epochs: 1,
    shuffle: false,
    kernels: 'wasm',
    shards: 5,
    workers: 1,
    ...options,
  };
}

/** Errors grow with every step until no number of a layer is finite. */
function exploding(options: Partial<TrainOptions> = {}): TrainOptions {
  return withBadRows([], {
    model: sequential([layers.dense({ units: 5, name: 'first' }), layers.dense({ units: 2, name: 'second' })]),
    optimizer: optimizers.sgd({ learningRate: 50, momentum: 0.9 }),
    epochs: 4,
    ...options,
  });
}

/** Everything told of a run, its end or failure included, without times. */
async function told(options: TrainOptions): Promise<{ steps: Omit<StepEvent, 'seconds'>[]; weightsSha256: string | undefined; error: string | undefined }> {
  const steps: Omit<StepEvent, 'seconds'>[] = [];
  const onStep = ({ seconds, ...event }: StepEvent): void => void steps.push(event);
  try {
    const { weightsSha256 } = await within(deadlineMs, 'the end of the run', train({ ...options, onStep }));
    return { steps, weightsSha256, error: undefined };
  } catch (error) {
    if (error instanceof LockstepError) return { steps, weightsSha256: options.model.weightsSha256, error: `${error.code}: ${error.message}` };
    throw error;
  }
}

const clusters: readonly Omit<Cluster, 'topology'>[] = [
  { workers: [1, 2], bounds: [0, 2, 5] },
  { workers: [2, 1, 1], bounds: [0, 1, 4, 5] },
  { workers: [1, 1, 1], bounds: [0, 0, 2, 5] },
];

const runs: readonly (readonly [title: string, run: (options?: Partial<TrainOptions>) => TrainOptions])[] = [
  ['a bad row in the shard of another host', (options) => withBadRows([29, 57], options)],
  ['bad rows in several shards of one step', (options) => withBadRows([38, 35, 33], options)],
  ['rows that stay bad until the policy halts the run', (options) => withBadRows([35, 44, 52], { haltAfterSkipped: 3, ...options })],
  ['numbers that explode, with skip', (options) => exploding({ onNonFinite: 'skip', ...options })],
  ['numbers that explode, with halt', (options) => exploding(options)],
];

for (const topology of ['star', 'mesh'] as const) {
  for (const [title, run] of runs) {
    test.serial(`${topology}: ${title}`, async (t) => {
      const alone = await told(run());
      t.true(alone.steps.some(({ skipped }) => skipped !== undefined));
      for (const cluster of clusters) {
        let seen: Seen | undefined;
        const openCrew = Hosts.opener({ topology, ...cluster }, (what) => {
          seen = what;
        });
        t.deepEqual(await told(run({ openCrew })), alone, JSON.stringify(cluster));
        t.is(new Set(seen!.states).size, 1, JSON.stringify(cluster));
      }
    });
  }
}

test.serial('what is told of a bad row is its shard, and of an explosion a layer', async (t) => {
  const { steps, error } = await told(withBadRows([29, 57]));
  t.is(error, undefined);
  t.deepEqual(
    steps.flatMap(({ step, skipped }) => (skipped ? [{ step, ...skipped }] : [])),
    [
      { step: 3, phase: 'forward', layer: 'first', shard: 4 },
      { step: 6, phase: 'forward', layer: 'first', shard: 3 },
    ],
  );
  const halted = await told(exploding());
  t.regex(halted.error ?? '', /^LOCKSTEP_NON_FINITE: .+, not finite first in phase backward \(layer `second`, shard 0\)/);
});
