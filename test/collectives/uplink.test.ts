/**
 * Room: tests of collectives. A leader that carries messages itself: it works while it waits, between computations and at the end, and passes
 * a recall on to the ranks that wait with it.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { abort, controlIndex, reserveControl } from '../../src/collectives/control.ts';
import { type Arrival, type Carrier, countArrival, type OutboxKind, readOutbox, recall, reserveUplink, Uplink, uplinkIndex } from '../../src/collectives/uplink.ts';
import { Arena } from '../../src/memory/arena.ts';
import { MemoryPlan } from '../../src/memory/plan.ts';

const memory = new MemoryPlan();
const control = controlIndex(reserveControl(memory));
const address = reserveUplink(memory);
const index = uplinkIndex(address);

/** Does what a test wants when it works, and remembers what it was told. */
class FakeCarrier implements Carrier {
  isBusy = false;
  isSending = false;
  readonly announcements: [OutboxKind, number][] = [];
  readonly works: number[] = [];
  onWork: (time: number) => void = () => {};

  announced(kind: OutboxKind, at: number): void {
    this.announcements.push([kind, at]);
  }

  work(ms: number): void {
    this.works.push(ms);
    if (this.works.length > 1000) throw new Error('Expected an end of the wait, got none.');
    this.onWork(this.works.length);
  }
}

function sides() {
  const arena = Arena.create(memory.bytes);
  const carrier = new FakeCarrier();
  const leader = new Uplink(arena, control, address, true, carrier);
  const follower = new Uplink(arena, control, address, false);
  const come = (word: Arrival): void => countArrival(arena, index, word);
  const isRecalled = (): boolean => Atomics.load(arena.i32, index.recalled) !== 0;
  return { arena, carrier, leader, follower, come, isRecalled };
}

test('what the leader announces is in the outbox and told to its carrier; what others announce is not', (t) => {
  const { arena, carrier, leader, follower } = sides();
  leader.announce('contribution', 4);
  follower.announce('contribution', 4);
  leader.announce('verdict');
  t.deepEqual(carrier.announcements, [
    ['contribution', 4],
    ['verdict', 0],
  ]);
  t.deepEqual(readOutbox(arena, index, 0), ['contribution', 4]);
  t.deepEqual(readOutbox(arena, index, 1), ['verdict', 0]);
  t.is(Atomics.load(arena.i32, index.outgoing), 2);
  t.notThrows(() => follower.awaitLeader());
});

test('a leader that waits works, at first without sleep, until what it waits for has come', (t) => {
  const { carrier, leader, come } = sides();
  carrier.onWork = (time) => {
    if (time >= 3) come('verdicts');
  };
  leader.take('verdicts');
  t.is(carrier.works.length, 3);
  t.is(carrier.works[0], 0);
  t.true(carrier.works.slice(1).every((ms) => ms > 0));
  come('sums');
  leader.take('sums');
  t.is(carrier.works.length, 3, 'what is there is not waited for');
});

test('what is expected several times is waited for at once', (t) => {
  const { carrier, leader, come } = sides();
  leader.expect('flushed');
  leader.expect('flushed');
  carrier.onWork = () => come('flushed');
  leader.waitFor('flushed');
  t.is(carrier.works.length, 2);
});

test('a leader lets its carrier proceed only when it is busy, and never sleeps there', (t) => {
  const { carrier, leader, follower } = sides();
  leader.proceed();
  follower.proceed();
  t.deepEqual(carrier.works, []);
  carrier.isBusy = true;
  leader.proceed();
  leader.proceed();
  t.deepEqual(carrier.works, [0, 0]);
});

test('a leader drains until everything has left; nobody else does', (t) => {
  const { carrier, leader, follower } = sides();
  leader.drain();
  t.deepEqual(carrier.works, []);
  carrier.isSending = true;
  follower.drain();
  t.deepEqual(carrier.works, []);
  carrier.onWork = (time) => {
    carrier.isSending = time < 4;
  };
  leader.drain();
  t.is(carrier.works.length, 4);
});

test('a drain ends with a recall, which it passes on, and with an abort', (t) => {
  const recalled = sides();
  recalled.carrier.isSending = true;
  recalled.carrier.onWork = (time) => {
    if (time === 2) recall(recalled.arena, index, true);
  };
  t.notThrows(() => recalled.leader.drain());
  // It looks once more before it passes the recall on.
  t.is(recalled.carrier.works.length, 3);
  t.true(recalled.isRecalled());
  const aborted = sides();
  aborted.carrier.isSending = true;
  abort(aborted.arena, control, 1);
  t.throws(() => aborted.leader.drain(), { name: 'Aborted' });
  t.throws(() => aborted.leader.take('sums'), { name: 'Aborted' });
});

test('a recall of a leader that carries is asked for, and only the leader passes it on', (t) => {
  const { arena, carrier, leader, follower, come, isRecalled } = sides();
  recall(arena, index, true);
  t.false(isRecalled(), 'asked for');
  come('statistics');
  t.notThrows(() => follower.take('statistics'));
  t.notThrows(() => leader.take('statistics'));
  t.false(isRecalled(), 'nobody had to wait');
  carrier.onWork = () => {
    carrier.onWork = () => {};
    come('statistics');
  };
  leader.take('statistics');
  t.false(isRecalled(), 'what comes with the last look is taken');
  t.notThrows(() => follower.take('statistics'));
  t.throws(() => leader.take('statistics'), { name: 'Recalled' });
  t.true(isRecalled());
  t.throws(() => follower.take('statistics'), { name: 'Recalled' });
  come('verdicts');
  t.notThrows(() => leader.take('verdicts'), 'what was reached is no longer waited for');
  t.notThrows(() => follower.take('verdicts'));
});

test('once a recall was passed on nothing is carried, so that all ranks go on to the same place and no further', (t) => {
  const { arena, carrier, leader, follower, come, isRecalled } = sides();
  recall(arena, index, true);
  // All that is there comes with the looks before; what is only on its way must not come after them.
  const there: Arrival[] = ['statistics', 'verdicts', 'verdicts'];
  carrier.onWork = () => {
    const next = there.shift();
    if (next) come(next);
    else if (isRecalled()) come('reduced');
  };
  for (const rank of [leader, follower]) rank.expect('statistics');
  leader.take('verdicts');
  t.true(isRecalled());
  follower.take('verdicts');
  const works = carrier.works.length;
  for (const rank of [follower, leader]) {
    t.notThrows(() => rank.waitFor('statistics'));
    t.notThrows(() => rank.take('verdicts'));
    t.throws(() => rank.take('reduced'), { name: 'Recalled' });
  }
  carrier.isBusy = true;
  leader.proceed();
  leader.announce('losses');
  t.is(carrier.works.length, works);
  t.deepEqual(carrier.announcements, []);
  // Who waits for the leader's announcements does not wait for ever.
  t.is(Atomics.load(arena.i32, index.outgoing), 1);
});

test('where the main thread carries, a recall needs nobody to pass it on', (t) => {
  const { arena, follower, isRecalled } = sides();
  const leader = new Uplink(arena, control, address, true);
  recall(arena, index, false);
  t.true(isRecalled());
  t.throws(() => leader.take('reduced'), { name: 'Recalled' });
  t.throws(() => follower.take('reduced'), { name: 'Recalled' });
});

/** Says that rank 1 is gone, unless it is told of a recall before. */
const bystander = `
  const { workerData: { memory, recalled, abort } } = require('node:worker_threads');
  const i32 = new Int32Array(memory.buffer);
  Atomics.wait(i32, recalled, 0, 100);
  Atomics.store(i32, abort, 3);
`;

test('a rank that does not lead leaves a recall that was asked for to the leader', async (t) => {
  const { arena, follower, isRecalled } = sides();
  recall(arena, index, true);
  const worker = new Worker(bystander, { eval: true, workerData: { memory: arena.memory, recalled: index.recalled, abort: control.abort } });
  const exit = once(worker, 'exit');
  t.throws(() => follower.take('statistics'), { name: 'Aborted' });
  t.false(isRecalled());
  t.deepEqual(await exit, [0]);
});
