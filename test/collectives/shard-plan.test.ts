/**
 * Room: tests of collectives. Who owns which shards: a pure function, checked for all small numbers of shards and ranks.
 */
import test from 'ava';
import { planShards, type ShardPlan } from '../../src/collectives/shard-plan.ts';

const plans: readonly ShardPlan[] = Array.from({ length: 40 }, (_, s) => Array.from({ length: 9 }, (_unused, r) => planShards(s + 1, r + 1))).flat();

const named = ({ shards, ranks }: ShardPlan): string => `${shards} shards on ${ranks.length} ranks`;

test('every shard is owned once, in order, and shares differ by at most one', (t) => {
  for (const plan of plans) {
    let next = 0;
    for (const { first, count } of plan.ranks) {
      t.is(first, next, named(plan));
      next += count;
    }
    t.is(next, plan.shards, named(plan));
    const counts = plan.ranks.map(({ count }) => count);
    t.true(Math.max(...counts) - Math.min(...counts) <= 1, named(plan));
  }
});

test('ranks beyond the number of shards own none and publish none', (t) => {
  const plan = planShards(2, 5);
  t.is(plan.ranks.filter(({ count }) => count === 1).length, 2);
  for (const { count, roots, steps, buffers } of plan.ranks) {
    if (count === 0) t.deepEqual([roots, steps, buffers], [[], [], 0]);
  }
  t.is(plan.published.length, 2);
});

test('what ranks publish is theirs, in shard order, and covers all shards', (t) => {
  for (const plan of plans) {
    let next = 0;
    let place = 0;
    for (const { first, count, roots, firstPlace } of plan.ranks) {
      t.is(firstPlace, place, named(plan));
      for (const root of roots) {
        t.deepEqual(plan.published[place++], root);
        t.is(root.start, next);
        t.true(root.start >= first && root.end <= first + count);
        next = root.end;
      }
    }
    t.is(next, plan.shards, named(plan));
    t.is(plan.published.length, place);
  }
});

/** What is in place 0 at the end, spelt as a sum, when every rank runs its steps and then the merges are run. */
function spelt({ ranks, merges }: ShardPlan): string | undefined {
  const published = ranks.flatMap(({ first, roots, steps, buffers }) => {
    const held: string[] = Array.from({ length: buffers });
    for (const step of steps) held[step.buffer] = step.kind === 'leaf' ? String(first + step.shard) : `(${held[step.buffer]}+${held[step.from]})`;
    return held.slice(0, roots.length);
  });
  for (const { into, from } of merges) published[into] = `(${published[into]}+${published[from]})`;
  return published[0];
}

test('the whole sum is the same text for every number of ranks', (t) => {
  for (const plan of plans) t.is(spelt(plan), spelt(planShards(plan.shards, 1)), named(plan));
  t.is(spelt(planShards(7, 3)), '(((0+1)+(2+3))+((4+5)+6))');
});

test("steps count shards from the rank's first", (t) => {
  for (const plan of plans) {
    for (const { count, steps } of plan.ranks) {
      const leaves = steps.flatMap((step) => (step.kind === 'leaf' ? [step.shard] : []));
      t.deepEqual(
        leaves,
        Array.from({ length: count }, (_, i) => i),
        named(plan),
      );
    }
  }
});
