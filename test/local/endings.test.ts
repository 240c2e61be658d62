/**
 * Room: tests of local. Threads that end late, at once and never: who waits for them is told, and waits for none twice.
 */
import { EventEmitter } from 'node:events';
import type { Worker } from 'node:worker_threads';
import test from 'ava';
import { Endings, isHeld } from '../../src/local/endings.ts';

/** A thread that ends when it is told `exit`. */
const thread = (): Worker => new EventEmitter() as unknown as Worker;
const longMs = 3_600_000;

test.serial('all that were ended are waited for', async (t) => {
  const endings = new Endings(longMs);
  t.true(await endings.done());
  const [first, second] = [thread(), thread()];
  endings.add(first);
  endings.add(second);
  second.emit('exit', 1);
  const done = endings.done();
  first.emit('exit', 1);
  t.true(await done);
  t.false(isHeld());
});

test.serial('one that does not end is told once, and holds the process until it is gone', async (t) => {
  const endings = new Endings(1);
  const [stays, goes] = [thread(), thread()];
  endings.add(stays);
  endings.add(goes);
  goes.emit('exit', 1);
  t.false(await endings.done());
  t.true(isHeld());
  t.true(await endings.done());
  stays.emit('exit', 1);
  t.false(isHeld());
});
