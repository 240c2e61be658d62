/** Room: tests of telemetry. The log of a run: one JSON object a line. */
import fs, { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { LockstepError } from '../../src/errors.ts';
import type { RunEvent, StepEvent } from '../../src/telemetry/events.ts';
import { checkLog, EventLog } from '../../src/telemetry/jsonl.ts';

const folder = mkdtempSync(join(tmpdir(), 'lockstep-jsonl-'));
test.after.always(() => rmSync(folder, { recursive: true }));

function step(number: number, loss = 0.5): StepEvent {
  return { event: 'step', step: number, epoch: 0, samples: 32, loss, metrics: { accuracy: 0.25 }, gradNorm: 2, clipScale: 0.5, learningRate: 0.1, seconds: 0.001 };
}

/** A log that must be writable throughout. */
const openLog = (path: string): EventLog =>
  new EventLog(path, (error) => {
    throw error;
  });

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
  const log = openLog(path);
  for (const event of events) log.write(event);
  log.close();
  t.deepEqual(lines(path), events);
  t.true(readFileSync(path, 'utf8').endsWith('}\n'));
});

test('numbers that are not finite become null', (t) => {
  const path = join(folder, 'null.jsonl');
  const log = openLog(path);
  log.write({ ...step(1, Number.NaN), gradNorm: Number.POSITIVE_INFINITY, skipped: { phase: 'loss', shard: 0 } });
  log.close();
  t.deepEqual(lines(path), [{ ...step(1), loss: null, gradNorm: null, skipped: { phase: 'loss', shard: 0 } }]);
});

test('a burst is with the system as soon as it has been handled, steps without the end of their epoch too', async (t) => {
  const path = join(folder, 'burst.jsonl');
  const log = openLog(path);
  for (const burst of [
    [1, 2, 3],
    [4, 5],
  ]) {
    const before = readFileSync(path, 'utf8');
    for (const number of burst) log.write(step(number));
    t.is(readFileSync(path, 'utf8'), before);
    await Promise.resolve();
    t.is(lines(path).length, burst.at(-1)!);
  }
  log.close();
  log.close();
  t.is(lines(path).length, 5);
});

test('of a burst without end only so much is kept in memory', (t) => {
  const path = join(folder, 'size.jsonl');
  const log = openLog(path);
  for (let i = 1; i <= 2000; i++) log.write(step(i));
  t.true(readFileSync(path).length > 64 * 1024);
  log.close();
  t.is(lines(path).length, 2000);
});

/**
 * Does `work` while the system takes only `room` bytes more, in pieces of at most 100, and then has no space. Returns how often
 * it was asked to write.
 */
async function withRoom(room: number, work: () => void | Promise<void>): Promise<number> {
  const { writeSync } = fs;
  let calls = 0;
  const scarce = (file: number, bytes: Uint8Array, offset = 0): number => {
    calls++;
    if (room === 0) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    const written = writeSync(file, bytes, offset, Math.min(room, 100, bytes.length - offset));
    room -= written;
    return written;
  };
  fs.writeSync = scarce as typeof writeSync;
  syncBuiltinESMExports();
  try {
    await work();
  } finally {
    fs.writeSync = writeSync;
    syncBuiltinESMExports();
  }
  return calls;
}

const lineBytes = JSON.stringify(step(1)).length + 1;

for (const [name, room, lost] of [
  ['between two lines', lineBytes, [2, 3, 4, 5, 6]],
  ['inside a line, which is made whole later', lineBytes + 20, [3, 4, 5, 6]],
  ['before the end of a line', 2 * lineBytes - 1, [3, 4, 5, 6]],
  ['at once', 0, [1, 2, 3, 4, 5, 6]],
] as const) {
  test.serial(`a disk that gets full ${name} is told once, lines lost are counted, and the log goes on when there is room`, async (t) => {
    const path = join(folder, `full-${room}.jsonl`);
    const told: LockstepError[] = [];
    const log = new EventLog(path, (error) => told.push(error));
    await withRoom(room, async () => {
      for (const number of [1, 2, 3]) log.write(step(number));
      await Promise.resolve();
      t.is(told.length, 1);
      for (const number of [4, 5]) log.write(step(number));
      await Promise.resolve();
      log.write(step(6));
      await Promise.resolve();
    });
    log.write(step(7));
    log.close();
    t.deepEqual(
      lines(path),
      [1, 2, 3, 4, 5, 6, 7].filter((number) => !(lost as readonly number[]).includes(number)).map((number) => step(number)),
    );
    t.deepEqual([log.lines, log.lost], [7, lost.length]);
    t.deepEqual(
      told.map(({ code, message }) => ({ code, message })),
      [
        {
          code: 'LOCKSTEP_FILE',
          message: `Expected to write the log \`${path}\`, but the system refused (ENOSPC); the run goes on and counts the lines that are lost, so make the place writable again to keep those to come.`,
        },
      ],
    );
  });
}

test.serial('a line that never becomes whole is lost', async (t) => {
  const told: LockstepError[] = [];
  const log = new EventLog(join(folder, 'torn.jsonl'), (error) => told.push(error));
  await withRoom(lineBytes + 1, () => {
    for (const number of [1, 2, 3]) log.write(step(number));
    log.close();
  });
  t.deepEqual([log.lines, log.lost, told.length], [3, 2, 1]);
});

test.serial('a burst takes one system call, which is repeated where the system takes only a part', async (t) => {
  const path = join(folder, 'calls.jsonl');
  const log = openLog(path);
  const short = { event: 'epoch', epoch: 0, loss: 0.5, metrics: {} } as const;
  const calls = await withRoom(10_000, async () => {
    log.write(short);
    log.write({ ...short, epoch: 1 });
    t.true(2 * JSON.stringify(short).length + 2 > 100);
    await Promise.resolve();
  });
  t.is(calls, 2);
  log.close();
  t.is(lines(path).length, 2);
});

test('a log begins anew', (t) => {
  const path = join(folder, 'old.jsonl');
  writeFileSync(path, 'old\n');
  openLog(path).close();
  t.is(readFileSync(path, 'utf8'), '');
});

test('a log that cannot be written is refused with its path and the mend', (t) => {
  for (const [path, code] of [
    [join(folder, 'absent', 'a.jsonl'), 'ENOENT'],
    [folder, 'EISDIR'],
  ] as const) {
    t.throws(() => openLog(path), {
      instanceOf: LockstepError,
      code: 'LOCKSTEP_FILE',
      message: `Expected to write the log \`${path}\`, but the system refused (${code}); check that its folder exists and can be written.`,
    });
  }
});

test('a log is checked without touching it', (t) => {
  const [old, absent] = [join(folder, 'kept.jsonl'), join(folder, 'not-yet.jsonl')];
  writeFileSync(old, 'old\n');
  checkLog(old);
  checkLog(absent);
  t.is(readFileSync(old, 'utf8'), 'old\n');
  t.false(existsSync(absent));
  const nowhere = join(folder, 'absent', 'a.jsonl');
  t.throws(() => checkLog(nowhere), {
    instanceOf: LockstepError,
    code: 'LOCKSTEP_FILE',
    message: `Expected to write the log \`${nowhere}\`, but the system refused (ENOENT); check that its folder exists and can be written.`,
  });
});
