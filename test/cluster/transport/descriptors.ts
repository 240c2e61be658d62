/**
 * Room: tests of transport. Connections on loopback of which the descriptors were taken.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { type SystemCalls, systemCalls, takeDescriptor } from '../../../cluster/transport/descriptor.ts';

export const system = systemCalls();

/** The system's; only for tests of `withCalls`. */
export const calls: SystemCalls = (system.ok ? system.calls : undefined)!;

/** `test` where the system can be called; elsewhere a skip that says why. */
export const withCalls: (title: string, implementation: (t: ExecutionContext) => void | Promise<void>) => void = system.ok
  ? test
  : (title, implementation) => test.skip(`${title}; NOT TESTED: ${system.reason}`, implementation);

/** Both ends of a TCP connection. */
export async function socketPair(t: ExecutionContext): Promise<[near: Socket, far: Socket]> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [[far]] = (await Promise.all([once(server, 'connection'), once(near, 'connect')])) as [[Socket], unknown];
  server.close();
  t.teardown(() => {
    near.destroy();
    far.destroy();
  });
  return [near, far];
}

/** Descriptors of both ends, closed when the test ends; `closeFar` closes the second one before. */
export async function descriptors(t: ExecutionContext, calls: SystemCalls): Promise<[near: number, far: number, closeFar: () => void]> {
  const [near, far] = (await socketPair(t)).map((socket) => takeDescriptor(socket, calls)!) as [number, number];
  let isOpen = true;
  const closeFar = (): void => {
    if (isOpen) calls.close(far);
    isOpen = false;
  };
  t.teardown(() => {
    calls.close(near);
    closeFar();
  });
  return [near, far, closeFar];
}
