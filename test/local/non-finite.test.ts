/**
 * Room: tests of local. Losses and gradients that are not finite: what is skipped, what is said of it, when the run ends,
 * and that no skipped step leaves a trace in the weights.
 */
import test from 'ava';
import type { ArrayData } from '../../src/data/arrays.ts';
import { LockstepError } from '../../src/errors.ts';
import { layers } from '../../src/layers/factories.ts';
import { type TrainOptions, train } from '../../src/local/train.ts';
import { sequential } from '../../src/model/model.ts';
import { optimizers } from '../../src/optimizers/factories.ts';
import type { StepEvent } from '../../src/telemetry/events.ts';
import { numbers } from '../toy.ts';

/** Errors grow with every step until float32 cannot hold them: from then on no step is finite. */
function exploding(options: Partial<TrainOptions> = {}): TrainOptions {
  const [x, y] = [numbers(64 * 3, 1), numbers(64 * 2, 2)];
  return {
    model: sequential([layers.dense({ units: 5, name: 'first' }), layers.dense({ units: 2, name: 'second' })]),
    data: { train: { x, y, inputShape: [3], targetShape: [2] } },
    loss: 'meanSquaredError',
    optimizer: optimizers.sgd({ learningRate: 50, momentum: 0.9 }),
    batchSize: 16,
    epochs: 10,
    kernels: 'wasm',
    workers: 2,
    shards: 4,
    ...options,
  };
}

/**
 * Ten rows, one a step in file order, of which those in `bad` are so large that their square is no float32: exactly their
 * steps are skipped.
 */
function withBadRows(bad: readonly number[], options: Partial<TrainOptions> = {}): TrainOptions {
  const rows = Array.from({ length: 10 }, (_, row) => row);
  const data: ArrayData = { x: rows.map((row) => [row / 10, 1]), y: rows.map((row) => [bad.includes(row) ? 3e38 : row / 5]) };
  return exploding({
    model: sequential([layers.dense({ units: 1, name: 'only' })]),
    data: { train: data },
    optimizer: optimizers.sgd({ learningRate: 0.1, momentum: 0.9 }),
    batchSize: 1,
    shards: 1,
    epochs: 1,
    shuffle: false,
    ...options,
  });
}

async function told(options: TrainOptions): Promise<{ steps: StepEvent[]; weightsSha256: string | undefined; error: unknown }> {
  const steps: StepEvent[] = [];
  try {
    const { weightsSha256 } = await train({ ...options, onStep: (event) => steps.push(event) });
    return { steps, weightsSha256, error: undefined };
  } catch (error) {
    return { steps, weightsSha256: undefined, error };
  }
}

const skippedSteps = (steps: readonly StepEvent[]): number[] => steps.filter(({ skipped }) => skipped).map(({ step }) => step);

test.serial('halt ends the run with the fifth skipped step in a row and says what was not finite first', async (t) => {
  const { steps, error } = await told(exploding());
  const skipped = steps.filter((step) => step.skipped);
  t.is(skipped.length, 5);
  t.deepEqual(
    skippedSteps(steps),
    steps.slice(-5).map(({ step }) => step),
  );
  t.true(steps.length > 5, 'the first steps are finite');
  const { step, loss, gradNorm, skipped: place } = steps.at(-1)!;
  t.true(error instanceof LockstepError);
  const shard = place!.shard === undefined ? '' : `, shard ${place!.shard}`;
  t.like(error, {
    code: 'LOCKSTEP_NON_FINITE',
    message: `Expected finite losses and gradients, got a loss of ${loss} and a gradient norm of ${gradNorm} at step ${step}, after 5 skipped steps in a row, not finite first in phase ${place!.phase} (layer \`${place!.layer}\`${shard}); lower the learning rate, set globalClipnorm, or check the data.`,
  });
});

test.serial('skip goes on, and every skipped step says phase, layer and shard', async (t) => {
  const { steps, error } = await told(exploding({ onNonFinite: 'skip' }));
  t.is(error, undefined);
  t.is(steps.length, 40);
  const first = skippedSteps(steps)[0]!;
  t.true(first > 1 && first < 30, `${first}`);
  t.deepEqual(
    skippedSteps(steps),
    steps.slice(first - 1).map(({ step }) => step),
  );
  for (const { step, loss, gradNorm, skipped } of steps.slice(first - 1)) {
    t.false(Number.isFinite(loss) && Number.isFinite(gradNorm), `step ${step}`);
    t.true(['forward', 'loss', 'backward', 'gradient'].includes(skipped!.phase), `${skipped!.phase}`);
    if (skipped!.phase === 'forward' || skipped!.phase === 'backward') {
      t.true(['first', 'second'].includes(skipped!.layer!), `${skipped!.layer}`);
      t.true(skipped!.shard! >= 0 && skipped!.shard! < 4, `${skipped!.shard}`);
    }
  }
});

test.serial('what is told of skipped steps does not depend on the number of workers', async (t) => {
  const places = async (workers: number) => (await told(exploding({ onNonFinite: 'skip', workers }))).steps.map(({ seconds, ...event }) => event);
  const expected = await places(1);
  t.deepEqual(await places(2), expected);
  t.deepEqual(await places(4), expected);
});

test.serial('skipped steps leave the weights as they were before them', async (t) => {
  const whole = await told(exploding({ onNonFinite: 'skip' }));
  const first = skippedSteps(whole.steps)[0]!;
  const stopped = await told(exploding({ steps: first - 1 }));
  t.deepEqual(skippedSteps(stopped.steps), []);
  t.is(whole.weightsSha256, stopped.weightsSha256);
});

test.serial('a bad row costs its own step: others train as if it had not been there', async (t) => {
  const { steps, weightsSha256, error } = await told(withBadRows([3, 6]));
  t.is(error, undefined);
  t.deepEqual(skippedSteps(steps), [4, 7]);
  t.deepEqual(steps[3]!.skipped, { phase: 'loss', shard: 0 });
  const { x, y } = withBadRows([]).data.train as { x: number[][]; y: number[][] };
  const good = (_: unknown, row: number): boolean => row !== 3 && row !== 6;
  const without = await told(withBadRows([], { data: { train: { x: x.filter(good), y: y.filter(good) } } }));
  t.is(weightsSha256, without.weightsSha256);
});

test.serial('a skipped step at the end of an epoch or of the run does not halt it', async (t) => {
  const { steps, error } = await told(withBadRows([9], { epochs: 3 }));
  t.is(error, undefined);
  t.deepEqual(skippedSteps(steps), [10, 20, 30]);
});

test.serial('skipped steps are counted in a row across epochs', async (t) => {
  const { steps, error } = await told(withBadRows([0, 1, 8, 9], { epochs: 3, haltAfterSkipped: 3 }));
  t.is((error as LockstepError | undefined)?.code, 'LOCKSTEP_NON_FINITE');
  t.deepEqual(skippedSteps(steps), [1, 2, 9, 10, 11]);
});

test.serial('an epoch without a finite step has no loss to tell', async (t) => {
  const all = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
  const { history } = await train(withBadRows(all, { onNonFinite: 'skip' }));
  t.deepEqual(history, { loss: [Number.NaN] });
});

test.serial('numbers that are not finite in the data are refused before anything runs', async (t) => {
  const x = numbers(64 * 3, 1);
  x[3 * 7 + 1] = Number.NaN;
  const options = exploding();
  await t.throwsAsync(train({ ...options, data: { train: { ...(options.data.train as ArrayData), x } } }), {
    code: 'LOCKSTEP_DATA',
    message: 'Expected `x` to hold finite numbers, got `NaN` in row 7; mend or leave out the row.',
  });
});

test.serial('a halted run leaves its model with the weights of the last applied step', async (t) => {
  const model = (): TrainOptions['model'] => sequential([layers.dense({ units: 1, name: 'only' })]);
  const halted = withBadRows([4, 5, 6, 7, 8], { model: model() });
  await t.throwsAsync(train(halted), { code: 'LOCKSTEP_NON_FINITE' });
  const stopped = await train(withBadRows([4, 5, 6, 7, 8], { model: model(), steps: 4 }));
  t.is(halted.model.weightsSha256, stopped.weightsSha256);
});
