/**
 * Room: tests of transport. A connection goes on over its descriptor after Node's socket has gone, and what fails there is told by name.
 */
import { once } from 'node:events';
import test from 'ava';
import { PollSet, SystemCallFailed, systemCalls, takeDescriptor, wouldBlock } from '../../../cluster/transport/descriptor.ts';
import { calls, descriptors, socketPair, system, withCalls } from './descriptors.ts';
import { until } from './sockets.ts';

const bufferOf = (text: string): Buffer => {
  const buffer = Buffer.allocUnsafeSlow(text.length);
  buffer.write(text);
  return buffer;
};

/** Sends all of a text. */
function say(descriptor: number, text: string): void {
  const buffer = bufferOf(text);
  if (calls.send(descriptor, calls.addressOf(buffer), buffer.length, false) !== buffer.length) throw new Error('Expected room for a few bytes, got none.');
}

/** What is there, as a text; undefined when nothing is. */
function hear(descriptor: number): string | undefined {
  const buffer = Buffer.allocUnsafeSlow(100);
  const bytes = calls.receive(descriptor, calls.addressOf(buffer), buffer.length);
  return bytes === wouldBlock ? undefined : buffer.toString('latin1', 0, bytes);
}

function wait(descriptor: number, forBytes: boolean, forRoom: boolean, ms: number): number {
  const poll = new PollSet(1);
  poll.set(0, descriptor, forBytes, forRoom);
  const began = performance.now();
  calls.poll(calls.addressOf(poll.bytes), 1, ms);
  return performance.now() - began;
}

test('the calls are loaded once, or a reason is told', (t) => {
  t.is(systemCalls(), system);
  if (!system.ok) t.regex(system.reason, /\w+/);
  else t.is(process.platform === 'win32', false);
});

withCalls("bytes flow over the duplicate after Node's socket is gone, in both directions", async (t) => {
  const [near, far] = await socketPair(t);
  const ended: string[] = [];
  far.on('end', () => ended.push('end')).on('error', (error) => ended.push(error.message));
  const heard: Buffer[] = [];
  far.on('data', (chunk) => heard.push(chunk));
  const own = takeDescriptor(near, calls)!;
  await once(near, 'close');
  t.true(near.destroyed);
  say(own, 'hello');
  await until('the greeting', () => Buffer.concat(heard).toString() === 'hello');
  t.is(hear(own), undefined, 'nothing is there');
  far.write('answer');
  t.true(wait(own, true, false, 10_000) < 9000);
  t.is(hear(own), 'answer');
  t.deepEqual(ended, [], 'the other side sees no end');
  calls.close(own);
  await until('the end', () => ended.length > 0);
  t.deepEqual(ended, ['end']);
});

withCalls('a descriptor of a closed socket, or of one with bytes to write, is not taken', async (t) => {
  const [near, far] = await socketPair(t);
  near.destroy();
  t.is(takeDescriptor(near, calls), undefined);
  const chunk = Buffer.alloc(2 ** 20);
  while (far.writableLength === 0) far.write(chunk);
  t.is(takeDescriptor(far, calls), undefined);
});

withCalls('poll wakes for bytes, for room and for an end, and else when its time is over', async (t) => {
  const [near, far, closeFar] = await descriptors(t, calls);
  t.true(wait(near, true, false, 20) >= 19, 'nothing is there');
  t.true(wait(near, true, true, 10_000) < 9000, 'there is room');
  say(far, 'x');
  t.true(wait(near, true, false, 10_000) < 9000, 'a byte is there');
  t.is(hear(near), 'x');
  const buffer = Buffer.allocUnsafeSlow(2 ** 20);
  while (calls.send(near, calls.addressOf(buffer), buffer.length, false) !== wouldBlock);
  t.true(wait(near, false, true, 20) >= 19, 'there is no room');
  closeFar();
  t.true(wait(near, true, false, 10_000) < 9000, 'the other side has gone');
});

withCalls('one poll looks at several connections, those before its count', async (t) => {
  const [[first, farFirst], [second, farSecond]] = await Promise.all([descriptors(t, calls), descriptors(t, calls)]);
  const poll = new PollSet(2);
  poll.set(0, first, true, false);
  poll.set(1, second, true, false);
  const took = (count: number): number => {
    const began = performance.now();
    calls.poll(calls.addressOf(poll.bytes), count, 20);
    return performance.now() - began;
  };
  say(farSecond, 'x');
  t.true(took(1) >= 19);
  const began = performance.now();
  calls.poll(calls.addressOf(poll.bytes), 2, 10_000);
  t.true(performance.now() - began < 9000);
  t.is(hear(first), undefined);
  t.is(hear(second), 'x');
  say(farFirst, 'y');
  t.is(hear(first), 'y');
});

withCalls('an end is zero bytes; what fails is told with its name', async (t) => {
  const [near, far, closeFar] = await descriptors(t, calls);
  say(far, 'last');
  closeFar();
  t.is(hear(near), 'last');
  t.is(hear(near), '');
  const failure = (act: () => unknown): string => {
    const error = t.throws(act);
    t.true(error instanceof SystemCallFailed);
    return error!.message;
  };
  t.is(
    failure(() => hear(-1)),
    'receiving failed with EBADF',
  );
  t.is(
    failure(() => say(-1, 'x')),
    'sending failed with EBADF',
  );
  t.is(
    failure(() => calls.duplicate(-1)),
    'duplicating a descriptor failed with EBADF',
  );
  // The first bytes are answered with a reset, after which there is nobody to send to.
  const broken = failure(() => {
    for (;;) say(near, 'x');
  });
  t.regex(broken, /^sending failed with (?:EPIPE|ECONNRESET)$/);
});

withCalls('shared memory and buffers have addresses, as do parts of them', (t) => {
  const shared = new Uint8Array(new SharedArrayBuffer(64));
  t.is(calls.addressOf(shared.subarray(8)) - calls.addressOf(shared), 8);
  const buffer = Buffer.allocUnsafeSlow(64);
  t.is(calls.addressOf(buffer.subarray(24)) - calls.addressOf(buffer), 24);
});
