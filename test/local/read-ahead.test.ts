/**
 * Room: tests of local. The reader by itself: every batch of every order is in its slot with the rows that ranks will take for theirs,
 * nothing is written over before all ranks took it, the newest order counts, and a thread that dies says so.
 */
import test from 'ava';
import fc from 'fast-check';
import { batchRows, stepsPerEpoch } from '../../src/data/sampler.ts';
import { ReadAhead, type ReadOrder } from '../../src/local/read-ahead.ts';
import { Reader } from '../../src/local/reader.ts';
import { Arena } from '../../src/memory/arena.ts';
import { MemoryPlan } from '../../src/memory/plan.ts';
import { type FeedPlace, feedSlots, readFeedTrouble, reportFeedTrouble, reserveFeed } from '../../src/model/feed-place.ts';
import { orderKeys, permute } from '../../src/numerics/permutation.ts';
import { temporaryFolder } from '../data/folder.ts';

const file = temporaryFolder();
const rowSize = 3;

/** Row r of the file is r, r + 1, r + 2. */
const path = file(
  'rows',
  Uint8Array.from({ length: 200 * rowSize }, (_, i) => Math.floor(i / rowSize) + (i % rowSize)),
);

function ring(length: number, batchSize: number, ranks: number): { arena: Arena; place: FeedPlace } {
  const memory = new MemoryPlan();
  const place = reserveFeed(memory, [undefined, { length, inputShape: [rowSize], inputType: 'uint8', scale: 1, targetSize: 0, streamed: true }], batchSize, ranks)!;
  return { arena: Arena.create(memory.bytes), place };
}

/** Follows one order to its end in this thread; `onBatch` sees each batch in its slot. */
function followed(length: number, batchSize: number, seed: number | undefined, order: ReadOrder, onBatch: (rows: number[], batch: number) => void): void {
  const { arena, place } = ring(length, batchSize, order.ranks);
  const { i32, u8 } = arena;
  const set = { file: { path, offset: 0, type: 'uint8', rowSize }, length, batchSize, ...(seed !== undefined && { shuffleSeed: seed }) } as const;
  const ahead = new ReadAhead(arena, place, { [order.set]: set });
  // As orders before this one left it.
  for (const word of [...place.taken, place.filled]) Atomics.store(i32, word, order.base);
  let seen = 0;
  let asked = 0;
  // The reader asks for news after every ring of the bell; ranks ring it when they took a batch.
  ahead.follow(() => {
    if (asked++ === 0) {
      Atomics.add(i32, place.bell, 1);
      return order;
    }
    for (; ((Atomics.load(i32, place.filled) - order.base - seen) | 0) > 0 && seen < order.batches; seen++) {
      const slot = place.slots[((order.base + seen) >>> 0) % feedSlots]!;
      const rows = batchRows(length, batchSize, order.firstBatch + seen);
      onBatch(
        Array.from({ length: rows }, (_, row) => u8[slot + row * rowSize]!),
        seen,
      );
      for (const word of place.taken) Atomics.store(i32, word, (order.base + seen + 1) | 0);
    }
    Atomics.add(i32, place.bell, 1);
    return seen === order.batches ? 'end' : undefined;
  });
}

test('an order fills the ring with the rows of its batches, in the order of the epoch', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 40 }),
      fc.option(fc.nat(1000), { nil: undefined }),
      fc.nat(5),
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (length, batchSize, seed, epoch, ranks, base, from) => {
        const all = stepsPerEpoch(length, batchSize, false);
        const firstBatch = Math.min(all - 1, Math.floor(from * all));
        const got: number[] = [];
        followed(length, batchSize, seed, { set: 'train', epoch, firstBatch, batches: all - firstBatch, base, ranks }, (rows) => got.push(...rows));
        const keys = seed === undefined ? undefined : orderKeys(seed, epoch);
        const expected = Array.from({ length: length - firstBatch * batchSize }, (_, i) => {
          const position = firstBatch * batchSize + i;
          return keys ? permute(position, length, keys) : position;
        });
        t.deepEqual(got, expected);
      },
    ),
    { numRuns: 100 },
  );
});

test('no slot is filled again before every rank took what is in it', (t) => {
  const { arena, place } = ring(200, 10, 2);
  const ahead = new ReadAhead(arena, place, { train: { file: { path, offset: 0, type: 'uint8', rowSize }, length: 200, batchSize: 10 } });
  const filled: number[] = [];
  // The first rank takes everything at once, the second one batch at a time.
  Atomics.store(arena.i32, place.taken[0]!, 20);
  let asked = 0;
  ahead.follow(() => {
    const order = { set: 'train', epoch: 0, firstBatch: 0, batches: 20, base: 0, ranks: 2 } as const;
    Atomics.add(arena.i32, place.bell, 1);
    if (asked++ === 0) return order;
    if (asked % 8 !== 0) return undefined;
    filled.push(Atomics.load(arena.i32, place.filled));
    Atomics.add(arena.i32, place.taken[1]!, 1);
    return filled.length === 5 ? 'end' : undefined;
  });
  t.deepEqual(filled, [4, 5, 6, 7, 8]);
});

test('the newest order counts, and begins anew', (t) => {
  const { arena, place } = ring(200, 10, 1);
  const ahead = new ReadAhead(arena, place, { train: { file: { path, offset: 0, type: 'uint8', rowSize }, length: 200, batchSize: 10 } });
  const orders = [0, 1, 2].map((n) => ({ set: 'train', epoch: 0, firstBatch: 5 * n, batches: 5, base: 5 * n, ranks: 1 }) as const);
  Atomics.store(arena.i32, place.taken[0]!, 10);
  let asked = 0;
  ahead.follow(() => {
    Atomics.add(arena.i32, place.bell, 1);
    asked++;
    if (asked <= 3) return orders[asked - 1];
    return asked === 20 ? 'end' : undefined;
  });
  t.is(Atomics.load(arena.i32, place.filled), 14);
  t.deepEqual(
    [0, 1, 2, 3].map((slot) => arena.u8[place.slots[slot]!]),
    [120, 130, 100, 110],
  );
});

test('a thread that dies says so, once', async (t) => {
  const { arena, place } = ring(20, 10, 1);
  const set = { file: { path, offset: 0, type: 'uint8', rowSize }, length: 20, batchSize: 10 } as const;
  const reader = new Reader(arena, place, { train: set }, new URL('./dying-reader.js', import.meta.url));
  const { i32 } = arena;
  const deadline = setTimeout(() => {}, 20_000);
  while (Atomics.load(i32, place.trouble) === 0) await Atomics.waitAsync(i32, place.bell, 0, 10).value;
  clearTimeout(deadline);
  t.is(readFeedTrouble(arena, place), 'LOCKSTEP_INTERNAL Expected the thread that reads rows ahead to live, but it ended with code 3; report this defect.');
  reportFeedTrouble(arena, place, 'LOCKSTEP_DATA another reason');
  t.regex(readFeedTrouble(arena, place)!, /^LOCKSTEP_INTERNAL/);
  await reader.end();
});
