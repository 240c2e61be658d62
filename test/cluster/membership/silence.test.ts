/**
 * Room: tests of the cluster's membership. Who is silent, how long a step may take, and the sentence that explains it.
 */
import test from 'ava';
import fc from 'fast-check';
import { explainSilence, type HostSigns, type RankPlace, silentHosts, stepDeadline } from '../../../cluster/membership/silence.ts';
import { phaseIndex } from '../../../src/telemetry/timing.ts';

const start = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const layers = ['flatten', 'dense'];
const place = (step: number, phase: keyof typeof phaseIndex, layer = -1): RankPlace => ({ step, phase: phaseIndex[phase], layer });
const host = (change: Partial<HostSigns>): HostSigns => ({
  name: 'b',
  first: 4,
  end: 8,
  heartbeatAt: start,
  progressAt: start - 400,
  ranks: [place(12, 'forward', 1), place(12, 'wait')],
  ...change,
});

test('a host is silent when its last heartbeat is longer ago than the timeout', (t) => {
  const hosts = [host({ name: 'a', heartbeatAt: start - 5000 }), host({ name: 'b', heartbeatAt: start - 5001 }), host({ name: 'c', heartbeatAt: start + 60_000 })];
  t.deepEqual(silentHosts(start, 5000, hosts), [hosts[1]!]);
  t.deepEqual(silentHosts(start, 5001, hosts), []);
  t.deepEqual(silentHosts(start, 5000, []), []);
});

test('an explanation names host, ranks, shards, last signs and places', (t) => {
  t.is(
    explainSilence(start + 6200, 'went silent', host({}), layers),
    'Host b (ranks 0-1, shards 4-7) went silent: last heartbeat at 2026-01-02T03:04:05.678Z (6.2 s ago), last progress at 2026-01-02T03:04:05.278Z (6.6 s ago): rank 0 in step 12, phase forward, layer dense; rank 1 in step 12, phase wait.',
  );
});

test('a host without ranks, with one, and from a clock ahead', (t) => {
  const explained = (change: Partial<HostSigns>): string => explainSilence(start, 'is stuck', host({ progressAt: start + 1, ...change }), layers);
  const signs = 'is stuck: last heartbeat at 2026-01-02T03:04:05.678Z (0.0 s ago), last progress at 2026-01-02T03:04:05.679Z (0.0 s ago)';
  t.is(explained({ ranks: [], end: 4 }), `Host b (no ranks, no shards) ${signs}.`);
  t.is(explained({ ranks: [place(0, 'data')], end: 5 }), `Host b (rank 0, shard 4) ${signs}: rank 0 before its first step, phase data.`);
  t.is(explained({ ranks: [place(-1, 'forward', 0)], end: 5 }), `Host b (rank 0, shard 4) ${signs}: rank 0 in an evaluation, phase forward, layer ${layers[0]}.`);
  t.is(explained({ ranks: [{ step: 3, phase: 99, layer: 42 }] }), `Host b (rank 0, shards 4-7) ${signs}: rank 0 in step 3, phase 99, layer 42.`);
});

test('ranks at one place are told together, those who keep others waiting first, and no more than four places', (t) => {
  const where = (ranks: RankPlace[]): string => explainSilence(start, 'is stuck', host({ ranks }), layers).split(' ago): ')[1]!;
  const wait = place(9, 'wait');
  t.is(where([wait, wait, wait, place(9, 'backward', 0), wait]), 'rank 3 in step 9, phase backward, layer flatten; ranks 0-2, 4 in step 9, phase wait.');
  t.is(where([place(9, 'data'), place(8, 'wait')]), 'rank 1 in step 8, phase wait; rank 0 in step 9, phase data.');
  const spread = Array.from({ length: 4096 }, (_, i) => place(i, 'loss'));
  t.is(where(spread).split('; ').length, 5);
  t.true(where(spread).endsWith('rank 3 in step 3, phase loss; others at 4092 more places.'));
});

test('a step may take 8 times the median, at least 10 s, and 120 s before any was measured', (t) => {
  t.is(stepDeadline([]), 120);
  t.is(stepDeadline([0.1, 0.2, 0.3]), 10);
  t.is(stepDeadline([9, 2, 3]), 24);
  t.is(stepDeadline([4, 2]), 24);
  t.is(stepDeadline([2, 2, 2, 1000]), 16);
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1 }), (seconds) => {
      const deadline = stepDeadline(seconds);
      return deadline >= 10 && deadline <= Math.max(10, 8 * Math.max(...seconds)) && deadline === stepDeadline(seconds.toReversed());
    }),
  );
});
