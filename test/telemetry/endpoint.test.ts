/**
 * Room: tests of telemetry. The HTTP endpoint: what it answers, what it refuses, and which port it takes when one is taken.
 */
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { hostname } from 'node:os';
import test from 'ava';
import { openEndpoint, say } from '../../src/telemetry/endpoint.ts';

const routes = new Map([
  ['/hello', (_: unknown, response: Parameters<typeof say>[0]) => say(response, 200, 'hello')],
  [
    '/broken',
    () => {
      throw new Error('a defect');
    },
  ],
]);

test('paths are answered, others and other methods are refused in a sentence, defects too', async (t) => {
  const endpoint = await openEndpoint({ host: '127.0.0.1', port: 0, routes });
  t.teardown(() => endpoint.close());
  const ask = async (path: string, method = 'GET') => {
    const response = await fetch(`http://127.0.0.1:${endpoint.port}${path}`, { method });
    return [response.status, await response.text()];
  };
  t.deepEqual(await ask('/hello?x=1'), [200, 'hello\n']);
  t.deepEqual(await ask('/hello', 'POST'), [405, 'Expected GET.\n']);
  t.deepEqual(await ask('/absent'), [404, 'Expected one of /hello, /broken.\n']);
  t.deepEqual(await ask('/../../etc/passwd'), [404, 'Expected one of /hello, /broken.\n']);
  t.deepEqual(await ask('/broken'), [500, 'Expected an answer, got a defect.\n']);
});

test('a taken port gives way to the next free one, an address that is none is an error', async (t) => {
  const first = await openEndpoint({ host: '127.0.0.1', port: 0, routes });
  t.teardown(() => first.close());
  const second = await openEndpoint({ host: '127.0.0.1', port: first.port, routes });
  t.teardown(() => second.close());
  t.true(second.port > first.port && second.port <= first.port + 100);
  const error = await t.throwsAsync(openEndpoint({ host: '192.0.2.1', port: 0, routes }), { code: 'LOCKSTEP_NETWORK' });
  t.regex(error!.message, /^Expected to serve metrics at 192\.0\.2\.1 port 0, got EADDRNOTAVAIL; choose another --metrics HOST:PORT, or off\.$/);
});

/** The status of an answer to who says that this was the host it asked. */
async function statusFor(port: number, host: string): Promise<number> {
  const [response] = (await once(get({ host: '127.0.0.1', port, path: '/hello', headers: { host }, agent: false }), 'response')) as [IncomingMessage];
  response.resume();
  return response.statusCode!;
}

test('on loopback only names of this machine are answered: a web page whose name was made to lead here reads nothing', async (t) => {
  const endpoint = await openEndpoint({ host: '127.0.0.1', port: 0, routes });
  t.teardown(() => endpoint.close());
  for (const host of [
    'localhost',
    `LocalHost:${endpoint.port}`,
    '127.0.0.1:9464',
    '192.0.2.7',
    '[::1]:9464',
    hostname(),
    `${hostname().toUpperCase()}:9464`,
    'localhost.',
  ])
    t.is(await statusFor(endpoint.port, host), 200, host);
  for (const host of [
    'rebound.example',
    'rebound.example:9464',
    'localhost.rebound.example',
    '127.0.0.1.rebound.example:80',
    `${hostname()}.rebound.example`,
    ':9464',
    '[',
  ])
    t.is(await statusFor(endpoint.port, host), 403, host);
  const open = await openEndpoint({ host: '0.0.0.0', port: 0, routes });
  t.teardown(() => open.close());
  t.is(await statusFor(open.port, 'host.docker.internal:9464'), 200, 'others may have any name for a machine that listens for them');
});

test('connections are bounded: one too many is ended, and one that goes makes room', async (t) => {
  const endpoint = await openEndpoint({ host: '127.0.0.1', port: 0, routes });
  t.teardown(() => endpoint.close());
  const open = async () => {
    const socket = connect(endpoint.port, '127.0.0.1').on('error', () => undefined);
    t.teardown(() => socket.destroy());
    await once(socket, 'connect');
    return socket;
  };
  const sockets = await Promise.all(Array.from({ length: 256 }, open));
  const ended = await open();
  await once(ended, 'close');
  sockets.pop()!.destroy();
  let status = 0;
  // The place is free once the server has seen the end of the other.
  while (status !== 200) status = await statusFor(endpoint.port, 'localhost').catch(() => 0);
  t.is(status, 200);
});
