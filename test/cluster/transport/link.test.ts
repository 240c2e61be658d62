/**
 * Room: tests of transport. A link over real sockets: order, backpressure, counters, and every way it can end.
 */
import { EventEmitter } from 'node:events';
import { Socket } from 'node:net';
import test from 'ava';
import type { WebSocket } from 'ws';
import { Link } from '../../../cluster/transport/link.ts';
import { Refusal } from '../../../cluster/transport/refusal.ts';
import { encodeFrame } from '../../../cluster/wire/frame.ts';
import type { Message } from '../../../cluster/wire/messages.ts';
import { heartbeat, pair, state, until } from './sockets.ts';

test('messages and payloads arrive as they were sent, and both sides count them', async (t) => {
  const { near, far } = await pair(t);
  const before = { ...far.traffic };
  const got: [Message, number[]][] = [];
  far.onMessage((message, payload) => got.push([message, [...payload]]));
  near.send(heartbeat);
  near.send(state(16), Uint8Array.of(1, 2, 3));
  await until('two messages', () => got.length === 2);
  t.deepEqual(got, [
    [heartbeat, []],
    [state(16), [1, 2, 3]],
  ]);
  const bytes = encodeFrame(heartbeat).length + encodeFrame(state(16), Uint8Array.of(1, 2, 3)).length;
  t.is(far.traffic.bytesIn - before.bytesIn, bytes);
  t.is(far.traffic.messagesIn - before.messagesIn, 2);
  t.deepEqual([near.traffic.bytesOut, near.traffic.messagesOut], [far.traffic.bytesIn, far.traffic.messagesIn]);
  t.deepEqual([near.traffic.bytesIn, near.traffic.messagesIn], [far.traffic.bytesOut, far.traffic.messagesOut]);
});

test('half a megabyte is handed over in the call; bulk waits for a reader that does not read, and control messages overtake it', async (t) => {
  const { near, far } = await pair(t);
  const piece = new Uint8Array(256 * 1024);
  const job = (first: number, count: number) => {
    let at = 0;
    return () => (at < count ? { message: state(first + at++), payload: piece } : undefined);
  };
  await near.sendBulk(job(0, 2));
  const order: (number | string)[] = [];
  let pulled = 0;
  const long = job(2, 400);
  const all = near.sendBulk(() => {
    pulled++;
    return long();
  });
  const behind = near.sendBulk(job(402, 1));
  near.send(heartbeat);
  // The reader has no handler: it pauses, and what the kernel holds for it is far less than 100 MiB.
  await until('the kernel to be full', () => far.traffic.messagesIn > 1);
  t.true(pulled < 400, `${pulled} pieces pulled`);
  far.onMessage((message) => order.push(message.type === 'state' ? message.offset : message.type));
  await Promise.all([all, behind]);
  await until('everything', () => order.length === 404);
  t.deepEqual(
    order.filter((entry) => entry !== 'heartbeat'),
    Array.from({ length: 403 }, (_, offset) => offset),
  );
  t.true(order.indexOf('heartbeat') < 200, `the heartbeat came at ${order.indexOf('heartbeat')}`);
});

test('messages wait for a handler, in order, and go to the one that is there', async (t) => {
  const { near, far } = await pair(t);
  for (let i = 0; i < 5; i++) near.send(state(i));
  await until('the first message', () => far.traffic.messagesIn > 1);
  const first: number[] = [];
  const rest: number[] = [];
  far.onMessage((message) => {
    if (message.type === 'state') first.push(message.offset);
    far.onMessage(undefined);
  });
  await until('one message', () => first.length === 1);
  far.onMessage((message) => message.type === 'state' && rest.push(message.offset));
  await until('the other messages', () => rest.length === 4);
  t.deepEqual([first, rest], [[0], [1, 2, 3, 4]]);
});

test('a close is told once on both sides, and to whoever asks later; then nothing is sent', async (t) => {
  const { near, far } = await pair(t);
  const told: string[] = [];
  near.onClose((reason) => told.push(`near: ${reason}`));
  far.onClose((reason) => told.push(`far: ${reason}`));
  const { messagesOut } = near.traffic;
  near.send(heartbeat);
  near.close();
  near.close({ reason: 'stale', message: 'again' });
  t.true(near.closed);
  near.send(heartbeat);
  await until('both to be told', () => told.length === 2);
  t.deepEqual(told, [`near: This side closed the connection to ${near.remote}.`, `far: ${far.remote} closed the connection.`]);
  t.is(near.traffic.messagesOut, messagesOut + 1);
  t.is(near.refusal, undefined);
  far.onClose((reason) => told.push(reason));
  t.is(told.length, 2);
  await until('the late one to be told', () => told.length === 3);
  await t.throwsAsync(
    near.sendBulk(() => undefined),
    { code: 'LOCKSTEP_NETWORK' },
  );
});

test('bulk jobs that wait are rejected when the other side goes', async (t) => {
  const { near, far } = await pair(t);
  const endless = near.sendBulk(() => ({ message: state(0), payload: new Uint8Array(2 ** 18) }));
  far.onMessage(() => far.close());
  await t.throwsAsync(endless, { code: 'LOCKSTEP_NETWORK' });
});

test('a refusal thrown by a handler is counted and known on both sides', async (t) => {
  const { near, far, door } = await pair(t);
  const message = 'Expected the model abc, got xyz.\u0007';
  far.onMessage(() => {
    throw new Refusal('model', message);
  });
  near.send(heartbeat);
  near.send(heartbeat);
  await until('the refusal', () => near.closed && far.closed);
  const sentence = 'Expected the model abc, got xyz.?';
  t.deepEqual(
    door.refusals.map(({ reason, message, remote }) => [reason, message, remote]),
    [['model', sentence, far.remote]],
  );
  t.deepEqual([near.refusal?.reason, near.refusal?.message, near.refusal?.by, near.refusal?.final], ['model', sentence, 'peer', true]);
  t.deepEqual([far.refusal?.reason, far.refusal?.by], ['model', 'us']);
});

test('what a handler throws besides is a defect and not swallowed', (t) => {
  const socket = Object.assign(new EventEmitter(), { bufferedAmount: 0, readyState: 1, pause: () => {}, resume: () => {} });
  const link = new Link(socket as unknown as WebSocket, { remote: 'x:1', connection: new Socket(), onRefused: () => t.fail() });
  link.onMessage(() => {
    throw new TypeError('defect');
  });
  t.throws(() => socket.emit('message', encodeFrame(heartbeat), true), { message: 'defect' });
});
