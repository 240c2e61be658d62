/**
 * Room: tests of transport. Bulk jobs: their order, their pauses when there is no room, and how they end.
 */
import test from 'ava';
import fc from 'fast-check';
import { type BulkPiece, BulkQueue } from '../../../cluster/transport/bulk-queue.ts';
import { state } from './sockets.ts';

/** A source of `count` pieces of a byte that holds `mark`. */
function pieces(mark: number, count: number): () => BulkPiece | undefined {
  let left = count;
  return () => (left-- > 0 ? { message: state(0), payload: Uint8Array.of(mark) } : undefined);
}

test('jobs are handed over one after the other, in this very call, as far as there is room', async (t) => {
  let room = 3;
  const written: number[] = [];
  const queue = new BulkQueue(
    () => room > 0,
    ({ payload }) => {
      room--;
      return written.push(payload![0]!);
    },
  );
  const first = queue.add(pieces(1, 2));
  const second = queue.add(pieces(2, 2));
  t.deepEqual(written, [1, 1, 2]);
  await first;
  room = 5;
  queue.pump();
  t.deepEqual(written, [1, 1, 2, 2]);
  await second;
});

test('whatever the jobs and the room, every piece is written once, in order', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(5), { maxLength: 6 }), fc.integer({ min: 1, max: 4 }), async (counts, step) => {
      let room = 0;
      const written: number[] = [];
      const write = ({ payload }: BulkPiece) => {
        room--;
        return written.push(payload![0]!);
      };
      const queue = new BulkQueue(() => room > 0, write);
      const ended = Promise.all(counts.map((count, mark) => queue.add(pieces(mark, count))));
      for (let i = 0; i <= counts.length * 6; i++) {
        room = step;
        queue.pump();
      }
      await ended;
      t.deepEqual(
        written,
        counts.flatMap((count, mark) => new Array<number>(count).fill(mark)),
      );
    }),
  );
});

test('a socket that takes everything does not keep the event loop', async (t) => {
  let written = 0;
  const queue = new BulkQueue(
    () => true,
    () => {
      written++;
      return 2 ** 20;
    },
  );
  const done = queue.add(pieces(1, 20));
  t.is(written, 8);
  await done;
  t.is(written, 20);
});

test('a job that throws ends alone', async (t) => {
  let written = 0;
  const queue = new BulkQueue(
    () => true,
    () => ++written,
  );
  const broken = queue.add(() => {
    throw new Error('the arena is gone');
  });
  const whole = queue.add(pieces(1, 2));
  await t.throwsAsync(broken, { message: 'the arena is gone' });
  await whole;
  t.is(written, 2);
});

test('closing ends the jobs that wait and those that come later, also from within a job', async (t) => {
  const queue = new BulkQueue(
    () => true,
    () => t.fail(),
  );
  const during = queue.add(() => {
    queue.close(new Error('closed'));
    return { message: state(0) };
  });
  await t.throwsAsync(during, { message: 'closed' });
  await t.throwsAsync(queue.add(pieces(1, 1)), { message: 'closed' });
});
