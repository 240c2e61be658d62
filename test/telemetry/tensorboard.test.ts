/** Room: tests of telemetry. The writer of event files: what reaches the disk, when, and what becomes of a disk that fails. */
import fs, { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { LockstepError } from '../../src/errors.ts';
import { scalarsRecord, versionRecord } from '../../src/telemetry/event-file.ts';
import { TensorboardWriter } from '../../src/telemetry/tensorboard.ts';
import { decodeEvents } from './event-decoder.ts';

const folder = mkdtempSync(join(tmpdir(), 'lockstep-tensorboard-'));
test.after.always(() => rmSync(folder, { recursive: true }));

const now = (): number => 1_700_000_000_500;
const name = `events.out.tfevents.1700000000.${hostname()}`;

/** A writer whose disk must not fail. */
function open(path: string): TensorboardWriter {
  return new TensorboardWriter(path, {
    now,
    tell: (error) => {
      throw error;
    },
  });
}

const steps = (path: string): number[] => decodeEvents(readFileSync(path)).map(({ step }) => Number(step));

test('a file of its own in a new folder, with everything in order', async (t) => {
  const path = join(folder, 'new', 'run');
  const writer = open(path);
  writer.scalars(1, 1_700_000_001, { 'loss/train': 0.5, accuracy: 0.25 });
  const histogram = { min: -1, max: 2, num: 3, sum: 1.5, sumSquares: 4.25, limits: [0, 2], counts: [1, 2] };
  writer.histogram(1, 1_700_000_002, 'gradients/dense', histogram);
  await writer.close();
  t.deepEqual(readdirSync(path), [name]);
  t.is(writer.path, join(path, name));
  t.deepEqual(decodeEvents(readFileSync(writer.path)), [
    { wallTime: 1_700_000_000.5, step: 0n, version: 'brain.Event:2', values: [] },
    {
      wallTime: 1_700_000_001,
      step: 1n,
      values: [
        { tag: 'loss/train', scalar: 0.5 },
        { tag: 'accuracy', scalar: 0.25 },
      ],
    },
    { wallTime: 1_700_000_002, step: 1n, values: [{ tag: 'gradients/dense', histogram }] },
  ]);
  t.deepEqual([writer.records, writer.lost], [3, 0]);
});

test('two runs that begin in the same second keep their files apart', async (t) => {
  const path = join(folder, 'twice');
  const writers = [open(path), open(path)];
  for (const [i, writer] of writers.entries()) writer.scalars(i + 1, 0, { loss: 1 });
  await Promise.all(writers.map((writer) => writer.close()));
  t.deepEqual(readdirSync(path).sort(), [name, `${name}.1`]);
  t.deepEqual(
    writers.map((writer) => steps(writer.path)),
    [
      [0, 1],
      [0, 2],
    ],
  );
});

test('after closing records are lost and counted, and closing again waits for the same end', async (t) => {
  const writer = open(join(folder, 'closed'));
  t.is(writer.close(), writer.close());
  await writer.close();
  writer.scalars(1, 0, { loss: 1 });
  t.deepEqual([writer.records, writer.lost, steps(writer.path)], [2, 1, [0]]);
});

/** A disk in the place of the system's: takes what `room` says, in pieces of at most 20 bytes, when it is let. */
class Disk {
  room: number;
  calls = 0;
  readonly #write = fs.write;
  #held: (() => void)[] | undefined;

  constructor(room: number) {
    this.room = room;
    const write = (file: number, bytes: Buffer, offset: number, callback: (error: Error | null, written?: number) => void): void => {
      this.calls++;
      const go = (): void => {
        if (this.room === 0) {
          process.nextTick(callback, Object.assign(new Error('no space left on device'), { code: 'ENOSPC' }));
          return;
        }
        const length = Math.min(this.room, 20, bytes.length - offset);
        this.room -= length;
        this.#write(file, bytes, offset, length, null, callback);
      };
      if (this.#held) this.#held.push(go);
      else go();
    };
    fs.write = write as typeof fs.write;
    syncBuiltinESMExports();
  }

  hold(): void {
    this.#held = [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const go of held) go();
  }

  remove(): void {
    fs.write = this.#write;
    syncBuiltinESMExports();
  }
}

/** Returns once `state` holds; throws after ten seconds. */
async function until(state: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 10_000; !state(); ) {
    if (performance.now() > deadline) throw new Error('waited too long');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const first = versionRecord(1_700_000_000.5).length;
const each = scalarsRecord({ step: 1, wallTime: 0 }, { loss: 1 }).length;

for (const [place, room, lost] of [
  ['at once', 0, [1, 2, 3]],
  ['inside the first record', 10, [1, 2, 3]],
  ['between two records', first + each, [2, 3]],
  ['inside a record, which is made whole later', first + each + 5, [3]],
  ['before the end of a record', first + 2 * each - 1, [3]],
] as const) {
  test.serial(`a disk that gets full ${place} is told once, records lost are counted, and the file goes on when there is room`, async (t) => {
    const told: LockstepError[] = [];
    const disk = new Disk(room);
    try {
      const writer = new TensorboardWriter(join(folder, `full-${room}`), { now, tell: (error) => told.push(error) });
      for (const step of [1, 2, 3]) writer.scalars(step, 0, { loss: 1 });
      await until(() => told.length > 0);
      await until(() => writer.lost >= lost.length);
      const { calls } = disk;
      writer.scalars(4, 0, { loss: 1 });
      await until(() => disk.calls > calls && writer.lost > lost.length);
      disk.room = 1000;
      writer.scalars(5, 0, { loss: 1 });
      await writer.close();
      t.deepEqual(
        steps(writer.path),
        [0, 1, 2, 3, 4, 5].filter((step) => step !== 4 && !(lost as readonly number[]).includes(step)),
      );
      t.deepEqual([writer.records, writer.lost], [6, lost.length + 1]);
      t.deepEqual(
        told.map(({ code, message }) => ({ code, message })),
        [
          {
            code: 'LOCKSTEP_FILE',
            message: `Expected to write TensorBoard's events to \`${writer.path}\`, but the system refused (ENOSPC); the run goes on and counts the records that are lost, so make the place writable again to keep those to come.`,
          },
        ],
      );
    } finally {
      disk.remove();
    }
  });
}

test.serial('a record that never becomes whole is lost', async (t) => {
  const disk = new Disk(first + 5);
  try {
    const writer = new TensorboardWriter(join(folder, 'torn'), { now, tell: () => {} });
    for (const step of [1, 2]) writer.scalars(step, 0, { loss: 1 });
    await writer.close();
    t.deepEqual([writer.records, writer.lost, readFileSync(writer.path).length], [3, 2, first + 5]);
  } finally {
    disk.remove();
  }
});

test.serial('a disk that hangs holds up nobody, and only so much is kept for it', async (t) => {
  const told: LockstepError[] = [];
  const disk = new Disk(Number.POSITIVE_INFINITY);
  disk.hold();
  try {
    const writer = new TensorboardWriter(join(folder, 'slow'), { now, tell: (error) => told.push(error) });
    await until(() => disk.calls > 0);
    const tag = 'x'.repeat(2 ** 20);
    for (let step = 1; step <= 20; step++) writer.scalars(step, 0, { [tag]: 1 });
    // The first record, too, is not there yet.
    t.deepEqual([writer.records, writer.lost, told.length], [21, 5 + 1, 1]);
    t.regex(told[0]!.message, /the disk is slower than the records come/);
    t.is(readFileSync(writer.path).length, 0);
    disk.remove();
    disk.release();
    await writer.close();
    t.is(writer.lost, 5);
    t.deepEqual(
      steps(writer.path),
      Array.from({ length: 16 }, (_, step) => step),
    );
  } finally {
    disk.remove();
  }
});

test('a place that cannot be written is refused with its path and the mend', (t) => {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  for (const [path, code] of [
    [file, 'EEXIST'],
    [join(file, 'below'), 'ENOTDIR'],
  ] as const) {
    t.throws(() => open(path), {
      instanceOf: LockstepError,
      code: 'LOCKSTEP_FILE',
      message: `Expected to write TensorBoard's events to \`${path}\`, but the system refused (${code}); check that it is a folder, or can be made one, and can be written.`,
    });
  }
  t.false(existsSync(join(file, 'below')));
});
