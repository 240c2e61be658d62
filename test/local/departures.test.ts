/**
 * Room: tests of local. Threads that end late, at once and never: who waits for them is told, and waits for none twice.
 */
import { EventEmitter } from 'node:events';
import type { Worker } from 'node:worker_threads';
import test from 'ava';
import { Departures, isHeld } from '../../src/local/departures.ts';

/** A thread that ends when it is told `exit`. */
const thread = (): Worker => new EventEmitter() as unknown as Worker;
const longMs = 3_600_000;

test.serial('all that were ended are waited for', async (t) => {
  const departures = new Departures(longMs);
  t.true(await departures.done());
  const [first, second] = [thread(), thread()];
  departures.add(first);
  departures.add(second);
  second.emit('exit', 1);
  const done = departures.done();
  first.emit('exit', 1);
  t.true(await done);
  t.false(isHeld());
});

test.serial('one that does not end is told once, and holds the process until it is gone', async (t) => {
  const departures = new Departures(1);
  const [stays, goes] = [thread(), thread()];
  departures.add(stays);
  departures.add(goes);
  goes.emit('exit', 1);
  t.false(await departures.done());
  t.true(isHeld());
  t.true(await departures.done());
  stays.emit('exit', 1);
  t.false(isHeld());
});
