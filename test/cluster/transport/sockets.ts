/**
 * Room: tests of transport. Real sockets on loopback: a door that remembers who came and who was refused, a pair of proven
 * links, and a raw TCP connection that can say anything. Everything is closed when its test ends.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { type DialOptions, dial } from '../../../cluster/transport/dial.ts';
import type { Peer } from '../../../cluster/transport/handshake.ts';
import type { Link } from '../../../cluster/transport/link.ts';
import { type Listener, type ListenOptions, listen } from '../../../cluster/transport/listen.ts';
import type { RefusalReason } from '../../../cluster/transport/refusal.ts';
import { type MessageOf, protocolVersion } from '../../../cluster/wire/messages.ts';

export const envelope = { version: protocolVersion, generation: 3, step: 7 } as const;
export const heartbeat: MessageOf<'heartbeat'> = { ...envelope, type: 'heartbeat', ranks: [] };
export const state = (offset: number): MessageOf<'state'> => ({ ...envelope, type: 'state', offset });

/** Waits for a state that events bring about; fails after ten seconds. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 10_000; !holds(); await pause(1)) {
    if (performance.now() > deadline) throw new Error(`Expected ${what} within 10 s.`);
  }
}

export interface Door {
  readonly listener: Listener;
  readonly url: string;
  readonly peers: { readonly link: Link; readonly peer: Peer }[];
  readonly refusals: { readonly reason: RefusalReason; readonly message: string; readonly remote: string }[];
}

export async function openDoor(t: ExecutionContext, options: Partial<ListenOptions> = {}): Promise<Door> {
  const peers: Door['peers'] = [];
  const refusals: Door['refusals'] = [];
  const listener = await listen({
    host: '127.0.0.1',
    port: 0,
    onPeer: (link, peer) => peers.push({ link, peer }),
    onRefused: (reason, message, remote) => refusals.push({ reason, message, remote }),
    ...options,
  });
  t.teardown(() => listener.close());
  return { listener, url: `${options.tls === undefined ? 'ws' : 'wss'}://127.0.0.1:${listener.port}`, peers, refusals };
}

/** `dial` as host 1; the link is closed when the test ends. */
export async function dialed(t: ExecutionContext, url: string, options: Partial<DialOptions> = {}): Promise<Link> {
  const link = await dial(url, { role: 'host', id: 1, ...options });
  t.teardown(() => link.close());
  return link;
}

/** `dialed`, again and again until the door has noticed that others have left. */
export async function letIn(t: ExecutionContext, url: string): Promise<void> {
  let link: Link | undefined;
  for (const deadline = performance.now() + 10_000; link === undefined; await pause(1)) {
    link = await dialed(t, url).catch((error) => {
      if (performance.now() > deadline) throw error;
      return undefined;
    });
  }
}

/** Both ends of a proven connection. */
export async function pair(t: ExecutionContext): Promise<{ near: Link; far: Link; door: Door }> {
  const door = await openDoor(t);
  const near = await dialed(t, door.url);
  await until('a peer', () => door.peers.length === 1);
  return { near, far: door.peers[0]!.link, door };
}

/** A TCP connection without manners. */
export async function rawSocket(t: ExecutionContext, { listener: { port } }: Door): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  t.teardown(() => socket.destroy());
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** A TCP connection after a hand-made upgrade to WebSocket. */
export async function rawWebSocket(t: ExecutionContext, door: Door): Promise<Socket> {
  const socket = await rawSocket(t, door);
  const lines = ['GET / HTTP/1.1', 'Host: x', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  t.regex(answer.toString('latin1'), /^HTTP\/1\.1 101 /);
  socket.resume();
  return socket;
}

/** A WebSocket frame as a client sends it, with a mask of zeros. */
export function clientFrame(opcode: number, payload: Buffer): Buffer {
  const length = Buffer.alloc(3);
  length[0] = 0x80 | 126;
  length.writeUInt16BE(payload.length, 1);
  return Buffer.concat([Buffer.of(0x80 | opcode), length, Buffer.alloc(4), payload]);
}
