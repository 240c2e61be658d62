/** Room: tests of cluster. Pieces of a vector that are due, and those that are not. */
import test from 'ava';
import fc from 'fast-check';
import { Stream, type StreamPart } from '../../../cluster/exchange/stream.ts';
import { refusal } from '../../data/folder.ts';

const parts: readonly StreamPart[] = [
  { bucket: 0, root: 2, vector: 1000, from: 64, to: 100, completes: false },
  { bucket: 0, root: 3, vector: 5000, from: 64, to: 100, completes: true },
  { bucket: 1, root: 2, vector: 1000, from: 0, to: 64, completes: true },
];

test('pieces of any size are placed byte by byte, part after part, round after round', (t) => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 20, maxLength: 60 }), (sizes) => {
      const stream = new Stream(parts);
      const pending = [...sizes];
      for (let round = 0; pending.length > 0; round++) {
        for (const { bucket, root, vector, from, to, completes } of parts) {
          for (let offset = from; offset < to; ) {
            const length = Math.min(pending.shift() ?? 64, to - offset);
            t.deepEqual(stream.take(bucket, root, offset, length), { address: vector + offset, round, completes: completes && offset + length === to });
            offset += length;
          }
        }
      }
    }),
    { numRuns: 30 },
  );
});

test('a piece that is not due is refused, and the one that is due still comes', (t) => {
  const stream = new Stream(parts);
  stream.take(0, 2, 64, 10);
  const strange: readonly Parameters<Stream['take']>[] = [
    [1, 2, 74, 4],
    [0, 3, 74, 4],
    [0, 2, 64, 10],
    [0, 2, 75, 4],
    [0, 2, -1, 4],
    [0, 2, Number.NaN, 4],
    [0, 2, 74, 0],
    [0, 2, 74, 27],
    [0, 2, 74.5, 4],
  ];
  for (const piece of strange) {
    t.is(
      refusal('LOCKSTEP_PROTOCOL', () => stream.take(...piece)),
      `Expected the piece of a gradient that is due (byte 74 of bucket 0, up to byte 100), got ${piece[3]} bytes at byte ${piece[2]} of bucket ${piece[0]}.`,
    );
  }
  t.deepEqual(stream.take(0, 2, 74, 26), { address: 1074, round: 0, completes: false });
});

test('a stream without parts takes nothing', (t) => {
  t.is(
    refusal('LOCKSTEP_PROTOCOL', () => new Stream([]).take(0, 0, 0, 4)),
    'Expected the piece of a gradient that is due (none), got 4 bytes at byte 0 of bucket 0.',
  );
});
