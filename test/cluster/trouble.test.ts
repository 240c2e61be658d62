/**
 * Room: tests of cluster. A leader tells the main thread of the first connection that failed, and of no other.
 */
import test from 'ava';
import fc from 'fast-check';
import { troubleOf } from '../../cluster/trouble.ts';
import { reportTrouble, reserveTrouble } from '../../src/collectives/trouble.ts';
import { Arena } from '../../src/memory/arena.ts';
import { alignmentBytes, MemoryPlan } from '../../src/memory/plan.ts';

const memory = new MemoryPlan();
const address = reserveTrouble(memory);
const behind = memory.reserve('control', alignmentBytes);
const never = new AbortController().signal;

const fresh = (): Arena => Arena.create(memory.bytes);

test('what was reported before or while somebody waits is told, host and reason', async (t) => {
  for (const host of [0, 1, 1023]) {
    const [before, during] = [fresh(), fresh()];
    const trouble = { host, reason: `the other side of ${host} closed it` };
    reportTrouble(before, address, trouble);
    t.deepEqual(await troubleOf(before, address, never), trouble);
    t.deepEqual(await troubleOf(before, address, never), trouble, 'it stays');
    const told = troubleOf(during, address, never);
    reportTrouble(during, address, trouble);
    t.deepEqual(await told, trouble);
  }
});

test('only the first trouble counts', async (t) => {
  const arena = fresh();
  const told = troubleOf(arena, address, never);
  reportTrouble(arena, address, { host: 2, reason: 'first' });
  reportTrouble(arena, address, { host: 0, reason: 'the second, which is longer' });
  t.deepEqual(await told, { host: 2, reason: 'first' });
});

test('nothing is told once nobody wants to know, and waking for nothing tells nothing', async (t) => {
  const arena = fresh();
  const controller = new AbortController();
  const told = troubleOf(arena, address, controller.signal);
  Atomics.notify(arena.i32, address >>> 2);
  let isTold = false;
  void told.then(() => {
    isTold = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  t.false(isTold);
  controller.abort();
  t.is(await told, undefined);
  reportTrouble(arena, address, { host: 1, reason: 'late' });
  t.is(await troubleOf(arena, address, controller.signal), undefined);
});

test('a reason of any length and language is told as far as there is room, and nothing else is written', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'grapheme', maxLength: 700 }), async (reason) => {
      const arena = fresh();
      arena.u8.fill(0xcd, behind, behind + alignmentBytes);
      reportTrouble(arena, address, { host: 3, reason });
      const told = await troubleOf(arena, address, never);
      t.true(reason.startsWith(told!.reason));
      const bytes = Buffer.byteLength(reason);
      if (bytes <= 500) t.is(told!.reason, reason);
      else t.true(Buffer.byteLength(told!.reason) > 496);
      t.true(arena.u8.subarray(behind, behind + alignmentBytes).every((byte) => byte === 0xcd));
    }),
  );
});
