/** Room: tests of transport. A connection that is taken from its link: it goes on without it, or stays where it was. */
import { SystemCallFailed } from '../../../cluster/transport/descriptor.ts';
import { encodeFrame } from '../../../cluster/wire/frame.ts';
import { calls, withCalls } from './descriptors.ts';
import { heartbeat, pair, until } from './sockets.ts';

withCalls('a connection goes on without its link, and ends with the descriptor', async (t) => {
  const { near, far } = await pair(t);
  const got: unknown[] = [];
  const ends: string[] = [];
  near.onMessage((message) => got.push(message));
  near.onClose((reason) => ends.push(reason));
  const descriptor = far.detach(calls)!;
  t.true(far.closed);
  const frame = encodeFrame(heartbeat);
  const bytes = Buffer.allocUnsafeSlow(2 + frame.length);
  bytes.set([0x82, frame.length, ...frame]);
  t.is(calls.send(descriptor, calls.addressOf(bytes), bytes.length, false), bytes.length);
  await until('a message', () => got.length === 1);
  t.deepEqual([got, ends, far.detach(calls)], [[heartbeat], [], undefined]);
  calls.close(descriptor);
  await until('the end', () => ends.length === 1);
});

withCalls('without a descriptor left, the link keeps its connection', async (t) => {
  const { near, far } = await pair(t);
  const duplicate = (): number => {
    throw new SystemCallFailed('duplicating a descriptor failed with EMFILE');
  };
  t.is(far.detach({ ...calls, duplicate }), undefined);
  const got: unknown[] = [];
  near.onMessage((message) => got.push(message));
  far.send(heartbeat);
  await until('a message', () => got.length === 1);
  t.false(far.closed);
});
