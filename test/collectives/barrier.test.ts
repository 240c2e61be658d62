/**
 * Room: tests of collectives. The barrier and the abort word, with real threads: nobody passes early, nobody stays behind.
 */
import test from 'ava';
import { Aborted, Barrier } from '../../src/collectives/barrier.ts';
import { abort } from '../../src/collectives/control.ts';
import { controlArena, inThreads, until } from './threads.ts';

for (const [parties, spins, rounds] of [
  [1, 0, 1000],
  [2, 0, 5000],
  [2, 20_000, 20_000],
  [3, 100, 5000],
  [5, 0, 2000],
  [4, 1, 3000],
] as const) {
  test.serial(`${parties} threads that look ${spins} times meet ${rounds} times and none passes early`, async (t) => {
    const { arena, address, control, room } = controlArena(4 * parties);
    const outcomes = await inThreads(arena, parties, { kind: 'meet', control: address, parties, spins, rounds, words: room });
    t.deepEqual(
      outcomes,
      Array.from({ length: parties }, () => ({ kind: 'met', early: 0 })),
    );
    t.is(arena.i32[control.meeting], rounds);
    t.is(arena.i32[control.arrived], 0);
    t.is(arena.i32[control.asleep], 0);
  });
}

const aborted = 'Aborted: Another rank of this run failed.';

for (const spins of [0, 2 ** 30]) {
  test.serial(`an abort frees all ranks that wait for one that does not come, ${spins === 0 ? 'asleep' : 'awake'}, and keeps them out`, async (t) => {
    const { arena, address, control } = controlArena();
    const outcomes = inThreads(arena, 3, { kind: 'leave', control: address, parties: 4, spins, rounds: 1 });
    await until(arena, control.arrived, 3);
    if (spins === 0) await until(arena, control.asleep, 3);
    abort(arena, control, 3);
    t.deepEqual(
      await outcomes,
      Array.from({ length: 3 }, () => ({ kind: 'left', passed: 0, thrown: [aborted, aborted] })),
    );
    t.is(arena.i32[control.asleep], 0);
  });
}

test.serial('an abort in the midst of many meetings ends all of them', async (t) => {
  for (let attempt = 0; attempt < 20; attempt++) {
    const { arena, address, control } = controlArena();
    const outcomes = inThreads(arena, 3, { kind: 'leave', control: address, parties: 3, spins: attempt % 2 === 0 ? 0 : 1000, rounds: 20_000 });
    while (Atomics.load(arena.i32, control.meeting) < 5 * attempt + 1) await new Promise((resolve) => setImmediate(resolve));
    abort(arena, control, -1);
    for (const outcome of await outcomes) {
      if (outcome.kind !== 'left') return t.fail(outcome.kind);
      t.is(outcome.passed + outcome.thrown.length, 20_001);
      t.true(outcome.thrown.every((text) => text === aborted));
    }
  }
});

test.serial('an abort wakes who waits at the doorbell', async (t) => {
  const { arena, address, control } = controlArena();
  const woken = inThreads(arena, 2, { kind: 'doorbell', control: address, parties: 2, spins: 0, value: 0 });
  abort(arena, control, 0);
  t.deepEqual(await woken, [{ kind: 'woken' }, { kind: 'woken' }]);
});

test('who waits at the doorbell after an abort is not kept, though the notify was missed', async (t) => {
  const { arena, control } = controlArena();
  arena.i32[control.doorbell] = 7;
  abort(arena, control, 0);
  t.is(Atomics.wait(arena.i32, control.doorbell, 7, 0), 'not-equal');
});

test('a barrier after an abort throws Aborted, also for one party', (t) => {
  const { arena, control } = controlArena();
  const barrier = new Barrier(arena, control, 1, 0);
  barrier.meet();
  abort(arena, control, -1);
  t.throws(() => barrier.meet(), { instanceOf: Aborted, message: 'Another rank of this run failed.' });
});

test('the first to abort is remembered', (t) => {
  const { arena, control } = controlArena();
  abort(arena, control, 2);
  abort(arena, control, 0);
  abort(arena, control, -1);
  t.is(arena.i32[control.abort], 4);
  const other = controlArena();
  abort(other.arena, other.control, -1);
  t.is(other.arena.i32[other.control.abort], 1);
});

test('meetings go on when their number outgrows 32 bits', async (t) => {
  const { arena, address, control } = controlArena();
  arena.i32[control.meeting] = 2 ** 31 - 3;
  const outcomes = await inThreads(arena, 2, { kind: 'leave', control: address, parties: 2, spins: 0, rounds: 9 });
  t.deepEqual(outcomes, [
    { kind: 'left', passed: 10, thrown: [] },
    { kind: 'left', passed: 10, thrown: [] },
  ]);
  t.is(arena.i32[control.meeting], -(2 ** 31) + 7);
});
