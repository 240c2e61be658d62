import test from 'ava';
import fc from 'fast-check';
import { batchRows, shardRows, shardStart, stepsPerEpoch } from '../../src/data/sampler.ts';

test('the first shards take the rows that do not divide', (t) => {
  // 10 rows over 4 shards: 3 + 3 + 2 + 2
  t.deepEqual(
    [0, 1, 2, 3, 4].map((shard) => shardStart(10, 4, shard)),
    [0, 3, 6, 8, 10],
  );
  t.deepEqual(
    [0, 1, 2, 3].map((shard) => shardRows(10, 4, shard)),
    [3, 3, 2, 2],
  );
});

test('a batch smaller than its shards leaves the last shards empty', (t) => {
  t.deepEqual(
    [0, 1, 2].map((shard) => shardRows(2, 3, shard)),
    [1, 1, 0],
  );
});

test('shards are contiguous, cover the batch once and differ by at most one row', (t) => {
  fc.assert(
    fc.property(fc.nat(100_000), fc.integer({ min: 1, max: 200 }), (rows, shards) => {
      const sizes = Array.from({ length: shards }, (_, shard) => shardRows(rows, shards, shard));
      const sum = sizes.reduce((a, b) => a + b, 0);
      const descending = sizes.every((size, shard) => shard === 0 || size <= sizes[shard - 1]!);
      return shardStart(rows, shards, 0) === 0 && shardStart(rows, shards, shards) === rows && sum === rows && descending && sizes[0]! - sizes.at(-1)! <= 1;
    }),
  );
  t.pass();
});

test('an epoch of 1,003 rows in batches of 64 has 16 steps, the last of 43 rows', (t) => {
  t.is(stepsPerEpoch(1003, 64, false), 16);
  t.is(stepsPerEpoch(1003, 64, true), 15);
  t.is(batchRows(1003, 64, 0), 64);
  t.is(batchRows(1003, 64, 15), 43);
});

test('the batches of an epoch hold every row once', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10_000 }), fc.integer({ min: 1, max: 500 }), (length, batchSize) => {
      const steps = stepsPerEpoch(length, batchSize, false);
      let rows = 0;
      for (let step = 0; step < steps; step++) rows += batchRows(length, batchSize, step);
      return rows === length && batchRows(length, batchSize, steps - 1) > 0;
    }),
  );
  t.pass();
});

test('without the remainder every batch is full', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10_000 }), fc.integer({ min: 1, max: 500 }), (length, batchSize) => {
      const steps = stepsPerEpoch(length, batchSize, true);
      return steps === 0 ? length < batchSize : batchRows(length, batchSize, steps - 1) === batchSize;
    }),
  );
  t.pass();
});
