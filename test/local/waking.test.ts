/**
 * Room: tests of local. Who waits for a word goes on when it changes, when it is notified, when it is not what it was said to be, and when somebody else says so.
 */
import test from 'ava';
import { Waking } from '../../src/local/waking.ts';
import { within } from '../toy.ts';

const deadlineMs = 10_000;

function open() {
  const words = new Int32Array(new SharedArrayBuffer(8));
  return { words, waking: new Waking(words, 1) };
}

test('another value is not waited for', async (t) => {
  const { words, waking } = open();
  words[1] = 3;
  await within(deadlineMs, 'a value that is there', waking.unless(2));
  t.pass();
});

test('a notice wakes, with a change or without one, again and again', async (t) => {
  const { words, waking } = open();
  for (let round = 0; round < 100; round++) {
    const changes = round % 2;
    const change = waking.unless(words[1]!);
    Atomics.add(words, 1, changes);
    Atomics.notify(words, 1);
    await within(deadlineMs, 'a notice', change);
  }
  t.is(words[1], 50);
});

test('who is woken by hand may wait again, and hears of a notice as before', async (t) => {
  const { words, waking } = open();
  for (let round = 0; round < 1000; round++) {
    const waits = waking.unless(0);
    waking.wake();
    await within(deadlineMs, 'a hand', waits);
  }
  const waits = waking.unless(0);
  // The system was asked once, however often somebody waited.
  t.is(Atomics.notify(words, 1), 1);
  await within(deadlineMs, 'a notice', waits);
  t.pass();
});

test('before anybody waits, waking does nothing', async (t) => {
  const { words, waking } = open();
  waking.wake();
  let isOver = false;
  const waits = waking.unless(0).then(() => (isOver = true));
  await new Promise((resolve) => setImmediate(resolve));
  t.false(isOver);
  Atomics.notify(words, 1);
  await within(deadlineMs, 'a notice', waits);
});

test('who is stopped is woken, and the system has nobody to wake', async (t) => {
  const { words, waking } = open();
  const waits = waking.unless(0);
  waking.stop();
  await within(deadlineMs, 'the stop', waits);
  t.is(Atomics.notify(words, 1), 0);
});
