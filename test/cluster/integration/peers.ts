/**
 * Room: tests of the cluster, integration. Hand-made peers of a live run: connections that say what no host would, proven or not, and
 * what they are told before they are dropped.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { ExecutionContext } from 'ava';
import { WebSocket } from 'ws';
import type { Peer } from '../../../cluster/transport/handshake.ts';
import { offerHandshake } from '../../../cluster/transport/handshake.ts';
import { dialerOptions, Link } from '../../../cluster/transport/link.ts';
import type { Refusal } from '../../../cluster/transport/refusal.ts';
import { packHeader } from '../../../cluster/wire/header.ts';
import { type Message, protocolVersion } from '../../../cluster/wire/messages.ts';

export const envelope = { version: protocolVersion, generation: 0, step: 0 } as const;

/** A WebSocket to a host, and how it ends. */
export interface Stranger {
  readonly socket: WebSocket;
  /** The TCP connection below it, for bytes that are no frames. */
  readonly raw: Socket;
  readonly link: Link;
  /** HOST:PORT of this end, as the other side names it. */
  readonly address: string;
  /** Messages that came since the handshake. */
  readonly heard: Message[];
  /** Why it ended: the other side's refusal, or undefined when it said none. */
  readonly end: Promise<Refusal | undefined>;
}

/** Opens a WebSocket, listens, and says nothing. */
export async function stranger(t: ExecutionContext, url: string): Promise<Stranger> {
  const one = await open(t, url);
  one.link.onMessage((message) => one.heard.push(message));
  return one;
}

/** The TCP connection below a WebSocket. */
export function connectionOf(socket: WebSocket): Socket {
  return (socket as unknown as { readonly _socket: Socket })._socket;
}

async function open(t: ExecutionContext, url: string): Promise<Stranger> {
  const socket = new WebSocket(url, dialerOptions);
  socket.on('error', () => {});
  t.teardown(() => socket.terminate());
  // The listener speaks first: the link must be there by then.
  const link = await new Promise<Link>((resolve, reject) => {
    socket.once('error', reject).once('open', () => resolve(new Link(socket, { remote: url, connection: connectionOf(socket) })));
  });
  const raw = connectionOf(socket);
  const heard: Message[] = [];
  const end = new Promise<Refusal | undefined>((resolve) => {
    link.onClose(() => resolve(link.refusal));
  });
  return { socket, raw, link, address: `${raw.localAddress}:${raw.localPort}`, heard, end };
}

/** A stranger that knows the token: a host for the coordinator, unless another role is given. */
export async function insider(t: ExecutionContext, url: string, token: string, peer: Peer = { role: 'host', id: 0, generation: 0 }): Promise<Stranger> {
  const one = await open(t, url);
  await offerHandshake(one.link, token, peer);
  one.link.onMessage((message) => one.heard.push(message));
  return one;
}

/** A frame with any header and no payload. */
export function frameOf(header: object): Buffer {
  const packed = Buffer.from(packHeader(header));
  const frame = Buffer.alloc((4 + packed.length + 7) & ~7);
  frame.writeUInt32LE(packed.length, 0);
  frame.set(packed, 4);
  return frame;
}

/** A TCP connection, and all that it hears until its end. */
export async function rawPeer(t: ExecutionContext, url: string): Promise<{ readonly socket: Socket; readonly address: string; readonly end: Promise<string> }> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  t.teardown(() => socket.destroy());
  socket.on('error', () => {});
  await once(socket, 'connect');
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
  const end = new Promise<string>((resolve) => {
    socket.on('close', () => resolve(text));
  });
  return { socket, address: `${socket.localAddress}:${socket.localPort}`, end };
}
