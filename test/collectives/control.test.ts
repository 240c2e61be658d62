/**
 * Room: tests of collectives. The control block: every word has a cache line of its own.
 */
import test from 'ava';
import { controlIndex, reserveControl } from '../../src/collectives/control.ts';
import { MemoryPlan } from '../../src/memory/plan.ts';

test('control words do not share a cache line, and all are inside the reservation', (t) => {
  const plan = new MemoryPlan();
  plan.reserve('data', 1000);
  const address = reserveControl(plan);
  const words = Object.values(controlIndex(address));
  t.is(words.length, 11);
  const lines = words.map((index) => Math.floor((4 * index) / 64));
  t.is(new Set(lines).size, words.length);
  for (const index of words) t.true(4 * index >= address && 4 * index + 64 <= plan.bytes, String(index));
});

test('a command has room for its payload: its line holds no other word', (t) => {
  const control = controlIndex(64);
  t.is((4 * control.command) % 64, 0);
});

test('a control block in the upper half of a 4 GiB arena has positive indices', (t) => {
  t.is(controlIndex(2 ** 31 + 64).abort, (2 ** 31 + 64) / 4);
  t.is(controlIndex(2 ** 32 - 1024).abort, (2 ** 32 - 1024) / 4);
});
