/**
 * Room: tests of transport. Attempts that fail, each with its sentence, and the time between attempts.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import test from 'ava';
import fc from 'fast-check';
import { backoff, dial } from '../../../cluster/transport/dial.ts';
import { Refusal } from '../../../cluster/transport/refusal.ts';
import { openDoor, until } from './sockets.ts';

const host = { role: 'host', id: 1 } as const;

test('URLs that are none are refused before anything is tried', async (t) => {
  const rule = 'Expected a URL like ws://HOST:PORT or wss://HOST:PORT, got';
  for (const [url, rest] of [
    ['http://h:1', '; write ws:// in place of http.'],
    ['https://h:1', '; write wss:// in place of http.'],
    ['ws://h', '.'],
    ['ws://h:0', '; ports go from 1 to 65535.'],
    ['ws://h:65536', '; ports go from 1 to 65535.'],
    ['h:1', '.'],
    ['', '.'],
    ['ws://user:pass@h:1', '.'],
    ['ws://h:1/path', '.'],
    ['ws://[::1:1', '.'],
    ['ws://h :1', '.'],
  ] as const) {
    await t.throwsAsync(dial(url, host), { code: 'LOCKSTEP_USAGE', message: `${rule} \`${JSON.stringify(url)}\`${rest}` });
  }
});

test('nobody at the other end: the URL and the cause', async (t) => {
  const door = await openDoor(t);
  await door.listener.close();
  const error = await t.throwsAsync(dial(door.url, host), { code: 'LOCKSTEP_NETWORK' });
  t.false(error instanceof Refusal);
  t.is(error?.message, `Expected a host of Lockstep to answer at ${door.url}, got connect ECONNREFUSED ${door.url.slice(5)}.`);
});

test('somebody who never answers, and one who can be given up', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await once(server, 'listening');
  server.on('connection', (socket) => t.teardown(() => socket.destroy()));
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await t.throwsAsync(dial(url, { ...host, timeoutMs: 50 }), {
    code: 'LOCKSTEP_NETWORK',
    message: `Expected a host of Lockstep to answer at ${url}, got Opening handshake has timed out.`,
  });
  const controller = new AbortController();
  const attempt = dial(url, { ...host, signal: controller.signal });
  await once(server, 'connection');
  controller.abort();
  const givenUp = { code: 'LOCKSTEP_NETWORK', message: `The attempt to reach ${url} was given up.` };
  await t.throwsAsync(attempt, givenUp);
  await t.throwsAsync(dial(url, { ...host, signal: controller.signal }), givenUp);
});

test('somebody who speaks another protocol', async (t) => {
  const server = createServer((socket) => socket.end('220 mail.example.org ESMTP\r\n')).listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await once(server, 'listening');
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await t.throwsAsync(dial(url, host), { code: 'LOCKSTEP_NETWORK', message: /^Expected a host of Lockstep to answer at .*, got Parse Error/ });
});

test('a signal has no effect on an open link', async (t) => {
  const door = await openDoor(t);
  const controller = new AbortController();
  const link = await dial(door.url, { ...host, signal: controller.signal });
  t.teardown(() => link.close());
  controller.abort();
  await until('the peer', () => door.peers.length === 1);
  t.false(link.closed);
});

test('waits double up to ten seconds, and jitter takes at most half', (t) => {
  t.deepEqual(
    [0, 1, 2, 3, 4, 5, 6, 1000, 2000].map((attempt) => backoff(attempt, 0)),
    [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000],
  );
  fc.assert(
    fc.property(fc.nat(100_000), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (attempt, jitter) => {
      const [whole, part] = [backoff(attempt, 0), backoff(attempt, jitter)];
      t.true(part <= whole && part >= whole / 2);
    }),
  );
});
