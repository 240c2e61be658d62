/** Room: tests of telemetry. What readers of the live page are told, over real connections: all at first, then what comes, never more than they take. */
import { once } from 'node:events';
import { get, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import type { LiveEvents, LiveHello, LivePoint } from '../../src/telemetry/live.ts';
import { LiveFeed } from '../../src/telemetry/live-feed.ts';
import { Clock, closeServer, run, serve, status, step } from './live-run.ts';

interface Told {
  readonly event: keyof LiveEvents;
  readonly data: unknown;
}

/** Events of a response as they come. */
class Listener {
  readonly told: Told[] = [];
  readonly response: IncomingMessage;
  #text = '';

  constructor(response: IncomingMessage) {
    this.response = response;
    response.setEncoding('utf8');
    response.on('error', () => undefined);
    response.on('data', (text: string) => {
      this.#text += text;
      const frames = this.#text.split('\n\n');
      this.#text = frames.pop()!;
      for (const frame of frames) {
        const match = /^event: (\w+)\ndata: (.+)$/.exec(frame);
        if (match) this.told.push({ event: match[1] as keyof LiveEvents, data: JSON.parse(match[2]!) });
      }
    });
  }

  /** Waits until `count` events were told. */
  async hears(count: number): Promise<readonly Told[]> {
    while (this.told.length < count) await once(this.response, 'data');
    return this.told;
  }

  get events(): string[] {
    return this.told.map(({ event }) => event);
  }
}

async function setUp(t: ExecutionContext, capacity?: number) {
  const clock = new Clock();
  const state = { step: 0, asked: 0 };
  const feed = new LiveFeed({
    run,
    status: () => {
      state.asked++;
      return status(state.step, { ranks: [], hosts: [] });
    },
    every: clock.every,
    ...(capacity && { capacity }),
  });
  const { server, port } = await serve(() => feed);
  t.teardown(() => closeServer(server));
  const responses: ServerResponse[] = [];
  server.prependListener('request', (_, response) => responses.push(response));
  const train = (to: number): void => {
    while (state.step < to) feed.step(step(++state.step));
  };
  const listen = async (): Promise<Listener> => {
    const [response] = (await once(
      get({ host: '127.0.0.1', port, path: '/events', agent: false }).on('error', () => undefined),
      'response',
    )) as [IncomingMessage];
    return new Listener(response);
  };
  return { clock, feed, server, port, responses, state, train, listen };
}

const helloOf = ({ data }: Told): LiveHello => data as LiveHello;
const stepsOf = ({ data }: Told): number[] => (data as LivePoint[]).map(({ step }) => step);

test('a reader gets all there is, then points each tick and the status every second one', async (t) => {
  const { clock, feed, train, listen } = await setUp(t);
  train(3);
  feed.epoch({ event: 'epoch', epoch: 0, loss: 1, metrics: {}, validation: { loss: 0.5, metrics: { accuracy: 0.75 } } });
  const reader = await listen();
  t.is(reader.response.headers['content-type'], 'text/event-stream; charset=utf-8');
  const hello = helloOf((await reader.hears(1))[0]!);
  t.deepEqual(hello.run, run);
  t.deepEqual(
    hello.points.map(({ step }) => step),
    [1, 2, 3],
  );
  t.deepEqual(hello.validations, [{ step: 3, loss: 0.5, accuracy: 0.75 }]);
  t.is(hello.status.step, 3);
  train(5);
  clock.tick();
  train(6);
  feed.epoch({ event: 'epoch', epoch: 1, loss: 1, metrics: {}, validation: { loss: 0.25, metrics: {} } });
  clock.tick();
  clock.tick();
  clock.tick();
  await reader.hears(6);
  t.deepEqual(reader.events, ['hello', 'points', 'points', 'validation', 'status', 'status']);
  t.deepEqual(stepsOf(reader.told[1]!), [4, 5]);
  t.deepEqual(stepsOf(reader.told[2]!), [6]);
  t.deepEqual(reader.told[3]!.data, { step: 6, loss: 0.25 });
});

test('many steps in a tick are told in few points, the last exactly', async (t) => {
  const { clock, train, listen } = await setUp(t);
  const reader = await listen();
  await reader.hears(1);
  train(1000);
  clock.tick();
  const points = (await reader.hears(2))[1]!.data as LivePoint[];
  t.true(points.length > 10 && points.length <= 24, `${points.length} points`);
  t.is(points.at(-1)!.step, 1000);
  t.is(points.at(-1)!.loss, step(1000).loss);
});

test('what a reader keeps is bounded: a new hello comes before it is too much', async (t) => {
  const { clock, train, listen } = await setUp(t, 64);
  const reader = await listen();
  await reader.hears(1);
  let kept = 0;
  let heard = 1;
  for (let to = 20; to <= 2000; to += 20) {
    train(to);
    clock.tick();
    await reader.hears(++heard);
    const { event, data } = reader.told.findLast(({ event }) => event !== 'status')!;
    kept = event === 'hello' ? (data as LiveHello).points.length : kept + (data as LivePoint[]).length;
    t.true(kept <= 64 + 64 + 24, `${kept} points at step ${to}`);
    heard = reader.told.length;
  }
  t.true(reader.events.filter((event) => event === 'hello').length > 2);
});

test('after going back every reader gets all anew, without what is not so any more', async (t) => {
  const { clock, feed, train, listen } = await setUp(t);
  train(10);
  feed.epoch({ event: 'epoch', epoch: 0, loss: 1, metrics: {}, validation: { loss: 0.5, metrics: {} } });
  const reader = await listen();
  await reader.hears(1);
  feed.step(step(8));
  clock.tick();
  const hello = helloOf((await reader.hears(2))[1]!);
  t.is(hello.points.at(-1)!.step, 8);
  t.deepEqual(hello.validations, []);
});

test('validations are bounded, the last is among them', async (t) => {
  const { feed, listen } = await setUp(t, 8);
  for (let epoch = 1; epoch <= 100; epoch++) {
    feed.step(step(epoch));
    feed.epoch({ event: 'epoch', epoch, loss: 1, metrics: {}, validation: { loss: epoch, metrics: {} } });
  }
  const { validations } = helloOf((await (await listen()).hears(1))[0]!);
  t.true(validations.length <= 8);
  t.is(validations.at(-1)!.loss, 100);
  t.deepEqual(
    validations.map(({ step }) => step),
    validations.map(({ step }) => step).toSorted((a, b) => a - b),
  );
});

test('without readers there is no timer, and nobody asks how things stand', async (t) => {
  const { clock, feed, server, state, train, listen } = await setUp(t);
  train(100);
  t.is(clock.running, 0);
  t.is(state.asked, 0);
  const readers = [await listen(), await listen()];
  for (const reader of readers) await reader.hears(1);
  t.is(clock.running, 1);
  for (const [i, reader] of readers.entries()) {
    const [socket] = await Promise.all([closing(server), reader.response.destroy()]);
    t.true(socket);
    t.is(feed.readers, 1 - i);
  }
  t.is(clock.running, 0);
});

/** Waits until the server lost one of its connections and those who listen for it know. */
async function closing(server: Awaited<ReturnType<typeof serve>>['server']): Promise<boolean> {
  const count = (): Promise<number> => new Promise((resolve, reject) => server.getConnections((error, number) => (error ? reject(error) : resolve(number))));
  const before = await count();
  while ((await count()) === before) await new Promise(setImmediate);
  await new Promise(setImmediate);
  return true;
}

test('a reader that reads nothing makes nothing pile up, and is let go in the end', async (t) => {
  const { clock, feed, port, responses, train } = await setUp(t);
  train(1900);
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  t.teardown(() => socket.destroy());
  socket.pause();
  socket.write('GET /events HTTP/1.1\r\nHost: x\r\n\r\n');
  while (feed.readers === 0) await new Promise(setImmediate);
  const [response] = responses as [ServerResponse];
  // New hellos until the system takes no more.
  let most = 0;
  for (let ticks = 0; ticks < 5000 && feed.readers > 0; ticks++) {
    feed.step(step(1900));
    clock.tick();
    await new Promise(setImmediate);
    most = Math.max(most, response.writableLength);
  }
  t.is(feed.readers, 0);
  t.true(response.destroyed);
  t.true(most < 2_000_000, `${most} bytes`);
  t.is(clock.running, 0);
});

test('the clock that it has by itself tells the status and keeps no process alive', async (t) => {
  const feed = new LiveFeed({ run, status: () => status(0) });
  const { server, port } = await serve(() => feed);
  t.teardown(() => closeServer(server));
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const [response] = (await once(get({ host: '127.0.0.1', port, path: '/events', agent: false }), 'response')) as [IncomingMessage];
  const before = timers();
  t.deepEqual((await new Listener(response).hears(3)).map(({ event }) => event).slice(0, 3), ['hello', 'status', 'status']);
  t.true(timers() <= before, 'a timer of the feed would count');
  feed.close();
  t.is(feed.readers, 0);
});

test('a reader too many is refused in words', async (t) => {
  const { feed, listen } = await setUp(t);
  const readers = await Promise.all(Array.from({ length: 32 }, listen));
  for (const reader of readers) await reader.hears(1);
  const { response } = await listen();
  t.is(response.statusCode, 503);
  t.is(feed.readers, 32);
});

test('at the end every reader hears the last step and how it stands, and is let go', async (t) => {
  const { clock, feed, train, listen } = await setUp(t);
  const reader = await listen();
  await reader.hears(1);
  train(7);
  feed.close();
  await once(reader.response, 'end');
  t.deepEqual(reader.events, ['hello', 'points', 'status']);
  t.is(stepsOf(reader.told[1]!).at(-1), 7);
  t.is(clock.running, 0);
  t.is(feed.readers, 0);
});
