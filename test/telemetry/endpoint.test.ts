/**
 * Room: tests of telemetry. The HTTP endpoint: what it answers, what it refuses, and which port it takes when one is taken.
 */
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
