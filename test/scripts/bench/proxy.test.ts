/** Room: tests of scripts. A bad line: late, in order, complete; and broken or frozen when it is told to be. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { type ProxyOptions, startProxy } from '../../../scripts/bench/proxy.ts';

const loopback = { host: '127.0.0.1', port: 0 };

const portOf = (server: Server): number => {
  const address = server.address();
  return typeof address === 'object' && address ? address.port : 0;
};

/** A server that hands out its sockets, a proxy before it, and a client of the proxy. All go with the test. */
async function line(t: ExecutionContext, options: Partial<ProxyOptions> = {}) {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy = await startProxy({ listen: loopback, target: { host: '127.0.0.1', port: portOf(server) }, ...options });
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const client = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true });
  const [far] = await accepted;
  for (const socket of [client, far]) socket.on('error', () => {});
  t.teardown(async () => {
    for (const socket of [client, far]) socket.destroy();
    server.close();
    await proxy.close();
  });
  return { proxy, client, far, server };
}

/** All that comes until the other side ends; this side stays open. */
async function all(socket: Socket): Promise<Buffer> {
  const pieces: Buffer[] = [];
  socket.on('data', (piece: Buffer) => pieces.push(piece));
  await once(socket, 'end');
  return Buffer.concat(pieces);
}

/** Bytes that tell their places. */
const counting = (bytes: number): Buffer => Buffer.from(Uint32Array.from({ length: bytes / 4 }, (_, i) => i).buffer);

/** Resolves to the error that closed the socket, or undefined. */
const closing = (socket: Socket): Promise<NodeJS.ErrnoException | undefined> =>
  new Promise((resolve) => {
    let error: NodeJS.ErrnoException | undefined;
    socket.on('error', (cause) => (error = cause)).on('close', () => resolve(error));
  });

test('what is sent arrives late, the end of it too, both ways', async (t) => {
  const { client, far } = await line(t, { delayMs: 50 });
  const began = performance.now();
  client.end('there');
  t.is(String(await all(far)), 'there');
  const between = performance.now();
  t.true(between - began >= 50);
  far.end('and back');
  t.is(String(await all(client)), 'and back');
  t.true(performance.now() - between >= 50);
});

test('many pieces are under way at a time, whole and in order, whatever the jitter', async (t) => {
  const { client, far } = await line(t, { delayMs: 5, jitterMs: 20, stallProbability: 0.05, stallMs: 30, windowBytes: 2 ** 17, seed: 7 });
  const bytes = counting(2 ** 22);
  client.end(bytes);
  t.true(bytes.equals(await all(far)));
});

test('a sender faster than the line has to wait, and loses nothing', async (t) => {
  const { client, far } = await line(t, { delayMs: 1, windowBytes: 4096 });
  const bytes = counting(2 ** 20);
  client.end(bytes);
  t.true(bytes.equals(await all(far)));
});

test('a cut line closes both sides with a reset, and the next one works', async (t) => {
  const { proxy, client, far, server } = await line(t);
  client.write('x');
  await once(far, 'data');
  t.is(proxy.connections, 1);
  const closed = [closing(client), closing(far)];
  proxy.cut();
  for (const error of await Promise.all(closed)) t.is(error?.code, 'ECONNRESET');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const next = connect(proxy.port, '127.0.0.1');
  const [nextFar] = await accepted;
  next.end('again');
  t.is(String(await all(nextFar)), 'again');
  next.resume();
  nextFar.end();
  t.is(await closing(next), undefined);
});

test('a frozen line lets nothing through, and all of it once it thaws', async (t) => {
  const { proxy, client, far } = await line(t);
  proxy.freeze();
  let early = 0;
  far.on('data', (bytes) => (early += bytes.length));
  client.write('cold');
  // Whatever could pass would pass while another connection of the same process goes there and back.
  const other = await line(t);
  other.client.write('x');
  await once(other.far, 'data');
  t.is(early, 0);
  proxy.thaw();
  await once(far, 'data');
  t.is(early, 4);
});

test('a line breaks when so many bytes have gone one way', async (t) => {
  const { client, far } = await line(t, { dropAfterBytes: 100_000 });
  let arrived = 0;
  far.on('data', (bytes) => (arrived += bytes.length));
  // Some versions of libuv show a reset that comes together with the last bytes as an end.
  const over = Promise.race([new Promise((resolve) => far.once('end', resolve)), closing(far)]);
  const closed = closing(client);
  client.write(Buffer.alloc(200_000));
  t.not(await closed, undefined);
  await over;
  t.true(arrived < 100_000);
});

test('a target that takes no connection resets the client', async (t) => {
  const { client: _, server, far, proxy } = await line(t);
  far.destroy();
  server.close();
  const late = connect(proxy.port, '127.0.0.1');
  t.is((await closing(late))?.code, 'ECONNRESET');
});
