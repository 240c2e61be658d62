/**
 * Room: tests of collectives. Who owns which shards: a pure function, checked for all small numbers of shards and ranks.
 */
import test from 'ava';
import fc from 'fast-check';
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

/** Numbers of shards and ranks, and up to five hosts, some of which own none. */
const parts = fc.integer({ min: 1, max: 24 }).chain((shards) =>
  fc.record({
    shards: fc.constant(shards),
    bounds: fc.array(fc.nat(shards), { minLength: 1, maxLength: 4 }).map((cuts) => [0, ...cuts.sort((a, b) => a - b), shards]),
    ranks: fc.integer({ min: 1, max: 4 }),
    topology: fc.constantFrom('star', 'mesh'),
  }),
);
type Parts = typeof parts extends fc.Arbitrary<infer T> ? T : never;

const plansOf = ({ shards, bounds, ranks, topology }: Parts): ShardPlan[] =>
  bounds.slice(1).map((_, host) => planShards(shards, ranks + (host % 2), { topology: topology as 'star' | 'mesh', host, bounds }));

test('all hosts agree on what is published, by whom, and who reduces', (t) => {
  fc.assert(
    fc.property(parts, (given) => {
      const plans = plansOf(given);
      const shared = plans.map(({ hosts }) => ({
        published: hosts!.published.map(({ place, ...root }) => root),
        owners: hosts!.owners,
        direct: hosts!.direct,
        hosts: hosts!.hosts,
      }));
      for (const [host, plan] of plans.entries()) {
        t.deepEqual(shared[host], shared[0]);
        t.is(plan.hosts!.host, host);
        t.deepEqual(
          plan.hosts!.own,
          plan.hosts!.published.filter((root) => root.host === host),
        );
      }
      let next = 0;
      for (const { start, end, host } of shared[0]!.published) {
        t.is(start, next);
        t.true(given.bounds[host]! <= start && end <= given.bounds[host + 1]!);
        next = end;
      }
      t.is(next, given.shards);
    }),
  );
});

test('ranks of a host share its shards, and those of a host without any own none', (t) => {
  fc.assert(
    fc.property(parts, (given) => {
      for (const [host, { ranks }] of plansOf(given).entries()) {
        let next = given.bounds[host]!;
        for (const { first, count } of ranks) {
          t.is(first, next);
          next += count;
        }
        t.is(next, given.bounds[host + 1]!);
      }
    }),
  );
});

/** What the place of every published subtree holds on each host, as text; sums with their sides in order, as they commute. */
function exchanged(given: Parts): (string | undefined)[] {
  const sum = (a: string, b: string): string => `(${[a, b].sort().join('+')})`;
  const plans = plansOf(given);
  const sent = plans.flatMap(({ ranks, merges, hosts }) => {
    const places = ranks.flatMap(({ first, roots, steps, buffers }) => {
      const held: string[] = Array.from({ length: buffers });
      for (const step of steps) held[step.buffer] = step.kind === 'leaf' ? String(first + step.shard) : sum(held[step.buffer]!, held[step.from]!);
      return held.slice(0, roots.length);
    });
    for (const { into, from } of merges) places[into] = sum(places[into]!, places[from]!);
    return hosts!.own.map(({ place }) => places[place]!);
  });
  return plans.map(({ hosts }) => {
    const held = [...sent];
    for (const { into, from } of hosts!.merges) held[into] = sum(held[into]!, held[from]!);
    return held[
      Math.max(
        0,
        hosts!.published.findIndex((root) => root.host === hosts!.host),
      )
    ];
  });
}

test("every host's merges give the whole sum in the place of its own first subtree, by the same additions", (t) => {
  fc.assert(
    fc.property(parts, (given) => {
      const [expected] = exchanged({ ...given, bounds: [0, given.shards] });
      for (const whole of exchanged(given)) t.is(whole, expected);
    }),
  );
});

test('a star reduces at the coordinator, a mesh wherever something is computed, two hosts each everything', (t) => {
  const ownersOf = (topology: 'star' | 'mesh', bounds: readonly number[]) => {
    const { owners, direct } = planShards(bounds.at(-1)!, 1, { topology, host: 0, bounds }).hosts!;
    return { owners, direct };
  };
  t.deepEqual(ownersOf('star', [0, 2, 5]), { owners: [0], direct: false });
  t.deepEqual(ownersOf('star', [0, 0, 3, 5]), { owners: [0], direct: false });
  t.deepEqual(ownersOf('mesh', [0, 2, 5]), { owners: [0, 1], direct: true });
  t.deepEqual(ownersOf('mesh', [0, 0, 5]), { owners: [1], direct: false });
  t.deepEqual(ownersOf('mesh', [0, 5, 5]), { owners: [0], direct: false });
  t.deepEqual(ownersOf('mesh', [0, 0, 3, 5]), { owners: [1, 2], direct: false });
  t.deepEqual(ownersOf('mesh', [0, 1, 1, 2, 5]), { owners: [0, 2, 3], direct: false });
});
