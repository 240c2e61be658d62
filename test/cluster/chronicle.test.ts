/**
 * Room: tests of cluster. What happened to the membership, counted from the state machine's own transitions.
 */
import test from 'ava';
import { Chronicle } from '../../cluster/chronicle.ts';
import { transition } from '../../cluster/membership/machine.ts';
import { type MembershipEvent, newRun, type RunState } from '../../cluster/membership/state.ts';

/** A run of a coordinator with two workers, told of one event after the other, a second apart. */
function story(...events: MembershipEvent[]): Chronicle {
  return storyOf({ trains: true }, events);
}

function storyOf({ trains }: { trains: boolean }, events: readonly MembershipEvent[]): Chronicle {
  const chronicle = new Chronicle();
  chronicle.trains = trains;
  let state: RunState = newRun({ shards: 8, minHosts: 1, coordinator: { name: 'a', workers: 2, address: '' }, committed: 0 });
  events.forEach((event, i) => {
    const then = transition(state, event);
    chronicle.note(state, then.state, then.effects, 1000 * i);
    state = then.state;
  });
  return chronicle;
}

const began = (generation: number): MembershipEvent[] => [
  { kind: 'ready', id: 0, generation },
  { kind: 'workBegan', generation },
];
const boundary = (id: number, generation: number): MembershipEvent => ({ kind: 'boundary', id, generation, committed: 5, speed: 0 });
const joined: MembershipEvent[] = [
  { kind: 'prepared', id: 0 },
  ...began(1),
  { kind: 'applied', id: 1, name: 'b', workers: 1, address: '' },
  { kind: 'prepared', id: 1 },
  boundary(0, 1),
  { kind: 'ready', id: 1, generation: 2 },
  ...began(2),
];

test('hosts that join, leave and are lost', (t) => {
  t.deepEqual(story(...joined).changes, { joined: 1, left: 0, lost: 0 });
  const left = story(...joined, { kind: 'leaveRequested', id: 1 }, boundary(0, 2), boundary(1, 2));
  t.deepEqual(left.changes, { joined: 1, left: 1, lost: 0 });
  t.deepEqual([left.replayedSteps, left.recoverySeconds], [0, []]);
  const loss: MembershipEvent[] = [{ kind: 'lost', id: 1, reason: 'It broke.' }, boundary(0, 2), ...began(3)];
  t.is(storyOf({ trains: false }, [...joined, ...loss]).replayedSteps, 0, 'an evaluation is no step');
  const lost = story(...joined, ...loss);
  t.deepEqual(lost.changes, { joined: 1, left: 0, lost: 1 });
  t.is(lost.replayedSteps, 1);
  t.deepEqual(lost.recoverySeconds, [2], 'from the loss to the next command');
});

test('somebody who never took part changes nothing', (t) => {
  const { changes } = story(
    { kind: 'prepared', id: 0 },
    ...began(1),
    { kind: 'applied', id: 1, name: 'b', workers: 1, address: '' },
    { kind: 'lost', id: 1, reason: 'x' },
  );
  t.deepEqual(changes, { joined: 0, left: 0, lost: 0 });
});

test('the latest timeouts are told, of one host and phase together', (t) => {
  const chronicle = new Chronicle();
  for (const host of ['a', 'b', 'a']) chronicle.timedOut(host, 'forward');
  t.deepEqual(chronicle.timeouts, [
    { host: 'a', phase: 'forward', count: 2 },
    { host: 'b', phase: 'forward', count: 1 },
  ]);
  for (let i = 0; i < 20; i++) chronicle.timedOut(`host ${i}`, 'network');
  t.is(chronicle.timeouts.length, 8);
  t.is(chronicle.timeouts.at(-1)!.host, 'host 19');
});

test('a host that is lost where nobody needs to leave a step is a recovery, too', (t) => {
  const getting: MembershipEvent[] = [{ kind: 'lost', id: 1, reason: 'It broke.' }, ...began(3)];
  t.deepEqual(story(...joined.slice(0, -2), getting[0]!, ...began(3)).recoverySeconds, [1]);
});
