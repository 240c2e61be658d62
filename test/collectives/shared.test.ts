/**
 * Room: tests of collectives. Reductions between real threads: every rank holds the same bits, whatever the number of ranks.
 */
import test from 'ava';
import { planShards } from '../../src/collectives/shard-plan.ts';
import { SharedSync } from '../../src/collectives/shared.ts';
import { blockNumber } from './thread.ts';
import { controlArena, inThreads } from './threads.ts';

const positions = 3;
const rounds = 40;

/** The results of all rounds on all ranks: [rank][2 x round + (0 sums, 1 moments)]. */
async function reduce(shardRows: readonly number[], channels: number, ranks: number): Promise<readonly (readonly Float64Array[])[]> {
  const blockBytes = 16 * channels;
  const shards = shardRows.length;
  const privateBytes = blockBytes * planShards(shards, ranks).published.length;
  const { arena, address, room } = controlArena(blockBytes * shards + privateBytes * ranks);
  const results = Array.from({ length: ranks }, (_, rank) => room + blockBytes * shards + privateBytes * rank);
  const work = { kind: 'reduce', control: address, parties: ranks, spins: ranks > 2 ? 0 : 1000, rounds, shardRows, blocks: room, results, channels, positions } as const;
  return (await inThreads(arena, ranks, work)).map((outcome) => (outcome.kind === 'reduced' ? outcome.results : []));
}

for (const shardRows of [[4], [3, 2], [2, 2, 1], [1, 1, 0, 0, 0], [3, 3, 2, 2, 2, 2, 2], [0, 0, 0]]) {
  test.serial(`shards of ${shardRows.join(', ')} rows reduce to the same bits on every rank of 1, 2, 3, 5 and 8`, async (t) => {
    const channels = 5;
    const [alone] = await reduce(shardRows, channels, 1);
    t.is(alone?.length, 2 * rounds);
    for (const ranks of [2, 3, 5, 8]) {
      for (const [rank, results] of (await reduce(shardRows, channels, ranks)).entries()) t.deepEqual(results, alone, `rank ${rank} of ${ranks}`);
    }
  });
}

test.serial('sums and moments are those of all shards', async (t) => {
  const shardRows = [3, 1, 0, 2, 2];
  const counts = shardRows.map((rows) => rows * positions);
  const total = counts.reduce((sum, count) => sum + count, 0);
  const [[sums, moments] = []] = await reduce(shardRows, 2, 3);
  for (let c = 0; c < 2; c++) {
    const value = (shard: number, i: number): number => (counts[shard] === 0 ? 0 : blockNumber(0, shard, i));
    const over = (term: (shard: number) => number): number => counts.reduce((sum, _, shard) => sum + term(shard), 0);
    const close = (actual: number | undefined, expected: number): boolean =>
      t.true(Math.abs(actual! - expected) <= 1e-12 * Math.max(1, Math.abs(expected)), `${actual} for ${expected}`);
    close(
      sums?.[c],
      over((shard) => value(shard, c)),
    );
    close(
      sums?.[2 + c],
      over((shard) => Math.abs(value(shard, 2 + c))),
    );
    const mean = over((shard) => counts[shard]! * value(shard, c)) / total;
    close(moments?.[c], mean);
    close(
      moments?.[2 + c],
      over((shard) => Math.abs(value(shard, 2 + c)) + counts[shard]! * (value(shard, c) - mean) ** 2),
    );
  }
});

test('one rank alone meets once a reduction', (t) => {
  const { arena, room } = controlArena(16 * 3 * 2);
  let meetings = 0;
  const sync = new SharedSync(arena, { meet: () => void meetings++ }, planShards(3, 1), 0, Int32Array.of(1, 1, 1));
  const area = { index: 0, blocks: room, result: room + 48, channels: 1, positions: 1, isCounted: false };
  arena.f64.set([1, 10, 2, 20, 4, 40], room >>> 3);
  sync.mergeSums(area);
  t.deepEqual([...arena.f64.subarray(area.result >>> 3, (area.result >>> 3) + 2)], [7, 70]);
  t.is(meetings, 1);
});

test('moments that bring their count merge by it, whatever the rows, and give the count of all', (t) => {
  const { arena, room } = controlArena(32 * 5 * 2);
  const sync = new SharedSync(arena, { meet: () => {} }, planShards(4, 1), 0, Int32Array.of(9, 9, 9, 9));
  const area = { index: 0, blocks: room, result: room + 32 * 4, channels: 2, positions: 3, isCounted: true };
  // [mean, count, m2, unused]: values 1, 3; none; 5; 7, 8, 12.
  arena.f64.set([2, 2, 2, 0, 0, 0, 0, 0, 5, 1, 0, 0, 9, 3, 14, 0], room >>> 3);
  sync.mergeMoments(area);
  const [mean, count, m2] = arena.f64.subarray(area.result >>> 3);
  t.is(mean, 6);
  t.is(count, 6);
  t.true(Math.abs(m2! - 76) < 1e-12);
});

test('a reduction whose meeting throws, throws', (t) => {
  const { arena, room } = controlArena(64);
  const meet = (): never => {
    throw new Error('gone');
  };
  const sync = new SharedSync(arena, { meet }, planShards(1, 1), 0, Int32Array.of(1));
  t.throws(() => sync.mergeSums({ index: 0, blocks: room, result: room + 16, channels: 1, positions: 1, isCounted: false }), { message: 'gone' });
  t.throws(() => sync.mergeMoments({ index: 0, blocks: room, result: room + 16, channels: 1, positions: 1, isCounted: false }), { message: 'gone' });
});
