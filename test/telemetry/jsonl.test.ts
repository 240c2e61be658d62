/** Room: tests of telemetry. The log of a run: one JSON object a line. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { LockstepError } from '../../src/errors.ts';
import type { RunEvent, StepEvent } from '../../src/telemetry/events.ts';
import { EventLog } from '../../src/telemetry/jsonl.ts';

const folder = mkdtempSync(join(tmpdir(), 'lockstep-jsonl-'));
test.after.always(() => rmSync(folder, { recursive: true }));

function step(number: number, loss = 0.5): StepEvent {
  return { event: 'step', step: number, epoch: 0, samples: 32, loss, metrics: { accuracy: 0.25 }, gradNorm: 2, clipScale: 0.5, learningRate: 0.1, seconds: 0.001 };
}

const lines = (path: string): unknown[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as unknown);

test('every event is one object on a line of its own, in order', (t) => {
  const path = join(folder, 'events.jsonl');
  const events: RunEvent[] = [
    step(1),
    step(2),
    { event: 'epoch', epoch: 0, loss: 0.5, metrics: {}, validation: { loss: 0.4, metrics: { accuracy: 0.5 } } },
    { event: 'end', steps: 2, seconds: 1, samplesPerSecond: 64, weightsSha256: 'ab' },
  ];
  const log = new EventLog(path);
  for (const event of events) log.write(event);
  log.close();
  t.deepEqual(lines(path), events);
  t.true(readFileSync(path, 'utf8').endsWith('}\n'));
});

test('numbers that are not finite become null', (t) => {
  const path = join(folder, 'null.jsonl');
  const log = new EventLog(path);
  log.write({ ...step(1, Number.NaN), gradNorm: Number.POSITIVE_INFINITY, skipped: { phase: 'loss', shard: 0 } });
  log.close();
  t.deepEqual(lines(path), [{ ...step(1), loss: null, gradNorm: null, skipped: { phase: 'loss', shard: 0 } }]);
});

test('steps are on the disk when their epoch ends, and thousands are not kept in memory until then', (t) => {
  const path = join(folder, 'flush.jsonl');
  const log = new EventLog(path);
  log.write(step(1));
  log.write({ event: 'epoch', epoch: 0, loss: 0.5, metrics: {} });
  t.is(lines(path).length, 2);
  for (let i = 2; i < 2000; i++) log.write(step(i));
  t.true(readFileSync(path).length > 64 * 1024);
  log.close();
  t.is(lines(path).length, 2000);
});

test('a log begins anew', (t) => {
  const path = join(folder, 'old.jsonl');
  writeFileSync(path, 'old\n');
  new EventLog(path).close();
  t.is(readFileSync(path, 'utf8'), '');
});

test('a log that cannot be written is refused with its path and the mend', (t) => {
  for (const [path, code] of [
    [join(folder, 'absent', 'a.jsonl'), 'ENOENT'],
    [folder, 'EISDIR'],
  ] as const) {
    t.throws(() => new EventLog(path), {
      instanceOf: LockstepError,
      code: 'LOCKSTEP_FILE',
      message: `Expected to write the log \`${path}\`, but the system refused (${code}); check that its folder exists and can be written.`,
    });
  }
});
