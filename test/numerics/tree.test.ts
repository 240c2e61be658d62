/**
 * Room: tests of numerics. The shard tree, checked symbolically: leaves are their numbers, a sum is "(left+right)", and every
 * way to compute it must spell the same text, which is to say the same association and so the same bits.
 */
import test from 'ava';
import fc from 'fast-check';
import { leafProgram, leftLeaves, maximalSubtrees, mergeProgram, type Subtree } from '../../src/numerics/tree.ts';

/** The tree over leaves [start, end) by its definition: the left part is the largest power of two below the whole. */
function spelt(start: number, end: number): string {
  if (end - start === 1) return String(start);
  let left = 1;
  while (left * 2 < end - start) left *= 2;
  return `(${spelt(start, start + left)}+${spelt(start + left, end)})`;
}

/** All nodes of the tree over n leaves. */
function nodes(start: number, end: number): Subtree[] {
  if (end - start === 1) return [{ start, end }];
  const middle = start + leftLeaves(end - start);
  return [{ start, end }, ...nodes(start, middle), ...nodes(middle, end)];
}

/** A number of shards, and where contiguous runs of them, some empty, end. */
const partitions = fc.integer({ min: 1, max: 70 }).chain((shards) =>
  fc.record({
    shards: fc.constant(shards),
    cuts: fc.array(fc.integer({ min: 0, max: shards }), { maxLength: 9 }).map((cuts) => [0, ...cuts.sort((a, b) => a - b), shards]),
  }),
);

const runs = (cuts: readonly number[]): (readonly [number, number])[] => cuts.slice(1).map((end, i) => [cuts[i]!, end] as const);

/** What the places hold after the merges, from what they held before. */
function merged(shards: number, held: readonly Subtree[]): string[] {
  const places = held.map(({ start, end }) => spelt(start, end));
  for (const { into, from } of mergeProgram(shards, held)) places[into] = `(${places[into]}+${places[from]})`;
  return places;
}

test('the left subtree takes the largest power of two below n', (t) => {
  t.deepEqual([2, 3, 4, 5, 6, 7, 8, 9, 16, 17, 1000].map(leftLeaves), [1, 2, 2, 4, 4, 4, 4, 8, 8, 16, 512]);
  t.is(leftLeaves(2 ** 30 + 1), 2 ** 30);
});

test('the trees of few shards are those written here', (t) => {
  const whole = (shards: number): string | undefined =>
    merged(
      shards,
      Array.from({ length: shards }, (_, i) => ({ start: i, end: i + 1 })),
    )[0];
  t.is(whole(1), '0');
  t.is(whole(2), '(0+1)');
  t.is(whole(3), '((0+1)+2)');
  t.is(whole(5), '(((0+1)+(2+3))+4)');
  t.is(whole(7), '(((0+1)+(2+3))+((4+5)+6))');
});

test('maximal subtrees cover their shards once, from left to right, and are nodes of the tree', (t) => {
  fc.assert(
    fc.property(partitions, ({ shards, cuts }) => {
      const known = new Set(nodes(0, shards).map(({ start, end }) => `${start}:${end}`));
      for (const [a, b] of runs(cuts)) {
        let next = a;
        for (const { start, end } of maximalSubtrees(shards, a, b)) {
          if (start !== next || end <= start || !known.has(`${start}:${end}`)) return false;
          next = end;
        }
        if (a < b && next !== b) return false;
      }
      return true;
    }),
  );
  t.pass();
});

test('no larger node lies inside the shards of a maximal subtree', (t) => {
  fc.assert(
    fc.property(partitions, ({ shards, cuts }) =>
      runs(cuts).every(([a, b]) =>
        maximalSubtrees(shards, a, b).every(
          ({ start, end }) =>
            !nodes(0, shards).some((node) => a <= node.start && node.end <= b && node.start <= start && end <= node.end && node.end - node.start > end - start),
        ),
      ),
    ),
  );
  t.pass();
});

test('no shards have no subtrees, and all shards have one', (t) => {
  for (const shards of [1, 2, 7, 64]) {
    for (let a = 0; a <= shards; a++) t.deepEqual(maximalSubtrees(shards, a, a), []);
    t.deepEqual(maximalSubtrees(shards, 0, shards), [{ start: 0, end: shards }]);
  }
});

test('merging what any partition into ranks publishes gives exactly the tree', (t) => {
  fc.assert(
    fc.property(
      partitions,
      ({ shards, cuts }) =>
        merged(
          shards,
          runs(cuts).flatMap(([a, b]) => maximalSubtrees(shards, a, b)),
        )[0] === spelt(0, shards),
    ),
    { numRuns: 500 },
  );
  t.pass();
});

test('merging the leaves of one rank gives its maximal subtrees, each in the place of its leftmost leaf', (t) => {
  fc.assert(
    fc.property(partitions, ({ shards, cuts }) =>
      runs(cuts).every(([a, b]) => {
        const places = merged(
          shards,
          Array.from({ length: b - a }, (_, i) => ({ start: a + i, end: a + i + 1 })),
        );
        return maximalSubtrees(shards, a, b).every(({ start, end }) => places[start - a] === spelt(start, end));
      }),
    ),
  );
  t.pass();
});

test('merges of shards with a gap leave the gap open', (t) => {
  t.deepEqual(
    mergeProgram(4, [
      { start: 0, end: 1 },
      { start: 2, end: 3 },
      { start: 3, end: 4 },
    ]),
    [{ into: 1, from: 2 }],
  );
  t.deepEqual(mergeProgram(4, []), []);
});

test('a leaf program spells every root, with few buffers', (t) => {
  fc.assert(
    fc.property(partitions, ({ shards, cuts }) =>
      runs(cuts).every(([a, b]) => {
        const roots = maximalSubtrees(shards, a, b);
        const { steps, buffers } = leafProgram(roots);
        const held: (string | undefined)[] = Array.from({ length: buffers });
        const leaves: number[] = [];
        for (const step of steps) {
          if (step.kind === 'leaf') leaves.push(step.shard);
          held[step.buffer] = step.kind === 'leaf' ? String(step.shard) : `(${held[step.buffer]}+${held[step.from]})`;
        }
        const largest = Math.max(1, ...roots.map(({ start, end }) => end - start));
        return (
          roots.every(({ start, end }, i) => held[i] === spelt(start, end)) &&
          leaves.join() === Array.from({ length: b - a }, (_, i) => a + i).join() &&
          buffers >= roots.length &&
          buffers - roots.length <= Math.floor(Math.log2(largest))
        );
      }),
    ),
    { numRuns: 500 },
  );
  t.pass();
});

test('a leaf program never reads a buffer before it is written', (t) => {
  fc.assert(
    fc.property(partitions, ({ shards, cuts }) =>
      runs(cuts).every(([a, b]) => {
        const written = new Set<number>();
        return leafProgram(maximalSubtrees(shards, a, b)).steps.every((step) => {
          const ready = step.kind === 'leaf' || (written.has(step.buffer) && written.delete(step.from));
          written.add(step.buffer);
          return ready;
        });
      }),
    ),
  );
  t.pass();
});

/** The text with the two sides of every sum in order: what commutes is spelt the same. */
function sorted(text: string): string {
  const parse = (at: number): [spelt: string, end: number] => {
    if (text[at] !== '(') {
      const number = /^\d+/.exec(text.slice(at))![0];
      return [number, at + number.length];
    }
    const [left, plus] = parse(at + 1);
    const [right, end] = parse(plus + 1);
    return [`(${[left, right].sort().join('+')})`, end + 1];
  };
  return parse(0)[0];
}

test('the whole sum ends in any place that is kept, by the same additions, one way round or the other', (t) => {
  fc.assert(
    fc.property(partitions, fc.nat(), ({ shards, cuts }, pick) => {
      const held = runs(cuts).flatMap(([a, b]) => maximalSubtrees(shards, a, b));
      const keep = pick % held.length;
      const places = held.map(({ start, end }) => spelt(start, end));
      for (const { into, from } of mergeProgram(shards, held, keep)) places[into] = `(${places[into]}+${places[from]})`;
      t.is(sorted(places[keep]!), sorted(spelt(0, shards)));
    }),
    { numRuns: 300 },
  );
  t.is(sorted('((3+(1+0))+2)'), '(((0+1)+3)+2)');
});

test('without a place to keep, or with the first, merges are those from left to right', (t) => {
  fc.assert(
    fc.property(partitions, ({ shards, cuts }) => {
      const held = runs(cuts).flatMap(([a, b]) => maximalSubtrees(shards, a, b));
      t.deepEqual(mergeProgram(shards, held, 0), mergeProgram(shards, held));
      t.true(mergeProgram(shards, held).every(({ into, from }) => into < from));
    }),
  );
});
