/**
 * Room: tests of the cluster, integration. A hundred thousand mutated messages to a live run, to the coordinator and to a host of the
 * mesh, from peers that know the token and from some that do not: no process ends, and the weights are those of a run without them.
 */
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { encodeFrame } from '../../../cluster/wire/frame.ts';
import { type Message, messageKinds } from '../../../cluster/wire/messages.ts';
import { messagesOf } from '../wire/arbitrary.ts';
import { deadlineMs, freePort, party, recipe } from './party.ts';
import { envelope, insider, type Stranger, stranger } from './peers.ts';

const run = recipe();
const frames = 100_000;
const seed = 20_260_101;
/** Frames that a connection is sent at once, as long as it is open. */
const burst = 20;
/** Peers at a time. */
const peers = 8;

/** Of every kind; half of them as a host without a generation says them. */
const valid: readonly Buffer[] = [...messageKinds.keys()].flatMap((type) =>
  fc.sample(messagesOf(type), { seed, numRuns: 20 }).map((message, i) => {
    const said = i % 2 === 0 ? message : ({ ...message, ...envelope } as Message);
    return encodeFrame(said, new Uint8Array(8 * (i % 5)).fill(i));
  }),
);

/** Whole numbers below a bound, from a seed (xorshift). */
function numbersFrom(start: number): (below: number) => number {
  let x = start;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

/** A valid frame with some bits flipped, bytes overwritten, cut or added; one in eight as it is. */
function mutated(random: (below: number) => number): Buffer {
  const frame = Buffer.from(valid[random(valid.length)]!);
  switch (random(8)) {
    case 0:
      return frame;
    case 1:
      return frame.subarray(0, random(frame.length));
    case 2:
      return Buffer.concat([frame, Buffer.alloc(1 + random(40), random(256))]);
    case 3:
      frame.writeUInt32LE((random(2 ** 16) * 2 ** 16 + random(2 ** 16)) >>> 0, 0);
      return frame;
    case 4:
      frame.fill(random(256), random(frame.length));
      return frame;
    default:
      for (let flips = 1 + random(4); flips > 0; flips--) frame[random(frame.length)]! ^= 1 << random(8);
      return frame;
  }
}

/** Resolves when the other side has taken all that it was sent, or has dropped us. */
function answered({ socket, end }: Stranger): Promise<unknown> {
  const pong = new Promise((resolve) => {
    socket.once('pong', resolve).once('close', resolve);
  });
  if (socket.readyState === socket.OPEN) socket.ping();
  return Promise.race([pong, end]);
}

/** Sends frames, on a new connection whenever one was dropped; every fourth never proves itself. Returns how many connections that took. */
async function pester(t: ExecutionContext, url: string, role: 'host' | 'peer', count: number, start: number): Promise<number> {
  const random = numbersFrom(start);
  let connections = 0;
  let one: Stranger | undefined;
  for (let sent = 0; sent < count; ) {
    if (!one || one.link.closed) {
      one?.socket.terminate();
      connections++;
      // No host has such a high number.
      one = connections % 4 === 0 ? await stranger(t, url) : await insider(t, url, run.secret, { role, id: 1000 + connections, generation: role === 'peer' ? 1000 : 0 });
      if (role === 'host' && connections % 2 === 0) one.link.send({ ...envelope, type: 'apply', name: 'fuzz', workers: 1, address: '', metrics: '' });
    }
    for (let i = 0; i < burst && sent < count; i++, sent++) one.socket.send(mutated(random));
    await answered(one);
  }
  one?.socket.terminate();
  return connections;
}

test.serial('a hundred thousand mutated messages change nothing', async (t) => {
  const cluster = await party(t, run, { workers: 1, flags: ['--min-hosts', '3'] });
  const port = await freePort();
  const hosts = [cluster.join('first', '--workers', '1', '--mesh-listen', `127.0.0.1:${port}`), cluster.join('second', '--workers', '1')];
  await cluster.reaches(10);
  const connections = await Promise.all(
    Array.from({ length: peers }, (_, i) => {
      const toMesh = i % 4 === 3;
      return pester(t, toMesh ? `ws://127.0.0.1:${port}` : cluster.url, toMesh ? 'peer' : 'host', frames / peers, seed + i);
    }),
  );
  t.log(`${frames} frames over ${connections.reduce((a, b) => a + b, 0)} connections, ${cluster.step} steps meanwhile`);
  t.true(connections.every((count) => count > 10));
  await cluster.advances(20);
  const output = await cluster.finish(t);
  t.false(/host (first|second) was lost/.test(output), 'the run was not disturbed');
  for (const host of hosts) t.regex(await host.succeeds(deadlineMs), /The run is done/);
});
