/**
 * Room: tests of the cluster. The connections of a generation over real sockets: those of one attempt, and what an attempt or a session that is
 * over must not do to the next one.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { type Generation, StepLinks, type Unreached, type Ways } from '../../cluster/step-links.ts';
import { type Listener, listen } from '../../cluster/transport/listen.ts';

interface Host {
  readonly links: StepLinks;
  readonly listener: Listener;
}

/** The coordinator and a host that dials it, whose main threads carry. */
async function twoHosts(t: ExecutionContext): Promise<[Host, Host]> {
  const coordinator = await openHost(t);
  return [coordinator, await openHost(t, `ws://127.0.0.1:${coordinator.listener.port}`)];
}

async function openHost(t: ExecutionContext, coordinatorUrl?: string): Promise<Host> {
  const links = new StepLinks({ token: 'a secret', ...(coordinatorUrl && { coordinatorUrl }), carriedByMain: 'the test wants it', onNews: () => {} });
  const listener = await listen({ host: '127.0.0.1', port: 0, token: 'a secret', onPeer: (link, peer) => links.adopt(link, peer), onRefused: () => {} });
  t.teardown(async () => {
    links.close();
    await listener.close();
  });
  return { links, listener };
}

/** A port that takes connections and says nothing. */
async function silentPort(t: ExecutionContext): Promise<number> {
  const server = createServer((socket) => void socket.on('error', () => {})).listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** The generation of the hosts with these ids and addresses, as the one with the id `own` sees it. */
function generationOf(generation: number, own: number, addresses: Readonly<Record<number, string>>): Generation {
  const ids = Object.keys(addresses).map(Number);
  const members = ids.map((id, i) => ({ id, name: `host ${id}`, workers: 1, address: addresses[id]!, first: i, end: i + 1 }));
  return { generation, members, self: ids.indexOf(own), topology: 'mesh' };
}

const both = (generation: number, own: number): Generation => generationOf(generation, own, { 0: '', 1: '' });

/** Long before links are given up by themselves. */
function within(connected: Promise<Ways | Unreached>): Promise<unknown> {
  return Promise.race([connected, new Promise((resolve) => setTimeout(resolve, 5000, 'still awaited').unref())]);
}

function reached(ways: Ways | Unreached): readonly number[] {
  return 'lost' in ways ? [] : [...ways.links.keys()];
}

test('an attempt that was given up does not end the next one', async (t) => {
  const [coordinator, host] = await twoHosts(t);
  const over = host.links.connect(generationOf(1, 2, { 1: `127.0.0.1:${await silentPort(t)}`, 2: '' }));
  host.links.giveUp();
  const next = host.links.connect(both(2, 1));
  t.deepEqual(await over, { lost: 1 });
  const other = coordinator.links.connect(both(2, 0));
  t.deepEqual([reached(await next), reached(await other)], [[0], [1]]);
});

test('after a session the next one counts generations anew', async (t) => {
  const [coordinator, host] = await twoHosts(t);
  await Promise.all([coordinator.links.connect(both(7, 0)), host.links.connect(both(7, 1))]);
  for (const { links } of [coordinator, host]) links.startOver();
  // The dialer may hear of its generation first.
  const dialed = await host.links.connect(both(1, 1));
  t.deepEqual([reached(dialed), reached(await coordinator.links.connect(both(1, 0)))], [[0], [1]]);
});

test('a session that is over is not waited for', async (t) => {
  const [coordinator] = await twoHosts(t);
  const over = coordinator.links.connect(both(7, 0));
  coordinator.links.startOver();
  t.deepEqual(await within(over), { lost: 1 });
});

test('a link of an older generation is refused, and counted', async (t) => {
  const [coordinator, host] = await twoHosts(t);
  await Promise.all([coordinator.links.connect(both(7, 0)), host.links.connect(both(7, 1))]);
  const ways = await host.links.connect(both(6, 1));
  const { links } = ways as Ways;
  const reason = await new Promise((resolve) => links.get(0)!.onClose(resolve));
  t.deepEqual([reason, coordinator.links.stale], ['Expected a link for generation 7 or later, got one for generation 6.', 1]);
});

test('once closed, nothing is awaited', async (t) => {
  const [coordinator] = await twoHosts(t);
  coordinator.links.close();
  t.deepEqual(await within(coordinator.links.connect(both(1, 0))), { lost: 1 });
});
