/**
 * Room: cluster (level 7), transport. One attempt to reach another host, and how long to wait before the next one. It promises
 * an open link on which both sides have proved themselves, or an error of one sentence: a Refusal when one side refused the
 * other (`final` says whether trying again is of use), another LOCKSTEP_NETWORK when the network was at fault.
 */
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import { show } from '../../src/check.ts';
import { LockstepError } from '../../src/errors.ts';
import { checkToken, handshakeTimeoutMs, offerHandshake, type Peer } from './handshake.ts';
import { dialerOptions, Link, type LinkOptions } from './link.ts';
import { Refusal } from './refusal.ts';

export interface DialOptions extends Omit<Peer, 'generation'> {
  /** Of a peer's link. */
  readonly generation?: number;
  readonly token?: string | undefined;
  /** PEM of who signed the listener's certificate, where the system does not know it. */
  readonly tlsCa?: Buffer | string | undefined;
  /** Gives the attempt up; afterwards it has no effect on the link. */
  readonly signal?: AbortSignal | undefined;
  /** For the connection, and once more for the handshake. */
  readonly timeoutMs?: number;
  readonly onRefused?: LinkOptions['onRefused'];
}

/** Connects to ws://HOST:PORT or wss://HOST:PORT; messages wait until the link has a handler. */
export async function dial(url: string, options: DialOptions): Promise<Link> {
  const { token, role, id, generation = 0, signal, timeoutMs = handshakeTimeoutMs } = options;
  const remote = checkUrl(url);
  checkToken(token);
  if (signal?.aborted) throw givenUp(url, signal);
  const socket = new WebSocket(url, { ...dialerOptions, handshakeTimeout: timeoutMs, ...(options.tlsCa !== undefined && { ca: options.tlsCa }) });
  const giveUp = () => socket.terminate();
  signal?.addEventListener('abort', giveUp);
  try {
    const link = await opened(socket, { remote, ...(options.onRefused && { onRefused: options.onRefused }) });
    await offerHandshake(link, token, { role, id, generation, timeoutMs });
    return link;
  } catch (cause) {
    if (signal?.aborted) throw givenUp(url, signal);
    if (cause instanceof Refusal) throw cause;
    throw new LockstepError('LOCKSTEP_NETWORK', `Expected a host of Lockstep to answer at ${url}, got ${causeOf(cause)}`, { cause });
  } finally {
    signal?.removeEventListener('abort', giveUp);
  }
}

/** The link is made as soon as the socket opens: the listener speaks first, and nothing of it may be lost. */
function opened(socket: WebSocket, options: Omit<LinkOptions, 'connection'>): Promise<Link> {
  return new Promise((resolve, reject) => {
    let connection: Socket;
    socket.once('upgrade', (response) => {
      connection = response.socket;
    });
    socket.on('error', reject);
    socket.once('open', () => {
      socket.off('error', reject);
      resolve(new Link(socket, { ...options, connection }));
    });
  });
}

function causeOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  // Happy eyeballs: when a name has several addresses, Node's error has no message of its own.
  const { code, message } = cause as NodeJS.ErrnoException;
  return `${message === '' ? (code ?? 'an error without a name') : message.replace(/\.$/, '')}.`;
}

function givenUp(url: string, { reason }: AbortSignal): LockstepError {
  return new LockstepError('LOCKSTEP_NETWORK', `The attempt to reach ${url} was given up.`, { cause: reason });
}

/** HOST:PORT of a URL, or LOCKSTEP_USAGE. */
function checkUrl(url: string): string {
  const match = /^wss?:\/\/((?:\[[\da-f:.]+\]|[^\s/:@?#[\]]+):(\d{1,5}))\/?$/i.exec(url);
  const port = Number(match?.[2]);
  if (match !== null && port >= 1 && port <= 65535 && URL.canParse(url)) return match[1]!;
  const mend = /^https?:/i.test(url) ? `; write ws${url.slice(4, 5) === 's' ? 's' : ''}:// in place of http` : match === null ? '' : '; ports go from 1 to 65535';
  throw new LockstepError('LOCKSTEP_USAGE', `Expected a URL like ws://HOST:PORT or wss://HOST:PORT, got ${show(url)}${mend}.`);
}

const firstDelayMs = 250;
const longestDelayMs = 10_000;

/**
 * How long to wait after the attempt `attempt` (0, 1, ...) has failed, in ms: doubling, then steady. `jitter`, a random number
 * of [0, 1), takes up to half of it away, so that hosts which lost the same coordinator do not all return at once.
 */
export function backoff(attempt: number, jitter: number): number {
  return Math.min(longestDelayMs, firstDelayMs * 2 ** attempt) * (1 - jitter / 2);
}
