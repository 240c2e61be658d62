/**
 * Room: tests of the cluster's membership. The state machine: every row of the table in docs/membership.md.
 */
import test from 'ava';
import { transition } from '../../../cluster/membership/machine.ts';
import { type Effect, type MembershipEvent, newRun, type RunState, type Transition } from '../../../cluster/membership/state.ts';

const start = (minHosts = 1, workers = 2): RunState => newRun({ shards: 8, minHosts, coordinator: { name: 'a', workers, address: '' }, committed: 100 });

/** All events in turn; the effects are those of the last. */
function after(state: RunState, ...events: MembershipEvent[]): Transition {
  let last: Transition = { state, effects: [] };
  for (const event of events) last = transition(last.state, event);
  return last;
}

const applied = (id: number, workers = 2): MembershipEvent => ({ kind: 'applied', id, name: 'abcdef'[id]!, workers, address: `${id}:1` });
const prepared = (id: number): MembershipEvent => ({ kind: 'prepared', id });
const join = (id: number): MembershipEvent[] => [applied(id), prepared(id)];
const ready = (generation: number, ...ids: number[]): MembershipEvent[] => ids.map((id) => ({ kind: 'ready', id, generation }));
const boundary = (generation: number, committed: number, ...ids: number[]): MembershipEvent[] =>
  ids.map((id) => ({ kind: 'boundary', id, generation, committed, speed: 0 }));
const leave = (id: number): MembershipEvent => ({ kind: 'leaveRequested', id });
const lost = (id: number): MembershipEvent => ({ kind: 'lost', id, reason: 'Its socket closed.' });
const peerLost = (generation: number, id: number, peer: number): MembershipEvent => ({ kind: 'peerLost', id, peer, generation });
const stumbled = (generation: number, id: number, workers = 2): MembershipEvent => ({ kind: 'stumbled', id, generation, workers, sentence: 'Rank 1 failed.' });
const began = (generation: number): MembershipEvent => ({ kind: 'workBegan', generation });
const done: MembershipEvent = { kind: 'workDone' };
const stop: MembershipEvent = { kind: 'stopRequested' };

const kinds = (effects: readonly Effect[]): string[] => effects.map(({ kind }) => kind);
const said = (effects: readonly Effect[]): string[] => effects.flatMap((effect) => (effect.kind === 'announce' || effect.kind === 'pause' ? [effect.sentence] : []));
/** [id, first, end, receivesState] of a new generation. */
const formed = (effects: readonly Effect[]) =>
  effects.flatMap((effect) => (effect.kind === 'newGeneration' ? effect.members.map(({ id, first, end, receivesState }) => [id, first, end, receivesState]) : []));

/** Hosts 0, 1 and 2 wait for hosts, form generation 1, are about to work in it, or work. */
const forming = after(start(3), ...join(1), ...join(2), prepared(0)).state;
const idle = after(forming, ...ready(1, 0, 1, 2)).state;
const working = after(idle, began(1)).state;
const recovering = after(working, peerLost(1, 1, 2)).state;
const waiting = after(idle, leave(2)).state;
const draining = after(working, stop).state;
const over = after(idle, done).state;
const states = { start: start(), forming, idle, working, recovering, waiting, draining, over, failed: after(working, { kind: 'failed', reason: 'No.' }).state };

test('the states of the tests are what they are called', (t) => {
  t.deepEqual(
    Object.values(states).map(({ phase }) => phase),
    ['waiting', 'forming', 'running', 'running', 'recovering', 'waiting', 'draining', 'done', 'failed'],
  );
  t.deepEqual([idle.awaited, working.awaited], [[], [0, 1, 2]]);
});

test('unknown hosts, stale generations and repetitions change nothing in any state', (t) => {
  for (const [name, state] of Object.entries(states)) {
    const g = state.generation;
    const nothing: MembershipEvent[] = [
      prepared(5),
      leave(5),
      leave(0),
      lost(5),
      ...boundary(g, 101, 5),
      ...ready(g, 5),
      peerLost(g, 0, 5),
      peerLost(g, 5, 0),
      peerLost(g, 1, 1),
      stumbled(g, 5),
      stumbled(g - 1, 1),
      stumbled(g + 1, 1),
    ];
    if (name !== 'working' && name !== 'recovering' && name !== 'draining') nothing.push(stumbled(g, 1));
    nothing.push(
      ...boundary(g - 1, 101, 0, 1),
      ...boundary(g + 1, 101, 0, 1),
      ...ready(g - 1, 0, 1),
      ...ready(g + 1, 0),
      peerLost(g - 1, 0, 1),
      peerLost(g + 1, 0, 1),
      began(g - 1),
      began(g + 1),
    );
    if (name !== 'start') nothing.push(prepared(0));
    if (name !== 'over' && name !== 'failed') nothing.push(applied(0));
    if (name !== 'forming') nothing.push(...ready(g, 0, 1, 2));
    if (name !== 'working' && name !== 'recovering' && name !== 'draining') nothing.push(...boundary(g, 101, 0, 1, 2));
    if (name !== 'idle') nothing.push(began(g));
    for (const event of nothing) {
      const next = transition(state, event);
      t.is(next.state, state, `${name}: ${JSON.stringify(event)}`);
      t.deepEqual(next.effects, []);
    }
  }
});

test('an applicant is sent the run in every state that goes on, and released in those that end', (t) => {
  for (const [name, state] of Object.entries(states)) {
    const { effects, state: next } = transition(state, applied(4));
    const ends = ['draining', 'over', 'failed'].includes(name);
    t.deepEqual(effects, ends ? [{ kind: 'release', id: 4, message: 'The run is ending and takes no more hosts.' }] : [{ kind: 'prepare', id: 4 }], name);
    t.is(
      next.hosts.some(({ id }) => id === 4),
      !ends,
      name,
    );
    t.is(next.phase, state.phase);
  }
});

test('a coordinator with workers starts alone; with 0 workers it waits for hosts', (t) => {
  const alone = after(start(), prepared(0));
  t.deepEqual(alone.effects, [
    { kind: 'newGeneration', generation: 1, members: [{ id: 0, name: 'a', workers: 2, address: '', first: 0, end: 8, receivesState: false }] },
    { kind: 'announce', sentence: 'host a joined with 2 workers: generation 1, shards 0-7' },
  ]);
  const waits = after(start(1, 0), prepared(0));
  t.is(waits.state.phase, 'waiting');
  t.deepEqual(waits.effects, [{ kind: 'pause', sentence: 'the run waits for more hosts: it has 0 with workers and needs 1' }]);
  const first = after(waits.state, ...join(1));
  t.deepEqual(formed(first.effects), [
    [0, 0, 0, false],
    [1, 0, 8, true],
  ]);
  t.deepEqual(said(first.effects), ['host a joined with 0 workers: generation 1, no shards', 'host b joined with 2 workers: generation 1, shards 0-7']);
});

test('nothing starts before the coordinator is prepared, nor below minHosts', (t) => {
  t.deepEqual(after(start(), ...join(1)).effects, []);
  t.deepEqual(kinds(after(start(2), prepared(0), applied(1)).effects), ['prepare']);
  t.deepEqual(formed(after(start(2), prepared(0), ...join(1)).effects), [
    [0, 0, 4, false],
    [1, 4, 8, true],
  ]);
});

test('forming: work starts when all are ready', (t) => {
  t.deepEqual(after(forming, ...ready(1, 2, 0)).effects, []);
  t.deepEqual(after(forming, ...ready(1, 2, 0, 1)).effects, [{ kind: 'startWork', generation: 1 }]);
  t.deepEqual(
    idle.hosts.map(({ phase, committed }) => [phase, committed]),
    [
      ['member', 100],
      ['member', 100],
      ['member', 100],
    ],
  );
});

test('forming: who is prepared meanwhile joins as soon as all are ready, and nobody gets the state twice', (t) => {
  const next = after(forming, ...join(3), ...ready(1, 0, 1, 2));
  t.deepEqual(formed(next.effects), [
    [0, 0, 2, false],
    [1, 2, 4, false],
    [2, 4, 6, false],
    [3, 6, 8, true],
  ]);
  t.is(next.state.generation, 2);
});

test('forming: a lost or leaving member means a new generation at once; who was not ready gets the state again', (t) => {
  const able = after(start(2), ...join(1), ...join(2), prepared(0), ...ready(1, 0, 1)).state;
  const crash = after(able, lost(1));
  t.deepEqual(kinds(crash.effects), ['announce', 'newGeneration', 'announce']);
  t.deepEqual(formed(crash.effects), [
    [0, 0, 4, false],
    [2, 4, 8, true],
  ]);
  t.deepEqual(said(crash.effects), ['host b was lost: Its socket closed.', 'generation 2: host a shards 0-3, host c shards 4-7']);
  const goodbye = after(able, leave(2));
  t.deepEqual(kinds(goodbye.effects), ['release', 'announce', 'newGeneration', 'announce']);
  t.deepEqual(formed(goodbye.effects), [
    [0, 0, 4, false],
    [1, 4, 8, false],
  ]);
});

test('running: joins and leaves ask once to stop at the boundary, and are handled together there', (t) => {
  const asked = after(working, ...join(3));
  t.deepEqual(asked.effects, [{ kind: 'stopAtBoundary' }]);
  const more = after(asked.state, ...join(4), leave(1), ...boundary(1, 103, 0, 1));
  t.deepEqual(more.effects, []);
  const next = after(more.state, ...boundary(1, 103, 2));
  t.deepEqual(kinds(next.effects), ['release', 'announce', 'newGeneration', 'announce', 'announce']);
  t.deepEqual(formed(next.effects), [
    [0, 0, 2, false],
    [2, 2, 4, false],
    [3, 4, 6, true],
    [4, 6, 8, true],
  ]);
  t.deepEqual(said(next.effects), ['host b left', 'host d joined with 2 workers: generation 2, shards 4-5', 'host e joined with 2 workers: generation 2, shards 6-7']);
});

test('running: a boundary without changes goes on in the same generation; between commands changes come at once', (t) => {
  const next = after(working, ...boundary(1, 103, 0, 1, 2));
  t.deepEqual(next.effects, [{ kind: 'startWork', generation: 1 }]);
  t.is(after(working, ...join(3), lost(3), ...boundary(1, 103, 0, 1, 2)).state.generation, 1, 'the applicant went away again');
  t.deepEqual(kinds(after(idle, ...join(3)).effects), ['newGeneration', 'announce']);
  t.deepEqual(kinds(after(idle, lost(2)).effects), ['announce', 'pause']);
});

test('running: measured speeds decide the next assignment', (t) => {
  const speeds = [3, 1, 0].map((speed, id): MembershipEvent => ({ kind: 'boundary', id, generation: 1, committed: 103, speed }));
  t.deepEqual(
    after(working, ...speeds).state.hosts.map(({ speed }) => speed),
    [3, 1, 0],
  );
  t.deepEqual(formed(after(working, ...speeds, lost(2), ...join(3)).effects), [
    [0, 0, 4, false],
    [1, 4, 6, false],
    [3, 6, 8, true],
  ]);
});

test('running: a lost member means a recall; who did not commit the same step gets the state', (t) => {
  const big = after(start(), ...join(1), ...join(2), ...join(3), prepared(0), ...ready(1, 0, 1, 2, 3), began(1)).state;
  const recalled = after(big, lost(3));
  t.deepEqual(kinds(recalled.effects), ['announce', 'recall']);
  t.is(recalled.state.phase, 'recovering');
  const next = after(recalled.state, ...boundary(1, 104, 0, 1), ...boundary(1, 103, 2));
  t.deepEqual(formed(next.effects), [
    [0, 0, 2, false],
    [1, 2, 4, false],
    [2, 4, 8, true],
  ]);
  const nobody = after(big, ...boundary(1, 104, 0, 1, 2), lost(3));
  t.deepEqual(kinds(nobody.effects), ['announce', 'newGeneration', 'announce'], 'nobody is left in a step');
});

test('recovering: the next generation waits for all who are left, with whoever else is there by then', (t) => {
  t.deepEqual(kinds(after(recovering, ...join(3)).effects), []);
  t.deepEqual(kinds(after(recovering, leave(1)).effects), []);
  t.deepEqual(kinds(after(recovering, peerLost(1, 0, 1)).effects), ['announce'], 'recalled once');
  const next = after(recovering, ...join(3), ...boundary(1, 101, 0, 1), lost(2));
  t.deepEqual(formed(next.effects), [
    [0, 0, 2, false],
    [1, 2, 4, false],
    [3, 4, 8, true],
  ]);
  t.is(next.state.phase, 'forming');
});

test('waiting: below minHosts the run pauses and resumes by itself', (t) => {
  const paused = after(idle, leave(2));
  t.deepEqual(kinds(paused.effects), ['release', 'announce', 'pause']);
  t.deepEqual(said(paused.effects), ['host c left', 'the run waits for more hosts: it has 2 with workers and needs 3']);
  t.deepEqual(kinds(after(waiting, lost(1)).effects), ['announce', 'pause']);
  t.deepEqual(kinds(after(waiting, leave(1)).effects), ['release', 'announce', 'pause']);
  t.deepEqual(kinds(after(waiting, applied(3), lost(3)).effects), ['announce']);
  t.deepEqual(kinds(after(start(3), prepared(0), ...join(1), leave(1)).effects), ['release', 'announce', 'pause']);
  t.is(after(waiting, peerLost(1, 0, 1)).state, waiting, 'links are opened anew with the next generation');
  const resumed = after(waiting, ...join(3));
  t.deepEqual(
    formed(resumed.effects).map(([id]) => id),
    [0, 1, 3],
  );
  t.is(resumed.state.generation, 2);
});

test('a host that leaves before it took part is released at once', (t) => {
  for (const state of [idle, working, recovering, waiting, draining]) {
    const { effects } = state === draining ? after(working, applied(3), stop, leave(3)) : after(state, applied(3), leave(3));
    t.deepEqual(kinds(effects), ['release', 'announce']);
    t.deepEqual(said(effects), ['host d left before it took part']);
  }
});

/** Generation g fails of a broken link between 1 and 2, reported by both, after which members stand at step `committed`. */
const failing = (g: number, committed: number): MembershipEvent[] => [
  ...ready(g, 0, 1, 2),
  began(g),
  peerLost(g, 2, 1),
  peerLost(g, 1, 2),
  ...boundary(g, committed, 0, 1, 2),
];

test('a link that broke means a recall and the same members; after three failures in a row the higher id is dropped', (t) => {
  const forming2 = after(start(), ...join(1), ...join(2), prepared(0)).state;
  t.deepEqual(kinds(after(forming2, ...failing(1, 100).slice(0, 5)).effects), ['announce', 'recall']);
  const once = after(forming2, ...failing(1, 100));
  t.deepEqual(
    formed(once.effects).map(([id]) => id),
    [0, 1, 2],
  );
  const thrice = after(once.state, ...failing(2, 100), peerLost(3, 1, 2));
  t.deepEqual(kinds(thrice.effects), ['announce', 'drop', 'announce', 'newGeneration', 'announce'], 'nobody was in a step: no recall');
  t.deepEqual(thrice.effects[1], { kind: 'drop', id: 2, reason: 'Its link to host b failed 3 times in a row; check that the two hosts reach each other.' });
  t.deepEqual(said(thrice.effects).slice(0, 2), [
    'the link between hosts b and c broke',
    'host c was dropped: Its link to host b failed 3 times in a row; check that the two hosts reach each other.',
  ]);
  t.deepEqual(formed(thrice.effects), [
    [0, 0, 4, false],
    [1, 4, 8, false],
  ]);
  t.deepEqual(thrice.state.brokenLinks, []);
});

test('failures of a link are in a row only while no step is committed between them; other links have counts of their own', (t) => {
  const forming2 = after(start(), ...join(1), ...join(2), prepared(0)).state;
  const progressed = after(forming2, ...failing(1, 100), ...failing(2, 100), ...failing(3, 101));
  t.deepEqual(progressed.state.brokenLinks, [{ low: 1, high: 2, failures: 1 }]);
  const other = after(forming2, ...failing(1, 100), peerLost(2, 0, 2), ...failing(3, 100));
  t.deepEqual(other.state.brokenLinks.map(({ failures }) => failures).toSorted(), [1, 2]);
});

test('a stop asks for the boundary and ends the run there; without a step under way it ends at once', (t) => {
  t.deepEqual(kinds(after(working, stop).effects), ['stopAtBoundary']);
  t.deepEqual(after(draining, stop).effects, []);
  t.deepEqual(after(draining, done).effects, []);
  t.deepEqual(kinds(after(working, leave(1), stop).effects), [], 'members were asked already');
  const message = 'The run was stopped by its user.';
  const ended = after(draining, ...boundary(1, 101, 0, 1, 2));
  t.deepEqual(ended.effects, [
    { kind: 'release', id: 1, message },
    { kind: 'release', id: 2, message },
    { kind: 'end', outcome: 'done', sentence: message },
  ]);
  for (const state of [start(), forming, idle, waiting]) t.is(after(state, stop).state.phase, 'done');
});

test('draining: a lost member or a broken link means a recall, and the run ends when the others stand', (t) => {
  for (const event of [lost(2), peerLost(1, 0, 2)]) t.deepEqual(kinds(after(draining, event).effects), ['announce', 'recall']);
  t.deepEqual(kinds(after(draining, lost(2), lost(1)).effects), ['announce'], 'recalled once');
  t.is(after(draining, lost(2), ...boundary(1, 100, 0, 1)).state.phase, 'done');
  t.is(after(draining, ...boundary(1, 101, 0, 1), lost(2)).state.phase, 'done');
  t.deepEqual(after(draining, leave(1)).effects, []);
  t.deepEqual(after(working, applied(3), stop, prepared(3)).effects, []);
  const stopped = after(recovering, stop);
  t.deepEqual([stopped.state.phase, stopped.effects], ['draining', []]);
  t.is(after(stopped.state, ...boundary(1, 100, 0, 1, 2)).state.phase, 'done');
});

test('the end of work ends the run when all stand, and waits for those who do not yet', (t) => {
  for (const state of [idle, forming, waiting]) t.deepEqual(after(state, done).effects.at(-1), { kind: 'end', outcome: 'done', sentence: 'The run is done.' });
  const last = after(working, ...boundary(1, 200, 0), done);
  t.deepEqual([last.state.phase, last.effects], ['draining', []]);
  t.is(after(last.state, ...boundary(1, 200, 1, 2)).state.phase, 'done');
});

test('a failure, or the loss of the coordinator itself, releases everybody', (t) => {
  for (const event of [{ kind: 'failed', reason: 'Its socket closed.' } as const, lost(0)]) {
    for (const state of [start(), forming, idle, working, recovering, waiting, draining]) {
      const { effects, state: next } = after(state, ...(state === draining ? [] : [applied(3)]), event);
      t.deepEqual([next.phase, next.hosts.map(({ id }) => id)], ['failed', [0]]);
      t.is(effects.filter(({ kind }) => kind === 'release').length, state.hosts.length - 1 + (state === draining ? 0 : 1));
      t.deepEqual(effects.at(-1), { kind: 'end', outcome: 'failed', sentence: 'Its socket closed.' });
    }
  }
  for (const state of [over, states.failed])
    for (const event of [done, stop, lost(0), { kind: 'failed', reason: 'No.' } as const]) t.is(after(state, event).state, state);
});

test('a rank that dies makes all leave the step, and the next generation has the same members', (t) => {
  for (const id of [0, 1]) {
    const recalled = after(working, stumbled(1, id, 1));
    t.deepEqual(kinds(recalled.effects), ['announce', 'recall']);
    t.deepEqual(said(recalled.effects), [`host ${'ab'[id]}: Rank 1 failed.`]);
    t.deepEqual([recalled.state.phase, recalled.state.awaited], ['recovering', [0, 1, 2]]);
    // Another one in the same step is told of, and recalls nobody again.
    t.deepEqual(kinds(after(recalled.state, stumbled(1, 2)).effects), ['announce']);
    const formedAnew = after(recalled.state, ...boundary(1, 100, 0, 1, 2));
    t.is(formedAnew.state.generation, 2);
    t.deepEqual(
      formed(formedAnew.effects).map(([member, , , receives]) => [member, receives]),
      [
        [0, false],
        [1, false],
        [2, false],
      ],
    );
    t.is(formedAnew.state.hosts[id]!.workers, 1, 'shards go by the workers that are left');
  }
});

test('a rank that dies while the others are through with the command costs a generation, and while the run drains its step only', (t) => {
  const last = after(working, ...boundary(1, 100, 0, 2), stumbled(1, 1), ...boundary(1, 100, 1));
  t.deepEqual([last.state.phase, last.state.generation], ['forming', 2]);
  const drains = after(draining, stumbled(1, 1));
  t.deepEqual([drains.state.phase, kinds(drains.effects)], ['draining', ['announce', 'recall']]);
  t.is(after(drains.state, ...boundary(1, 100, 0, 1, 2)).state.phase, 'done');
});

test('a run goes on from the step that the coordinator holds when it is prepared; who stands there receives nothing', (t) => {
  const comes = (id: number, holds: number, seen: number): MembershipEvent[] => [applied(id), { kind: 'prepared', id, holds, seen }];
  const waits = after(start(3), ...comes(1, 140, 8), ...comes(2, 139, 9));
  t.deepEqual([waits.state.phase, kinds(waits.effects)], ['waiting', []]);
  const goesOn = after(waits.state, { kind: 'prepared', id: 0, holds: 140 });
  t.deepEqual([goesOn.state.formedAt, goesOn.state.generation], [140, 10], 'all that hosts have heard of is over');
  t.deepEqual(formed(goesOn.effects), [
    [0, 0, 2, false],
    [1, 2, 4, false],
    [2, 4, 8, true],
  ]);
  // One that comes late has heard of more than there is by now.
  const working = after(goesOn.state, ...ready(10, 0, 1, 2), began(10)).state;
  const late = after(working, ...comes(3, 138, 20), ...boundary(10, 141, 0, 1, 2));
  t.is(late.state.generation, 21);
  t.true(formed(late.effects).at(-1)!.at(-1));
});
