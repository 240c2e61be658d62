/**
 * Room: tests of numerics. The blocks of the canonical norm and their shares.
 */
import test from 'ava';
import fc from 'fast-check';
import { blockLength, blockShare, cutBlocks } from '../../src/numerics/norm.ts';

const sizes = fc.array(fc.oneof(fc.integer({ min: 0, max: 10 }), fc.integer({ min: 0, max: 60_000 })), { maxLength: 20 });

test('a block is 4,096 elements', (t) => {
  t.is(blockLength, 4096);
});

test('blocks start anew at every tensor, and the last one of a tensor is shorter', (t) => {
  const { count, tensor, start, length } = cutBlocks([4096, 1, 0, 8193]);
  t.is(count, 5);
  t.deepEqual([...tensor], [0, 1, 3, 3, 3]);
  t.deepEqual([...start], [0, 0, 0, 4096, 8192]);
  t.deepEqual([...length], [4096, 1, 4096, 4096, 1]);
});

test('blocks cover every tensor once, in order', (t) => {
  fc.assert(
    fc.property(sizes, (tensors) => {
      const { count, tensor, start, length } = cutBlocks(tensors);
      const covered = tensors.map(() => 0);
      for (let i = 0; i < count; i++) {
        if (length[i]! < 1 || length[i]! > blockLength || start[i] !== covered[tensor[i]!]) return false;
        if (i > 0 && tensor[i]! < tensor[i - 1]!) return false;
        covered[tensor[i]!]! += length[i]!;
      }
      return covered.join() === tensors.join();
    }),
  );
  t.pass();
});

test('shares of the blocks are contiguous and cover them once, for any number of ranks', (t) => {
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 40 }), (tensors, ranks) => {
      const blocks = cutBlocks(tensors);
      let next = 0;
      for (let rank = 0; rank < ranks; rank++) {
        const [from, to] = blockShare(blocks, rank, ranks);
        if (from !== next || to < from) return false;
        next = to;
      }
      return next === blocks.count;
    }),
  );
  t.pass();
});

test('a share has at most one block more than an equal part of the elements', (t) => {
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 9 }), (tensors, ranks) => {
      const blocks = cutBlocks(tensors);
      const total = tensors.reduce((sum, size) => sum + size, 0);
      return Array.from({ length: ranks }, (_, rank) => blockShare(blocks, rank, ranks)).every(
        ([from, to]) => blocks.length.subarray(from, to).reduce((sum, length) => sum + length, 0) <= total / ranks + blockLength,
      );
    }),
  );
  t.pass();
});

test('the shares of the network of DESIGN 11 are those written here', (t) => {
  // gamma and beta of 784, kernel and bias of 784 x 300, and so on; the 58 blocks of the first kernel are most of all.
  const blocks = cutBlocks([784, 784, 784 * 300, 300, 300, 300, 300 * 100, 100, 100, 100, 100 * 10, 10]);
  t.is(blocks.count, 76);
  t.deepEqual(
    [0, 1].map((rank) => blockShare(blocks, rank, 2)),
    [
      [0, 34],
      [34, 76],
    ],
  );
});

test('shares of a run of blocks are contiguous, cover it once, and are those of its blocks alone', (t) => {
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 9 }), fc.nat(), fc.nat(), (tensors, ranks, a, b) => {
      const blocks = cutBlocks(tensors);
      const [first, end] = [a % (blocks.count + 1), b % (blocks.count + 1)].sort((x, y) => x - y) as [number, number];
      const shares = Array.from({ length: ranks }, (_, rank) => blockShare(blocks, rank, ranks, first, end));
      t.is(shares[0]![0], first);
      t.is(shares.at(-1)![1], end);
      for (let rank = 1; rank < ranks; rank++) t.is(shares[rank]![0], shares[rank - 1]![1]);
      const alone = { count: end - first, tensor: blocks.tensor.slice(first, end), start: blocks.start.slice(first, end), length: blocks.length.slice(first, end) };
      t.deepEqual(
        shares.map(([from, to]) => [from - first, to - first]),
        Array.from({ length: ranks }, (_, rank) => [...blockShare(alone, rank, ranks)]),
      );
    }),
  );
});
