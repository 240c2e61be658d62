/**
 * Room: telemetry (level 2). The HTTP endpoint of a process: metrics, the addresses of all hosts' metrics, a sign of health, and the live page. It
 * only reads; whoever reaches it can disturb nothing but this thread's time. Who listens on loopback answers this machine alone: a web page whose name
 * was made to lead here (DNS rebinding) is told by the `Host` that its browser sends.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, isIP } from 'node:net';
import { hostname } from 'node:os';
import { LockstepError } from '../errors.ts';

export type Route = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

export interface EndpointOptions {
  readonly host: string;
  /** 0: a free one. A taken one: the next free one above it. */
  readonly port: number;
  /** By path; unknown ones are answered with 404. */
  readonly routes: ReadonlyMap<string, Route>;
}

export interface Endpoint {
  readonly host: string;
  readonly port: number;
  /** Ends all connections. */
  readonly close: () => Promise<void>;
}

/** How many ports above a taken one are tried. */
const tries = 100;
/** So that nobody can make a run hold connections without end. */
const mostConnections = 256;
/** A connection on which nothing moved for so long is ended. */
const patienceMs = 60_000;

/** Opens the endpoint. Throws LOCKSTEP_NETWORK when the address cannot be had, or no port above a taken one. */
export async function openEndpoint({ host, port, routes }: EndpointOptions): Promise<Endpoint> {
  const server = createServer((request, response) => {
    const mayAnswer = !isLoopback((server.address() as AddressInfo).address) || namesThisMachine(request.headers.host);
    void answer(mayAnswer ? routes : undefined, request, response);
  });
  server.maxConnections = mostConnections;
  server.setTimeout(patienceMs);
  for (let tried = port; ; tried++) {
    try {
      await listenOn(server, host, tried);
      break;
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      if (code === 'EADDRINUSE' && tried < Math.min(port + tries, 65_535)) continue;
      throw new LockstepError(
        'LOCKSTEP_NETWORK',
        `Expected to serve metrics at ${host} port ${port}, got ${code ?? String(cause)}; choose another --metrics HOST:PORT, or off.`,
        {
          cause,
        },
      );
    }
  }
  // Alone it keeps no process alive: whoever lingers does.
  server.unref();
  const address = server.address() as AddressInfo;
  return {
    host: address.address,
    port: address.port,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function listenOn(server: Server, host: string, port: number): Promise<void> {
  server.listen({ host, port });
  await once(server, 'listening');
}

/** `routes` are absent for who must not know of them. */
async function answer(routes: EndpointOptions['routes'] | undefined, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (request.url ?? '/').split('?', 1)[0]!;
  const route = routes?.get(path);
  try {
    if (request.method !== 'GET' && request.method !== 'HEAD') say(response, 405, 'Expected GET.', { Allow: 'GET, HEAD' });
    else if (!routes)
      say(
        response,
        403,
        'Expected the Host header to be localhost, an IP address or the name of this machine, as the metrics are for this machine alone; use one of these.',
      );
    else if (!route) say(response, 404, `Expected one of ${[...routes.keys()].join(', ')}.`);
    else await route(request, response);
  } catch (error) {
    if (!response.headersSent) say(response, 500, `Expected an answer, got ${error instanceof Error ? error.message : String(error)}.`);
    else response.destroy();
  }
}

function isLoopback(address: string): boolean {
  return /^(::ffff:)?127\.|^::1$/.test(address);
}

/** By a name that no other machine can have. Browsers never leave the header out. */
function namesThisMachine(host: string | undefined): boolean {
  if (host === undefined) return true;
  const name = host
    .replace(/:\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
    .toLowerCase();
  return name === 'localhost' || name === hostname().toLowerCase() || isIP(name) !== 0;
}

export function say(response: ServerResponse, status: number, text: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store', ...headers });
  response.end(`${text}\n`);
}
