/**
 * Room: tests of transport. Who gets in: tokens of both sides, listeners that prove nothing, other versions, wrong turns.
 */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { WebSocket, WebSocketServer } from 'ws';
import { dial } from '../../../cluster/transport/dial.ts';
import { Refusal } from '../../../cluster/transport/refusal.ts';
import { decodeFrame, encodeFrame } from '../../../cluster/wire/frame.ts';
import type { Message } from '../../../cluster/wire/messages.ts';
import { dialed, envelope, heartbeat, openDoor, until } from './sockets.ts';

const digest = '0'.repeat(64);
const mend = 'give both sides the same --token-file';

const wrong = [
  { listener: 'secret', dialer: 'guess', sentence: `Expected a proof of the run's token, got a wrong one; ${mend}.` },
  { listener: 'secret', dialer: undefined, sentence: `Expected a proof of the run's token, got none; ${mend}.` },
  { listener: undefined, dialer: 'secret', sentence: `Expected no token, got a proof of one; ${mend}, or neither one.` },
];

for (const token of ['secret', undefined]) {
  test(`both sides ${token === undefined ? 'without a token' : 'with the same token'} get together and know each other`, async (t) => {
    const door = await openDoor(t, { token });
    const link = await dialed(t, door.url, { token, role: 'peer', id: 42, generation: 5 });
    await until('a peer', () => door.peers.length === 1);
    t.deepEqual(door.peers[0]!.peer, { role: 'peer', id: 42, generation: 5 });
    t.is(`ws://${link.remote}`, door.url);
    t.deepEqual(door.refusals, []);
  });
}

for (const { listener, dialer, sentence } of wrong) {
  test(`a listener ${listener ? 'with' : 'without'} a token refuses a dialer with ${dialer ?? 'none'}, and both know why`, async (t) => {
    const door = await openDoor(t, { token: listener });
    const error = await t.throwsAsync(dialed(t, door.url, { token: dialer }), { instanceOf: Refusal, code: 'LOCKSTEP_NETWORK', message: sentence });
    t.deepEqual([error?.reason, error?.by, error?.final], ['token', 'peer', true]);
    t.deepEqual(
      door.refusals.map(({ reason, message }) => [reason, message]),
      [['token', sentence]],
    );
    t.deepEqual(door.peers, []);
  });
}

test('an empty token is a mistake, not no token', async (t) => {
  const expected = { code: 'LOCKSTEP_USAGE', message: /^Expected `token` to be a secret, got an empty text/ } as const;
  await t.throwsAsync(openDoor(t, { token: '' }), expected);
  await t.throwsAsync(dial('ws://127.0.0.1:1', { token: '', role: 'host', id: 0 }), expected);
});

/** A listener that answers the opening, and then every message, with what it was told to say. */
async function impostor(t: ExecutionContext, ...says: object[]): Promise<{ url: string; heard: Message[] }> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  t.teardown(() => server.close());
  const heard: Message[] = [];
  server.on('connection', (socket) => {
    t.teardown(() => socket.terminate());
    const say = () => says.length > 0 && socket.send(encodeFrame({ ...envelope, ...says.shift() } as Message));
    socket.on('message', (frame) => {
      heard.push(decodeFrame(frame as Buffer).message);
      say();
    });
    say();
  });
  await once(server, 'listening');
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`, heard };
}

test('a dialer refuses a listener that cannot prove the token, and tells it', async (t) => {
  const { url, heard } = await impostor(t, { type: 'challenge', nonce: digest }, { type: 'welcome', proof: digest });
  const error = await t.throwsAsync(dialed(t, url, { token: 'secret' }), { instanceOf: Refusal, message: wrong[0]!.sentence });
  t.deepEqual([error?.reason, error?.by], ['token', 'us']);
  await until('two messages', () => heard.length === 2);
  t.like(heard[1], { type: 'refused', reason: 'token', message: wrong[0]!.sentence });
});

test("a listener that sends the dialer's own proof back is refused", async (t) => {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  t.teardown(() => server.close());
  server.on('connection', (socket) => {
    t.teardown(() => socket.terminate());
    socket.on('message', (frame) => {
      const { message } = decodeFrame(frame as Buffer);
      if (message.type === 'hello') socket.send(encodeFrame({ ...envelope, type: 'welcome', proof: message.proof }));
    });
    socket.send(encodeFrame({ ...envelope, type: 'challenge', nonce: digest }));
  });
  await once(server, 'listening');
  await t.throwsAsync(dialed(t, `ws://127.0.0.1:${(server.address() as AddressInfo).port}`, { token: 'secret' }), { instanceOf: Refusal, message: /got a wrong one/ });
});

test('a listener of another version is refused with a sentence about versions', async (t) => {
  const { url } = await impostor(t, { type: 'challenge', nonce: digest, version: 2 });
  const error = await t.throwsAsync(dialed(t, url), { instanceOf: Refusal, message: /version 1, got 2/ });
  t.deepEqual([error?.reason, error?.final], ['version', true]);
});

/** What the listener says to a dialer that answers its challenge with `answer`, until it closes. */
async function answering(t: ExecutionContext, url: string, answer: object): Promise<Message[]> {
  const socket = new WebSocket(url);
  t.teardown(() => socket.terminate());
  const heard: Message[] = [];
  socket.on('message', (frame) => {
    heard.push(decodeFrame(frame as Buffer).message);
    if (heard.length === 1) socket.send(encodeFrame(answer as Message));
  });
  await once(socket, 'close');
  return heard;
}

test('a dialer of another version is told about versions', async (t) => {
  const door = await openDoor(t);
  const heard = await answering(t, door.url, { ...envelope, version: 2, type: 'hello', nonce: digest, proof: digest, role: 'host', id: 1 });
  t.like(heard.at(-1), { type: 'refused', reason: 'version' });
  t.regex(door.refusals[0]!.message, /version 1, got 2/);
});

for (const message of [heartbeat, { ...envelope, type: 'welcome', proof: digest }, { ...envelope, type: 'ready' }]) {
  test(`\`${message.type}\` in place of the hello is refused`, async (t) => {
    const door = await openDoor(t);
    const heard = await answering(t, door.url, message);
    const sentence = `Expected the message \`hello\` of the handshake, got \`${message.type}\`.`;
    t.like(heard.at(-1), { type: 'refused', reason: 'protocol', message: sentence });
    t.is(door.refusals[0]!.message, sentence);
    t.deepEqual(door.peers, []);
  });
}
