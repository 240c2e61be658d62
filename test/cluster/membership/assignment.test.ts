/**
 * Room: tests of the cluster's membership. Which host computes which shards: examples by hand, and every promise against a
 * search through all assignments of small cases.
 */
import test from 'ava';
import fc from 'fast-check';
import { assignShards, countSubtrees, type HostPower, stepLength, withUnknownSpeeds } from '../../../cluster/membership/assignment.ts';
import { LockstepError } from '../../../src/errors.ts';
import { maximalSubtrees } from '../../../src/numerics/tree.ts';

const equal = (...workers: number[]): HostPower[] => workers.map((count) => ({ workers: count, speed: 1 }));

const anyHost = fc.record({ workers: fc.integer({ min: 0, max: 4 }), speed: fc.constantFrom(1, 1, 1.1, 1.5, 2, 3, 7.25, 0.5, 0.01) });
const anyHosts = (maxLength: number) => fc.array(anyHost, { minLength: 1, maxLength }).filter((hosts) => hosts.some(({ workers }) => workers > 0));

/** All non-descending boundaries from 0 to `shards`, in lexicographic order. */
function everyAssignment(shards: number, hosts: number): number[][] {
  let found = [[0]];
  for (let i = 1; i < hosts; i++) found = found.flatMap((cuts) => Array.from({ length: shards - cuts.at(-1)! + 1 }, (_, n) => [...cuts, cuts.at(-1)! + n]));
  return found.map((cuts) => [...cuts, shards]);
}

const owned = (boundaries: readonly number[]): number[] => boundaries.slice(1).map((end, i) => end - boundaries[i]!);
const published = (shards: number, boundaries: readonly number[]): number =>
  owned(boundaries).reduce((sum, n, i) => sum + (n > 0 ? maximalSubtrees(shards, boundaries[i]!, boundaries[i + 1]!).length : 0), 0);
const skew = (boundaries: readonly number[], hosts: readonly HostPower[]): number =>
  owned(boundaries).reduce((sum, n, i) => sum + (n === 0 ? 0 : n ** 2 / (hosts[i]!.workers * hosts[i]!.speed)), 0);

test('examples', (t) => {
  const cases: [number, HostPower[], number[]][] = [
    [8, equal(2, 2), [0, 4, 8]],
    [4, equal(1, 2, 1), [0, 1, 3, 4]],
    [7, equal(3), [0, 7]],
    [3, equal(1, 1), [0, 2, 3]],
    [4, equal(0, 2, 2), [0, 0, 2, 4]],
    [4, equal(2, 0, 2), [0, 2, 2, 4]],
    [1, equal(1, 1), [0, 0, 1]],
    [
      12,
      [
        { workers: 1, speed: 2 },
        { workers: 1, speed: 1 },
      ],
      [0, 8, 12],
    ],
    [64, equal(64, 64, 64), [0, 16, 32, 64]],
    // 6 and 4 would be in proportion; 8 and 2 would be 33 % longer for the sake of a subtree.
    [
      10,
      [
        { workers: 1, speed: 3 },
        { workers: 1, speed: 2 },
      ],
      [0, 6, 10],
    ],
    // 51 and 49 are in proportion and publish 4 + 4 subtrees; 52 and 48 cost 2 % and publish 3 + 3.
    [
      100,
      [
        { workers: 1, speed: 51 },
        { workers: 1, speed: 49 },
      ],
      [0, 52, 100],
    ],
  ];
  for (const [shards, hosts, expected] of cases) t.deepEqual(assignShards(shards, hosts), expected, JSON.stringify([shards, hosts]));
});

test('equal speeds and as many shards as workers: one shard a worker', (t) => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 20 }), fc.constantFrom(1, 0.3, 12345.678), (workers, speed) => {
      const shards = workers.reduce((sum, count) => sum + count, 0);
      if (shards > 0)
        t.deepEqual(
          owned(
            assignShards(
              shards,
              workers.map((count) => ({ workers: count, speed })),
            ),
          ),
          workers,
        );
    }),
  );
  t.pass();
});

test('a slow host keeps a shard so that it is measured again, an absurdly slow one does not', (t) => {
  const fast = { workers: 1, speed: 1 };
  t.deepEqual(assignShards(4, [fast, { workers: 1, speed: 0.125 }]), [0, 3, 4], 'one shard takes 8, twice the 4 of the fast host alone');
  t.deepEqual(assignShards(4, [fast, { workers: 1, speed: 0.124 }]), [0, 4, 4]);
});

test('the number of subtrees is counted without making them', (t) => {
  for (let shards = 1; shards <= 40; shards++) {
    for (let a = 0; a <= shards; a++) {
      for (let b = a; b <= shards; b++) t.is(countSubtrees(shards, a, b), maximalSubtrees(shards, a, b).length, `[${a}, ${b}) of ${shards}`);
    }
  }
});

test('shards are covered once, in order, by hosts with workers, and always in the same way', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), anyHosts(9), (shards, hosts) => {
      const boundaries = assignShards(shards, hosts);
      t.is(boundaries.length, hosts.length + 1);
      t.is(boundaries[0], 0);
      t.is(boundaries.at(-1), shards);
      for (const [i, n] of owned(boundaries).entries()) t.true(n >= 0 && (n === 0 || hosts[i]!.workers > 0));
      t.deepEqual(assignShards(shards, hosts), boundaries);
    }),
  );
});

test('no assignment is over 5 % shorter, and none within the 5 % has fewer subtrees or more balance', (t) => {
  const small = fc.integer({ min: 1, max: 12 });
  fc.assert(
    fc.property(small, anyHosts(4), (shards, hosts) => {
      const possible = everyAssignment(shards, hosts.length).filter((cuts) => owned(cuts).every((n, i) => n === 0 || hosts[i]!.workers > 0));
      const free = Math.min(...possible.map((cuts) => stepLength(cuts, hosts)));
      const useful = hosts.map(({ workers, speed }) => workers > 0 && 1 / speed <= 2 * free);
      const least = useful.filter(Boolean).length <= shards ? 1 : 0;
      const fair = possible.filter((cuts) => owned(cuts).every((n, i) => (useful[i]! ? n >= least : n === 0)));
      const best = Math.min(...fair.map((cuts) => stepLength(cuts, hosts)));
      const good = fair.filter((cuts) => stepLength(cuts, hosts) <= best * 1.05);
      const fewest = Math.min(...good.map((cuts) => published(shards, cuts)));
      const aligned = good.filter((cuts) => published(shards, cuts) === fewest);
      const flattest = Math.min(...aligned.map((cuts) => skew(cuts, hosts)));
      const chosen = assignShards(shards, hosts);
      const balanced = aligned.filter((cuts) => skew(cuts, hosts) <= flattest * (1 + 1e-12));
      t.true(
        balanced.some((cuts) => String(cuts) === String(chosen)),
        `${JSON.stringify(hosts)}: ${chosen}, not ${balanced[0]}`,
      );
      // Of equally good ones the first, wherever sums of squares have no rounding.
      if (hosts.every(({ speed, workers }) => speed === 1 && [0, 1, 2, 4, 8].includes(workers))) t.deepEqual(chosen, balanced[0]);
    }),
    { numRuns: 300 },
  );
});

test('never over 5 % longer than rounding proportions', (t) => {
  const alike = fc.array(fc.record({ workers: fc.integer({ min: 1, max: 16 }), speed: fc.double({ min: 1, max: 4, noNaN: true }) }), { minLength: 1, maxLength: 24 });
  fc.assert(
    fc.property(fc.integer({ min: 24, max: 600 }), alike, (shards, hosts) => {
      let power = 0;
      const sums = hosts.map(({ workers, speed }) => (power += workers * speed));
      const rounded = [0, ...sums.map((sum) => Math.round((shards * sum) / power))];
      // Rounding may leave a host without a shard, which shortens the step only if that host is slow.
      const slowest = Math.max(...hosts.map(({ speed }) => 1 / speed));
      t.true(stepLength(assignShards(shards, hosts), hosts) <= 1.05 * Math.max(slowest, stepLength(rounded, hosts)));
    }),
  );
});

test('one host more, or a faster one, never makes a step over 5 % longer', (t) => {
  const alike = fc.array(fc.record({ workers: fc.integer({ min: 1, max: 8 }), speed: fc.integer({ min: 4, max: 7 }) }), { minLength: 2, maxLength: 8 });
  fc.assert(
    fc.property(fc.integer({ min: 64, max: 300 }), alike, (shards, hosts) => {
      const length = (some: HostPower[]): number => stepLength(assignShards(shards, some), some);
      t.true(length(hosts) <= 1.05 * length(hosts.slice(1)));
      t.true(length([{ ...hosts[0]!, speed: hosts[0]!.speed * 2 }, ...hosts.slice(1)]) <= 1.05 * length(hosts));
    }),
  );
});

test('4096 shards on 64 hosts are assigned within the slack', (t) => {
  const hosts = Array.from({ length: 64 }, (_, i) => ({ workers: 1 + (i % 5), speed: 1000 + 37 * (i % 11) }));
  const boundaries = assignShards(4096, hosts);
  const ideal = 4096 / hosts.reduce((sum, { workers, speed }) => sum + workers * speed, 0);
  t.true(owned(boundaries).every((n) => n >= 1));
  t.true(stepLength(boundaries, hosts) <= 1.12 * ideal, 'a whole round of about 21 is 5 %');
  t.true(published(4096, boundaries) <= 3 * 64);
});

test('unmeasured speeds are the mean of the measured ones, or all 1', (t) => {
  const speeds = (...given: number[]): number[] => withUnknownSpeeds(given.map((speed) => ({ workers: 1, speed }))).map(({ speed }) => speed);
  t.deepEqual(speeds(0, 0), [1, 1]);
  t.deepEqual(speeds(2, 0, 4), [2, 3, 4]);
  t.deepEqual(
    withUnknownSpeeds([
      { workers: 0, speed: 0, name: 'a' },
      { workers: 1, speed: 5, name: 'b' },
    ]),
    [
      { workers: 0, speed: 5, name: 'a' },
      { workers: 1, speed: 5, name: 'b' },
    ],
  );
});

test('what cannot be assigned is a defect of the caller', (t) => {
  const refused: [number, HostPower[]][] = [
    [0, equal(1)],
    [1.5, equal(1)],
    [4, []],
    [4, equal(0, 0)],
    [4, [{ workers: 1, speed: 0 }]],
    [4, [{ workers: 1, speed: Number.NaN }]],
    [4, equal(-1, 2)],
  ];
  for (const [shards, hosts] of refused) {
    const error = t.throws(() => assignShards(shards, hosts), { instanceOf: LockstepError });
    t.is(error.code, 'LOCKSTEP_INTERNAL');
    t.true(error.message.startsWith(`Expected shards >= 1 and hosts with workers and positive speeds, got ${shards} shards and [`));
  }
});
