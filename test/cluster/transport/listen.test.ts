/**
 * Room: tests of transport. A door among strangers: whatever they send or do not send, they are dropped and counted, proven
 * peers stay, and the process lives. TLS with a certificate made here.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { WebSocket } from 'ws';
import { maxFrameBytes } from '../../../cluster/transport/link.ts';
import { Refusal } from '../../../cluster/transport/refusal.ts';
import { encodeFrame } from '../../../cluster/wire/frame.ts';
import { clientFrame, type Door, dialed, heartbeat, letIn, openDoor, pair, rawSocket, rawWebSocket, until } from './sockets.ts';

/** Bytes that look like nothing, the same in every run. */
const noise = Buffer.from(Array.from({ length: 1000 }, (_, i) => (i * i * 31 + i * 7 + 129) % 256));

/** The socket was dropped, one refusal was counted, and the door still lets a host in. */
async function dropped(t: ExecutionContext, door: Door, socket: Socket, reason: string, message: RegExp): Promise<void> {
  await until('the connection to be dropped', () => socket.closed);
  t.deepEqual(
    door.refusals.map((refusal) => refusal.reason),
    [reason] as unknown[],
  );
  t.regex(door.refusals[0]!.message, message);
  t.regex(door.refusals[0]!.remote, /^127\.0\.0\.1:\d+$/);
  await dialed(t, door.url);
}

test('a connection that never says anything is dropped', async (t) => {
  const door = await openDoor(t, { timeoutMs: 500 });
  await dropped(t, door, await rawSocket(t, door), 'timeout', /at most 500 ms/);
});

test('a connection that never ends its request is dropped', async (t) => {
  const door = await openDoor(t, { timeoutMs: 500 });
  const socket = await rawSocket(t, door);
  socket.write('GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ');
  await dropped(t, door, socket, 'timeout', /at most 500 ms/);
});

test('a WebSocket that does not answer the challenge is dropped', async (t) => {
  const door = await openDoor(t, { timeoutMs: 500 });
  await dropped(t, door, await rawWebSocket(t, door), 'timeout', /at most 500 ms/);
});

test('bytes that are no HTTP are dropped', async (t) => {
  const door = await openDoor(t);
  const socket = await rawSocket(t, door);
  socket.resume();
  socket.write(noise);
  await dropped(t, door, socket, 'protocol', /^Expected the HTTP request of a WebSocket, got something else \(HPE_/);
});

test('an endless header is dropped', async (t) => {
  const door = await openDoor(t);
  const socket = await rawSocket(t, door);
  socket.resume();
  socket.write(`GET / HTTP/1.1\r\nX: ${'x'.repeat(40_000)}`);
  await dropped(t, door, socket, 'size', /HPE_HEADER_OVERFLOW/);
});

test('an upgrade to something else is dropped', async (t) => {
  const door = await openDoor(t);
  const socket = await rawSocket(t, door);
  socket.resume();
  socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n');
  await dropped(t, door, socket, 'protocol', /Invalid Upgrade header/);
});

test('a length field of 2 GiB is dropped without waiting for the bytes', async (t) => {
  const door = await openDoor(t);
  const socket = await rawWebSocket(t, door);
  socket.write(Buffer.of(0x82, 0xff, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0));
  await dropped(t, door, socket, 'size', new RegExp(`at most ${maxFrameBytes} bytes`));
});

test('a length field beyond 2^53 is dropped', async (t) => {
  const door = await openDoor(t);
  const socket = await rawWebSocket(t, door);
  socket.write(Buffer.of(0x82, 0xff, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0));
  await dropped(t, door, socket, 'size', new RegExp(`at most ${maxFrameBytes} bytes`));
});

const text = Buffer.from('{"type":"hello"}');
const strange: readonly [what: string, bytes: Buffer, reason: string, message: RegExp][] = [
  ['noise after the upgrade', Buffer.concat([Buffer.of(0xff), noise]), 'protocol', /^Expected frames of the WebSocket protocol/],
  ['an unknown opcode', clientFrame(5, text), 'protocol', /invalid opcode 5/],
  ['a text message', clientFrame(1, text), 'protocol', /got a text message/],
  ['text that is no UTF-8', clientFrame(1, Buffer.of(0xff, 0xfe)), 'protocol', /invalid UTF-8/],
  ['a binary message that is no frame', clientFrame(2, noise), 'protocol', /^Expected a header/],
  ['an empty binary message', clientFrame(2, Buffer.alloc(0)), 'protocol', /^Expected a frame of at least 4 bytes, got 0/],
  ['5,000 bytes before the hello', clientFrame(2, Buffer.alloc(5000)), 'size', /at most 4096 bytes before the end of the handshake/],
  ['the first bytes of a long message before the hello', clientFrame(2, Buffer.alloc(50_000)).subarray(0, 5000), 'size', /at most 4096 bytes/],
];

for (const [what, bytes, reason, message] of strange) {
  test(`${what}: dropped`, async (t) => {
    const door = await openDoor(t);
    const socket = await rawWebSocket(t, door);
    socket.write(bytes);
    await dropped(t, door, socket, reason, message);
  });
}

test('a proven peer may send a long message and no longer one', async (t) => {
  const { near, far, door } = await pair(t);
  let got = 0;
  far.onMessage((_message, payload) => {
    got = payload.length;
  });
  const room = maxFrameBytes - encodeFrame(heartbeat).length;
  near.send(heartbeat, new Uint8Array(room));
  await until('the long message', () => got === room);
  near.send(heartbeat, new Uint8Array(room + 1));
  await until('the refusal', () => near.closed);
  t.is(door.refusals[0]!.reason, 'size');
  t.is(far.refusal?.reason, 'size');
});

test('a page gets a sentence, and a script of a page gets nowhere', async (t) => {
  const door = await openDoor(t);
  const [response] = (await once(get(door.url.replace('ws', 'http')), 'response')) as [IncomingMessage];
  const [body] = (await once(response.setEncoding('utf8'), 'data')) as [string];
  t.is(response.statusCode, 426);
  t.regex(body, /^Expected a host of Lockstep, .*`lockstep join`\.\n$/);
  t.deepEqual(door.refusals, []);
  const script = new WebSocket(door.url, { origin: 'https://example.org' });
  const [error] = (await once(script, 'error')) as [Error];
  t.regex(error.message, /403/);
  t.is(door.refusals[0]!.message, 'Expected a host, got a web page.');
});

test('one connection more than there may be is told so, and let in when another has left', async (t) => {
  const door = await openDoor(t, { maxConnections: 1 });
  const first = await dialed(t, door.url);
  const error = await t.throwsAsync(dialed(t, door.url), { instanceOf: Refusal, message: /^Expected at most 1 connections, got one more/ });
  t.deepEqual([error?.reason, error?.final], ['connections', false]);
  t.is(door.refusals[0]!.reason, 'connections');
  first.close();
  await letIn(t, door.url);
});

test('strangers that keep their connections open are limited', async (t) => {
  const door = await openDoor(t, { maxUnproven: 2 });
  const sockets = await Promise.all([0, 1, 2].map(() => rawSocket(t, door)));
  for (const socket of sockets) socket.resume();
  await until('one to be dropped', () => sockets.some(({ closed }) => closed));
  t.is(sockets.filter(({ closed }) => closed).length, 1);
  t.deepEqual(
    door.refusals.map(({ reason }) => reason),
    ['connections'],
  );
  for (const socket of sockets) socket.destroy();
  await letIn(t, door.url);
});

test('closing the door closes every connection, and asking twice is one close', async (t) => {
  const { near, far, door } = await pair(t);
  const stranger = await rawSocket(t, door);
  const { listener } = door;
  t.is(listener.close(), listener.close());
  await listener.close();
  await until('all to be closed', () => near.closed && far.closed && stranger.closed);
  await t.throwsAsync(dialed(t, door.url), { code: 'LOCKSTEP_NETWORK', message: /ECONNREFUSED/ });
});

test('a port that is taken and an address that is not there are told from each other', async (t) => {
  const { port } = (await openDoor(t)).listener;
  await t.throwsAsync(openDoor(t, { port }), {
    code: 'LOCKSTEP_NETWORK',
    message: `Expected port ${port} of 127.0.0.1 to be free, got EADDRINUSE; choose another with --listen.`,
  });
  await t.throwsAsync(openDoor(t, { host: '192.0.2.1' }), {
    code: 'LOCKSTEP_NETWORK',
    message: /^Expected 192\.0\.2\.1 port 0 to be an address of this machine, got EADDRNOTAVAIL/,
  });
  await t.throwsAsync(openDoor(t, { port: 70_000 }), { code: 'LOCKSTEP_USAGE' });
  await t.throwsAsync(openDoor(t, { tls: { cert: 'no', key: 'pem' } }), { code: 'LOCKSTEP_USAGE', message: /^Expected a TLS certificate and its key in PEM/ });
});

/** A key and a certificate for 127.0.0.1, signed by itself; undefined where there is no openssl. */
function selfSigned(): { key: string; cert: string } | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-tls-'));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=lockstep', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
  try {
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', cert, ...subject], {
      stdio: 'ignore',
    });
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
  } catch {
    return undefined;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const tls = selfSigned();
const tlsTest = tls === undefined ? test.skip : test;
const skipped = tls === undefined ? ' (NOT TESTED: no openssl)' : '';

tlsTest(`wss with a certificate that the dialer was given${skipped}`, async (t) => {
  const door = await openDoor(t, { tls, token: 'secret' });
  const link = await dialed(t, door.url, { tlsCa: tls!.cert, token: 'secret' });
  await until('a peer', () => door.peers.length === 1);
  let bytes = 0;
  door.peers[0]!.link.onMessage((_message, payload) => {
    bytes += payload.length;
  });
  let left = 40;
  await link.sendBulk(() => (left-- > 0 ? { message: heartbeat, payload: new Uint8Array(2 ** 18) } : undefined));
  await until('10 MiB', () => bytes === 40 * 2 ** 18);
  t.is(door.peers[0]!.link.remote.split(':')[0], '127.0.0.1');
});

tlsTest(`wss: strangers to the certificate, plain text and silence are dropped${skipped}`, async (t) => {
  const door = await openDoor(t, { tls, timeoutMs: 1000 });
  await t.throwsAsync(dialed(t, door.url), { code: 'LOCKSTEP_NETWORK', message: /self-signed certificate/ });
  await t.throwsAsync(dialed(t, door.url.replace('wss', 'ws')), { code: 'LOCKSTEP_NETWORK' });
  const [plain, silent] = [await rawSocket(t, door), await rawSocket(t, door)];
  plain.resume();
  plain.write('GET / HTTP/1.1\r\n\r\n');
  await until('both to be dropped', () => plain.closed && silent.closed);
  t.true(door.refusals.some(({ reason }) => reason === 'timeout'));
  t.true(door.refusals.some(({ reason, message }) => reason === 'protocol' && message.startsWith('Expected a TLS connection')));
  await dialed(t, door.url, { tlsCa: tls!.cert });
});
