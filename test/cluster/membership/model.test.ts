/**
 * Room: tests of the cluster's membership. The state machine under random events: what must hold whatever happens.
 */
import test from 'ava';
import fc from 'fast-check';
import { transition } from '../../../cluster/membership/machine.ts';
import { isMember, type MembershipEvent, newRun, type RunState } from '../../../cluster/membership/state.ts';

const id = fc.integer({ min: 0, max: 5 });
/** Most events are of the current generation; `stale` ones are off by one. */
const stale = fc.constantFrom(0, 0, 0, 0, 0, -1, 1);

/** An event, made when the state is known. */
type Draw = (state: RunState) => MembershipEvent[];
const one = (event: MembershipEvent): MembershipEvent[] => [event];
const draws: fc.Arbitrary<Draw> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.tuple(id, fc.integer({ min: 0, max: 3 })).map(
      ([host, workers]): Draw =>
        () =>
          one({ kind: 'applied', id: host, name: `h${host}`, workers, address: '' }),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(id, fc.integer({ min: 0, max: 3 }), fc.constantFrom(0, 0, 0, 7)).map(
      ([host, holds, seen]): Draw =>
        () =>
          one({ kind: 'prepared', id: host, holds, seen }),
    ),
  },
  {
    weight: 1,
    arbitrary: id.map(
      (host): Draw =>
        () =>
          one({ kind: 'leaveRequested', id: host }),
    ),
  },
  {
    weight: 1,
    arbitrary: id.map(
      (host): Draw =>
        () =>
          host === 0 ? [] : one({ kind: 'lost', id: host, reason: 'Gone.' }),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(id, stale, fc.integer({ min: 0, max: 3 })).map(
      ([host, off, committed]): Draw =>
        ({ generation }) =>
          one({ kind: 'boundary', id: host, generation: generation + off, committed, speed: committed }),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(id, stale).map(
      ([host, off]): Draw =>
        ({ generation }) =>
          one({ kind: 'ready', id: host, generation: generation + off }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(id, id, stale).map(
      ([host, peer, off]): Draw =>
        ({ generation }) =>
          one({ kind: 'peerLost', id: host, peer, generation: generation + off }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(id, stale).map(
      ([host, off]): Draw =>
        ({ generation }) =>
          one({ kind: 'stumbled', id: host, generation: generation + off, workers: 1, sentence: 'Rank 0 failed.' }),
    ),
  },
  {
    weight: 4,
    arbitrary: stale.map(
      (off): Draw =>
        ({ generation }) =>
          one({ kind: 'workBegan', generation: generation + off }),
    ),
  },
  {
    weight: 3,
    arbitrary: id.map(
      (host): Draw =>
        () => [
          { kind: 'applied', id: host, name: `h${host}`, workers: 1, address: '' },
          { kind: 'prepared', id: host },
        ],
    ),
  },
  // A link that keeps breaking: the generation is formed anew, at once or after a recall.
  {
    weight: 2,
    arbitrary: fc.constant<Draw>(({ generation, awaited }) => [
      { kind: 'peerLost', id: 0, peer: 1, generation },
      ...awaited.map((host): MembershipEvent => ({ kind: 'boundary', id: host, generation, committed: 0, speed: 0 })),
    ]),
  },
  // What a healthy cluster does: everybody answers.
  { weight: 3, arbitrary: fc.constant<Draw>(({ awaited, generation }) => awaited.map((host) => ({ kind: 'ready', id: host, generation }))) },
  {
    weight: 3,
    arbitrary: fc.constant<Draw>(({ awaited, generation }) => awaited.map((host) => ({ kind: 'boundary', id: host, generation, committed: generation, speed: 1 }))),
  },
);
const ending = fc.constantFrom<MembershipEvent>(
  { kind: 'workDone' },
  { kind: 'stopRequested' },
  { kind: 'failed', reason: 'No.' },
  { kind: 'lost', id: 0, reason: 'Gone.' },
);

const scenario = fc.record({
  shards: fc.integer({ min: 1, max: 9 }),
  minHosts: fc.integer({ min: 0, max: 3 }),
  workers: fc.integer({ min: 0, max: 2 }),
  before: fc.array(draws, { maxLength: 120, size: 'max' }),
  ending,
  after: fc.array(draws, { maxLength: 15 }),
});

test('whatever happens, the promises of the machine hold', (t) => {
  let generations = 0;
  let drops = 0;
  fc.assert(
    fc.property(scenario, ({ shards, minHosts, workers, before, ending: end, after }) => {
      let state = newRun({ shards, minHosts, coordinator: { name: 'h0', workers, address: '' }, committed: 0 });
      /** Hosts that applied and were not lost, released or dropped since; those of them that were prepared. */
      const present = new Set([0]);
      const prepared = new Set<number>();
      /** What those that are prepared brought along, and the highest generation of which they had heard. */
      const held = new Map<number, number>();
      let seen = 0;
      let over = false;
      const feed = (event: MembershipEvent): void => {
        const old = state;
        const next = transition(old, event);
        state = next.state;
        const gone = (host: number): void => void [present.delete(host), prepared.delete(host)];
        if (event.kind === 'applied') present.add(event.id);
        if (event.kind === 'prepared' && old.hosts.some((host) => host.id === event.id && host.phase === 'preparing')) {
          prepared.add(event.id);
          held.set(event.id, event.holds ?? 0);
          seen = Math.max(seen, event.seen ?? 0);
        }
        if (event.kind === 'lost' && event.id !== 0) gone(event.id);
        for (const effect of next.effects) {
          t.false(over && effect.kind !== 'release', 'nothing follows the end but refusals');
          if ('id' in effect) t.true(present.has(effect.id), 'effects are about hosts that are there');
          if (effect.kind === 'release' || effect.kind === 'drop') gone(effect.id);
          if (effect.kind === 'end') over = true;
          if (effect.kind === 'startWork') t.deepEqual([state.phase, state.awaited, effect.generation], ['running', [], state.generation]);
          if (event.kind === 'stumbled') t.true(old.awaited.includes(event.id) && event.generation === old.generation, 'only who is in a step stumbles');
          if (effect.kind === 'recall' || effect.kind === 'stopAtBoundary') t.true((old.phase === 'running' && old.awaited.length > 0) || old.phase === 'draining');
          if (effect.kind !== 'newGeneration') continue;
          generations++;
          t.is(effect.generation, Math.max(old.generation, seen) + 1);
          t.is(effect.members[0]?.id, 0);
          let covered = 0;
          for (const member of effect.members) {
            t.true(prepared.has(member.id), 'members were prepared');
            t.is(member.first, covered, 'shards are covered once');
            covered = member.end;
            const known = old.hosts.find((host) => host.id === member.id);
            if (member.id !== 0 && (known === undefined || !isMember(known)))
              t.is(member.receivesState, held.get(member.id) === 0 || held.get(member.id) !== state.formedAt, 'newcomers receive the state that they lack');
          }
          t.is(covered, shards);
          t.true(effect.members.filter((member) => member.workers > 0).length >= Math.max(1, minHosts));
        }
        if (next.effects.some(({ kind }) => kind === 'drop')) drops++;
        t.is(state.generation !== old.generation, next.effects.filter(({ kind }) => kind === 'newGeneration').length === 1);
        const ids = state.hosts.map((host) => host.id);
        t.deepEqual(
          ids,
          [...present].toSorted((a, b) => a - b),
          'known hosts are those that are there',
        );
        for (const host of state.awaited) t.true(ids.includes(host), 'nobody who is gone is awaited');
        if (state.phase === 'waiting' || state.phase === 'done' || state.phase === 'failed') t.deepEqual(state.awaited, [], 'no work while waiting');
        if (state.phase === 'forming' || state.phase === 'recovering' || state.phase === 'draining')
          t.true(state.awaited.length > 0, 'a state that waits for answers has some to come');
      };
      const run = (list: readonly Draw[]): void => {
        for (const draw of list) for (const event of draw(state)) feed(event);
      };
      run(before);
      feed(end);
      run(after);
      for (const host of state.awaited) feed({ kind: 'boundary', id: host, generation: state.generation, committed: 9, speed: 1 });
      t.true(state.phase === 'done' || state.phase === 'failed', 'a run that is told to end ends as soon as all stand');
    }),
    { numRuns: 400 },
  );
  t.true(generations > 500 && drops > 0, `the scenarios reach the interesting states: ${generations} generations, ${drops} drops`);
});
