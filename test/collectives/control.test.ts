/**
 * Room: tests of collectives. The control block: every word has a cache line of its own.
 */
import test from 'ava';
import { controlIndex, reserveControl, resetControl } from '../../src/collectives/control.ts';
import { Arena } from '../../src/memory/arena.ts';
import { MemoryPlan } from '../../src/memory/plan.ts';

test('control words do not share a cache line, and all are inside the reservation', (t) => {
  const plan = new MemoryPlan();
  plan.reserve('data', 1000);
  const address = reserveControl(plan);
  const words = Object.values(controlIndex(address));
  t.is(words.length, 13);
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

test('a reset leaves reports and the wish to stop, and zeroes all that ranks steer each other by', (t) => {
  const plan = new MemoryPlan();
  const address = reserveControl(plan);
  const arena = Arena.create(plan.bytes);
  const control = controlIndex(address);
  for (const [i, index] of Object.values(control).entries()) arena.i32[index] = 100 + i;
  arena.i32[control.command + 1] = 7;
  resetControl(arena, control);
  const kept = Object.entries(control).filter(([, index]) => arena.i32[index] !== 0);
  t.deepEqual(kept.map(([word]) => word).sort(), ['consumed', 'reported', 'stopRequest']);
  for (const [word, index] of kept) t.is(arena.i32[index], 100 + Object.keys(control).indexOf(word), word);
});
