/**
 * Room: cluster (level 7), transport. The door of a host: connections in, proven peers out. It promises that a stranger costs
 * little (so many connections, so many bytes, so much time until it has proved itself), is told why it is dropped when it can
 * be told, is counted, and never ends the process.
 */
import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { integerIn } from '../../src/check.ts';
import { LockstepError } from '../../src/errors.ts';
import { acceptHandshake, checkToken, handshakeTimeoutMs, type Peer } from './handshake.ts';
import { Link, socketOptions } from './link.ts';
import type { RefusalReason } from './refusal.ts';

/** What a peer may send before it has proved itself, in bytes: its hello takes some 250. */
const unprovenBytes = 4096;

export interface ListenOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly token?: string | undefined;
  /** PEM; with it the door takes wss:// only. */
  readonly tls?: { readonly cert: Buffer | string; readonly key: Buffer | string } | undefined;
  /** Connections at the same time, those not yet proven included. */
  readonly maxConnections?: number;
  /** Of these, connections not yet proven. */
  readonly maxUnproven?: number;
  /** From the TCP connection to the end of the handshake. */
  readonly timeoutMs?: number;
  /** A peer has proved itself; its messages wait until the link has a handler. */
  readonly onPeer: (link: Link, peer: Peer) => void;
  /** This side refused somebody, proven or not: once a connection. */
  readonly onRefused: (reason: RefusalReason, message: string, remote: string) => void;
}

export interface Listener {
  readonly host: string;
  readonly port: number;
  /** Takes no more connections, closes all there are, and resolves when they are gone: after a second at most. */
  close(): Promise<void>;
}

/** A connection, from TCP to its end. */
interface Guest {
  readonly remote: string;
  readonly socket: Socket;
  readonly timer: NodeJS.Timeout;
  link?: Link;
  proven: boolean;
  refused: boolean;
}

/** Opens the door; LOCKSTEP_NETWORK when the address cannot be had. */
export async function listen(options: ListenOptions): Promise<Listener> {
  const { host, port, token, tls, maxConnections = 256, maxUnproven = 64, timeoutMs = handshakeTimeoutMs, onPeer, onRefused } = options;
  integerIn('port', port, 0, 65535);
  checkToken(token);
  const server = createServer(tls);
  const upgrades = new WebSocketServer({ ...socketOptions, noServer: true, clientTracking: false });
  /** By remote address, which a TLS socket and the TCP socket below it have in common. */
  const guests = new Map<string, Guest>();

  /** Counts a refusal and drops the connection; `status` answers those who still speak HTTP. */
  function refuse(guest: Guest | undefined, reason: RefusalReason, message: string, answer?: { socket: Socket; status: number }): void {
    if (guest === undefined || guest.refused) return;
    guest.refused = true;
    onRefused(reason, message, guest.remote);
    if (answer?.socket.writable) answer.socket.end(httpAnswer(answer.status, message));
    else guest.socket.destroy();
  }

  server.on('connection', (socket: Socket) => {
    const remote = remoteOf(socket);
    // Without a listener a reset connection would end the process; what there is to do, 'close' does.
    socket.on('error', () => {});
    const unproven = [...guests.values()].filter(({ proven }) => !proven).length;
    const timer = setTimeout(() => expire(guest), timeoutMs);
    const guest: Guest = { remote, socket, timer, proven: false, refused: false };
    guests.set(remote, guest);
    socket.on('close', () => {
      clearTimeout(timer);
      if (guests.get(remote) === guest) guests.delete(remote);
    });
    if (unproven >= maxUnproven) refuse(guest, 'connections', `Expected at most ${maxUnproven} connections that have not proved themselves, got one more.`);
  });

  function expire(guest: Guest): void {
    const message = `Expected the handshake to take at most ${timeoutMs} ms, got no end of it in that time.`;
    if (guest.refused) guest.socket.destroy();
    else if (guest.link === undefined) refuse(guest, 'timeout', message);
    else guest.link.close({ reason: 'timeout', message });
  }

  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    socket.on('error', () => {});
    const guest = guests.get(remoteOf(socket));
    // Browsers name the page that wants a WebSocket; hosts do not. A page must not get at a run on its reader's machine.
    if (request.headers.origin !== undefined) refuse(guest, 'protocol', 'Expected a host, got a web page.', { socket, status: 403 });
    else if (guest === undefined) socket.destroy();
    else upgrades.handleUpgrade(request, socket, head, (webSocket) => greet(guest, webSocket, socket));
  });

  function greet(guest: Guest, webSocket: WebSocket, socket: Socket): void {
    const { remote } = guest;
    const link = new Link(webSocket, {
      remote,
      connection: socket,
      onRefused: (reason, message) => {
        guest.refused = true;
        onRefused(reason, message, remote);
      },
    });
    guest.link = link;
    if (guests.size > maxConnections) {
      link.close({ reason: 'connections', message: `Expected at most ${maxConnections} connections, got one more; try again when another host has left.` });
      return;
    }
    let bytes = 0;
    const count = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > unprovenBytes) link.close({ reason: 'size', message: `Expected at most ${unprovenBytes} bytes before the end of the handshake, got more.` });
    };
    socket.prependListener('data', count);
    const admit = (peer: Peer) => {
      guest.proven = true;
      clearTimeout(guest.timer);
      socket.off('data', count);
      onPeer(link, peer);
    };
    // A refusal was counted by the link's onRefused; a peer that has gone away needs no counting. The timer above ends first.
    acceptHandshake(link, token, { timeoutMs }).then(admit, () => {});
  }

  server.on('request', (_request, response) => {
    response.writeHead(426, { 'Content-Type': 'text/plain', Connection: 'close', Upgrade: 'websocket' });
    response.end('Expected a host of Lockstep, got a request for a page; hosts take part with `lockstep join`.\n');
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    const reason = error.code === 'HPE_HEADER_OVERFLOW' ? 'size' : 'protocol';
    if (!error.code?.startsWith('HPE_')) socket.destroy();
    else refuse(guests.get(remoteOf(socket)), reason, `Expected the HTTP request of a WebSocket, got something else (${error.code}).`, { socket, status: 400 });
  });
  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    if (error.code !== 'ECONNRESET') refuse(guests.get(remoteOf(socket)), 'protocol', `Expected a TLS connection, got something else (${error.code ?? error.message}).`);
    socket.destroy();
  });
  upgrades.on('wsClientError', (error, socket, request) => {
    const answer = { socket: socket as Socket, status: 400 };
    refuse(guests.get(remoteOf(request.socket)), 'protocol', `Expected the HTTP request of a WebSocket, got another one (${error.message}).`, answer);
  });

  await open(server, host, port);
  // After this an error is one connection that could not be accepted, for lack of file handles for instance.
  server.on('error', (error) => onRefused('connections', `Expected to accept a connection, got ${error.message}.`, 'unknown'));
  const address = server.address() as AddressInfo;

  async function shut(): Promise<void> {
    const closed = once(server, 'close');
    server.close();
    for (const { link, socket } of guests.values()) {
      if (link === undefined) socket.destroy();
      else link.close();
    }
    await closed;
  }
  let shutting: Promise<void> | undefined;
  return {
    host: address.address,
    port: address.port,
    close: () => {
      shutting ??= shut();
      return shutting;
    },
  };
}

function createServer(tls: ListenOptions['tls']): Server {
  if (tls === undefined) return createHttpServer();
  try {
    return createHttpsServer({ cert: tls.cert, key: tls.key });
  } catch (cause) {
    throw new LockstepError('LOCKSTEP_USAGE', `Expected a TLS certificate and its key in PEM, got ${String(cause)}; check --tls-cert and --tls-key.`, { cause });
  }
}

async function open(server: Server, host: string, port: number): Promise<void> {
  try {
    server.listen({ host, port });
    await once(server, 'listening');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const expected = code === 'EADDRINUSE' ? `port ${port} of ${host} to be free` : `${host} port ${port} to be an address of this machine`;
    throw new LockstepError('LOCKSTEP_NETWORK', `Expected ${expected}, got ${code ?? message}; choose another with --listen.`, { cause });
  }
}

/** "192.168.1.7:50312", or "[fe80::1]:50312". */
function remoteOf({ remoteAddress = 'unknown', remotePort = 0 }: Socket): string {
  const address = remoteAddress.replace(/^::ffff:(?=\d+\.)/, '');
  return `${address.includes(':') ? `[${address}]` : address}:${remotePort}`;
}

function httpAnswer(status: number, sentence: string): string {
  const body = `${sentence}\n`;
  return [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, 'Connection: close', 'Content-Type: text/plain', `Content-Length: ${Buffer.byteLength(body)}`, '', body].join(
    '\r\n',
  );
}
