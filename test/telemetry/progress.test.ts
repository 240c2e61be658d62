/** Room: tests of telemetry. What a person sees: the live line of a terminal, plain lines elsewhere. */
import test from 'ava';
import type { EpochEvent, StepEvent } from '../../src/telemetry/events.ts';
import { duration, Progress, type ProgressOptions } from '../../src/telemetry/progress.ts';

function step(number: number, more: Partial<StepEvent> = {}): StepEvent {
  return {
    event: 'step',
    step: number,
    epoch: Math.floor((number - 1) / 235),
    samples: 256,
    loss: 0.25178,
    metrics: { accuracy: 0.98765 },
    gradNorm: 1.23456,
    clipScale: 1,
    learningRate: 0.1,
    seconds: 0.01,
    ...more,
  };
}

const epoch: EpochEvent = { event: 'epoch', epoch: 0, loss: 0.5, metrics: { accuracy: 0.875 }, validation: { loss: 0.25, metrics: { accuracy: 0.9 } } };

/** A progress over 1,175 steps in five epochs, a clock to set in ms, and everything that was written. */
function watch(columns: number | undefined, options: Partial<ProgressOptions> = {}) {
  const written: string[] = [];
  const clock = { ms: 0 };
  const progress = new Progress({ columns, write: (text) => written.push(text) }, { steps: 1175, stepsPerEpoch: 235, now: () => clock.ms, ...options });
  return { written, clock, progress };
}

const clear = '\r\x1b[K';

test('a wide terminal has one live line with step, epoch, loss, accuracy, speed, norm and what is left', (t) => {
  const { written, clock, progress } = watch(120);
  clock.ms = 1000;
  progress.step(step(100));
  t.deepEqual(written, [`${clear}step 100/1175  epoch 1/5  loss 0.2518  accuracy 98.77 %  256 samples/s  grad norm 1.23  ETA 11 s`]);
});

test('a terminal of 80 columns has all of them too, in fewer letters', (t) => {
  const { written, clock, progress } = watch(80);
  clock.ms = 100_000;
  progress.step(step(1000, { samples: 12_345_600 }));
  t.deepEqual(written, [`${clear}1000/1175 epoch 5/5 loss 0.2518 acc 98.77 % 123,456/s norm 1.23 ETA 18 s`]);
});

test('the live line is never wider than the terminal', (t) => {
  for (let columns = 2; columns < 130; columns++) {
    const { written, clock, progress } = watch(columns);
    clock.ms = 100_000;
    progress.step(step(1000));
    t.is(written.length, 1);
    t.true(written[0]!.startsWith(clear));
    t.true(written[0]!.length - clear.length < columns, `${columns} columns`);
    t.false(written[0]!.includes('\n'));
  }
});

test('the live line changes ten times a second at most, and with the last step', (t) => {
  const { written, clock, progress } = watch(120);
  for (let i = 1; i <= 1175; i++) {
    clock.ms = i;
    progress.step(step(i));
  }
  t.is(written.length, 12);
  t.true(written.at(-1)!.includes('step 1175/1175'));
  t.true(written.at(-1)!.includes('ETA 0 s'));
});

test('a line of its own takes the place of the live one, which then begins anew', (t) => {
  const { written, clock, progress } = watch(120);
  progress.line('before');
  clock.ms = 200;
  progress.step(step(235));
  progress.epoch(epoch);
  progress.line('after');
  t.is(written.length, 4);
  t.is(written[0], 'before\n');
  t.is(written[2], `${clear}epoch 1/5  loss 0.5000  accuracy 87.50 %  val_loss 0.2500  val_accuracy 90.00 %\n`);
  t.is(written[3], 'after\n');
});

test('without a terminal there are plain lines, one in five seconds at most', (t) => {
  const { written, clock, progress } = watch(undefined);
  for (let i = 1; i <= 1175; i++) {
    clock.ms = 10 * i;
    progress.step(step(i));
    if (i % 235 === 0) progress.epoch({ ...epoch, epoch: i / 235 - 1 });
  }
  t.deepEqual(
    written.map((text) => text.split('  ').slice(0, 2).join()),
    [
      'epoch 1/5,loss 0.5000',
      'epoch 2/5,loss 0.5000',
      'step 500/1175,epoch 3/5',
      'epoch 3/5,loss 0.5000',
      'epoch 4/5,loss 0.5000',
      'step 1000/1175,epoch 5/5',
      'epoch 5/5,loss 0.5000',
    ],
  );
  t.true(
    written.every((text) => /^[\x20-\x7e]+\n$/.test(text)),
    'no control characters',
  );
});

test('a skipped step is told at once, with its place', (t) => {
  const { written, progress } = watch(undefined);
  progress.step(step(3, { loss: Number.NaN, skipped: { phase: 'forward', layer: 'dense_1', shard: 2 } }));
  progress.step(step(4, { loss: Number.NaN, skipped: { phase: 'loss', shard: 0 } }));
  t.deepEqual(written, ['step 3 skipped: not finite first in phase forward of dense_1\n', 'step 4 skipped: not finite first in phase loss\n']);
});

test('an epoch without metrics and validation, or cut short, says no more than it knows', (t) => {
  const { written, progress } = watch(undefined, { steps: 10 });
  progress.epoch({ event: 'epoch', epoch: 0, loss: 1, metrics: {}, partial: true });
  t.deepEqual(written, ['epoch 1/1  loss 1.0000  (ended inside the epoch)\n']);
});

test('durations are told as people say them', (t) => {
  const cases: [number, string][] = [
    [-1, '0 s'],
    [0.4, '0 s'],
    [59.4, '59 s'],
    [59.6, '1 min 0 s'],
    [200, '3 min 20 s'],
    [3599.9, '1 h 0 min'],
    [7500, '2 h 5 min'],
    [90_000, '25 h 0 min'],
  ];
  for (const [seconds, text] of cases) t.is(duration(seconds), text);
});
