/**
 * Room: tests of the cluster, wire. The start of a WebSocket message: there and back for every class of lengths, whole or cut, and to and
 * from the library that speaks WebSocket for everybody else.
 */
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { WebSocket, WebSocketServer } from 'ws';
import { dialerOptions, socketOptions } from '../../../cluster/transport/link.ts';
import { longestStart, messageLength, startBytes, writeStartBefore } from '../../../cluster/wire/websocket.ts';
import { refusal } from '../../data/folder.ts';
import { until } from '../transport/sockets.ts';

const lengths = [0, 1, 125, 126, 127, 255, 256, 65_535, 65_536, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 5, 2 ** 53 - 1];
const ways = [true, false] as const;

/** A start alone, behind `before` other bytes. */
function startOf(length: number, masked: boolean, before = 0): { buffer: Buffer; at: number } {
  const buffer = Buffer.alloc(before + longestStart, 0xee);
  return { buffer, at: writeStartBefore(buffer, buffer.length, length, masked) };
}

function messageOf(payload: Buffer, masked: boolean): Buffer {
  const { buffer, at } = startOf(payload.length, masked);
  return Buffer.concat([buffer.subarray(at), payload]);
}

test('a start says its length, whatever the class and wherever it stands', (t) => {
  const any = fc.oneof(fc.constantFrom(...lengths), fc.nat(200), fc.nat(70_000), fc.maxSafeNat());
  fc.assert(
    fc.property(any, fc.boolean(), fc.nat(20), (length, masked, before) => {
      const { buffer, at } = startOf(length, masked, before);
      t.is(startBytes(buffer, at, buffer.length, masked), buffer.length - at);
      t.is(messageLength(buffer, at), length);
      t.is(buffer.length - at, 2 + (length < 126 ? 0 : length < 65_536 ? 2 : 8) + (masked ? 4 : 0));
      t.true(buffer.subarray(0, at).every((byte) => byte === 0xee));
    }),
  );
});

test('the bytes of a start are those of RFC 6455', (t) => {
  const hex = (length: number, masked: boolean): string => {
    const { buffer, at } = startOf(length, masked);
    return buffer.subarray(at).toString('hex');
  };
  t.deepEqual(
    [0, 125, 126, 256, 65_535, 65_536, 2 ** 32 + 1].map((length) => hex(length, false)),
    ['8200', '827d', '827e007e', '827e0100', '827effff', '827f0000000000010000', '827f0000000100000001'],
  );
  t.deepEqual(
    [5, 256, 65_536].map((length) => hex(length, true)),
    ['828500000000', '82fe010000000000', '82ff000000000001000000000000'],
  );
});

test('a start of which not all has come is none yet, wherever it is cut', (t) => {
  for (const length of lengths) {
    for (const masked of ways) {
      const { buffer, at } = startOf(length, masked);
      for (let end = at; end < buffer.length; end++) t.is(startBytes(buffer, at, end, masked), 0, `${length} up to ${end - at}`);
      const longer = Buffer.concat([buffer, Buffer.of(1, 2, 3)]);
      t.is(startBytes(longer, at, longer.length, masked), buffer.length - at);
    }
  }
});

test('what is no binary message of one frame, or masked otherwise, is refused as soon as it shows', (t) => {
  const said = (bytes: readonly number[], masked: boolean): string => refusal('LOCKSTEP_PROTOCOL', () => startBytes(Buffer.from(bytes), 0, bytes.length, masked));
  const where = 'on the connection of a step, got';
  for (const masked of ways) {
    t.is(said([0x88], masked), `Expected a binary message ${where} the end of the connection.`);
    for (const byte of [0x00, 0x02, 0x80, 0x81, 0x89, 0x8a, 0xc2, 0xff]) {
      t.is(said([byte], masked), `Expected a binary message ${where} a frame that begins with 0x${byte.toString(16)}.`);
    }
  }
  t.is(said([0x82, 0x05], true), `Expected a message with a mask ${where} another one.`);
  t.is(said([0x82, 0x85], false), `Expected a message without a mask ${where} another one.`);
  for (const length of [5, 300, 70_000]) {
    for (const place of [1, 2, 3, 4]) {
      const { buffer, at } = startOf(length, true);
      buffer[buffer.length - place] = 1;
      t.is(said([...buffer.subarray(at)], true), `Expected a mask of zeros ${where} another one.`);
    }
  }
});

/** Both ends of a connection of ws, and the sockets under them. */
async function webSockets(t: ExecutionContext): Promise<{ client: WebSocket; server: WebSocket; clientSocket: Socket; serverSocket: Socket }> {
  const door = new WebSocketServer({ ...socketOptions, host: '127.0.0.1', port: 0 });
  await once(door, 'listening');
  const client = new WebSocket(`ws://127.0.0.1:${(door.address() as AddressInfo).port}`, dialerOptions);
  t.teardown(() => {
    client.terminate();
    door.close();
  });
  const [[server, request], [response]] = await Promise.all([once(door, 'connection'), once(client, 'upgrade'), once(client, 'open')]);
  return { client, server, clientSocket: response.socket, serverSocket: request.socket };
}

const payloads = [0, 1, 125, 126, 65_535, 65_536, 200_000].map((length) => Buffer.from(Uint8Array.from({ length }, (_, i) => i * 7)));

test('ws reads what is written here, from a dialer with a mask and from a listener without', async (t) => {
  const { client, server, clientSocket, serverSocket } = await webSockets(t);
  for (const [reader, socket, masked] of [
    [server, clientSocket, true],
    [client, serverSocket, false],
  ] as const) {
    const got: Buffer[] = [];
    reader.on('message', (message, isBinary) => {
      t.true(isBinary);
      got.push(message as Buffer);
    });
    socket.write(Buffer.concat(payloads.map((payload) => messageOf(payload, masked))));
    await until('all messages', () => got.length === payloads.length);
    for (const [i, payload] of payloads.entries()) t.is(Buffer.compare(got[i]!, payload), 0, `${payload.length} bytes`);
  }
});

test('what ws writes is read here, with the mask of a dialer', async (t) => {
  const { client, server, clientSocket, serverSocket } = await webSockets(t);
  for (const [writer, socket, masked] of [
    [client, serverSocket, true],
    [server, clientSocket, false],
  ] as const) {
    const chunks: Buffer[] = [];
    const collect = (chunk: Buffer): void => void chunks.push(chunk);
    socket.on('data', collect);
    for (const payload of payloads) writer.send(payload);
    const expected = payloads.map((payload) => messageOf(payload, masked));
    const total = expected.reduce((sum, { length }) => sum + length, 0);
    await until('all bytes', () => chunks.reduce((sum, { length }) => sum + length, 0) >= total);
    socket.off('data', collect);
    const bytes = Buffer.concat(chunks);
    let at = 0;
    for (const payload of payloads) {
      const start = startBytes(bytes, at, bytes.length, masked);
      t.true(start > 0);
      t.is(messageLength(bytes, at), payload.length);
      t.is(Buffer.compare(bytes.subarray(at + start, at + start + payload.length), payload), 0, `${payload.length} bytes`);
      at += start + payload.length;
    }
    t.is(at, bytes.length);
  }
});
