/**
 * Room: tests of cluster. The connections of a generation between real listeners: who dials whom, what is refused, and who is named when
 * somebody cannot be reached.
 */
import test, { type ExecutionContext } from 'ava';
import { type Generation, StepLinks, type StepLinksOptions, type Unreached, type Ways } from '../../cluster/step-links.ts';
import { wouldBlock } from '../../cluster/transport/descriptor.ts';
import { dial } from '../../cluster/transport/dial.ts';
import type { Link } from '../../cluster/transport/link.ts';
import { calls, withCalls } from './transport/descriptors.ts';
import { type Door, heartbeat, openDoor, until } from './transport/sockets.ts';

const token = 'secret';

interface Host {
  readonly links: StepLinks;
  readonly door: Door;
  readonly news: string[];
}

async function hostsOf(t: ExecutionContext, count: number, options: Partial<StepLinksOptions> = {}): Promise<Host[]> {
  const hosts: Host[] = [];
  for (let id = 0; id < count; id++) {
    const news: string[] = [];
    const links = new StepLinks({ token, ...(id > 0 && { coordinatorUrl: hosts[0]!.door.url }), onNews: (sentence) => news.push(sentence), ...options });
    const door = await openDoor(t, { token, onPeer: (link, peer) => links.adopt(link, peer) });
    t.teardown(() => links.close());
    hosts.push({ links, door, news });
  }
  return hosts;
}

/** Host `self` of a generation of `hosts`, whose ids are their places unless `ids` says otherwise. */
function generationOf(hosts: readonly Host[], self: number, topology: 'star' | 'mesh', generation = 1, ids = hosts.map((_, id) => id)): Generation {
  const members = ids.map((id) => ({ id, name: `host ${id}`, workers: 1, first: 0, end: 1, address: `127.0.0.1:${hosts[id]!.door.listener.port}` }));
  return { generation, members, self, topology };
}

function waysOf(t: ExecutionContext, ways: Ways | Unreached): Ways {
  if ('lost' in ways) throw new Error(`Expected ways, got host ${ways.lost} lost.`);
  t.teardown(ways.close);
  return ways;
}

async function connectAll(t: ExecutionContext, hosts: readonly Host[], topology: 'star' | 'mesh', generation = 1): Promise<Ways[]> {
  const all = await Promise.all(hosts.map(({ links }, id) => links.connect(generationOf(hosts, id, topology, generation))));
  return all.map((ways) => waysOf(t, ways));
}

const dialPeer = (t: ExecutionContext, { door }: Host, id: number, generation: number): Promise<Link> =>
  dial(door.url, { role: 'peer', id, generation, token }).then((link) => {
    t.teardown(() => link.close());
    return link;
  });

/** Sends a byte from `from` to `to`, by indices in the generation. */
function crosses(ways: readonly Ways[], from: number, to: number): boolean {
  const descriptorOf = (at: number, host: number): number => ways[at]!.steps!.sockets.find((socket) => socket.host === host)!.descriptor;
  const sent = Buffer.allocUnsafeSlow(1).fill(16 * from + to + 1);
  const got = Buffer.allocUnsafeSlow(2);
  calls.send(descriptorOf(from, to), calls.addressOf(sent), 1, false);
  for (const deadline = performance.now() + 10_000; performance.now() < deadline; ) {
    const bytes = calls.receive(descriptorOf(to, from), calls.addressOf(got), 2);
    if (bytes !== wouldBlock) return bytes === 1 && got[0] === sent[0];
  }
  return false;
}

withCalls('in a mesh all are connected with all for their leaders, and later ones dial', async (t) => {
  const hosts = await hostsOf(t, 3);
  const ways = await connectAll(t, hosts, 'mesh');
  for (const [self, { steps, links }] of ways.entries()) {
    t.is(steps!.generation, 1);
    t.is(links.size, 0);
    t.deepEqual(
      steps!.sockets.map(({ host, masks }) => [host, masks]).toSorted(),
      [0, 1, 2].filter((host) => host !== self).map((host) => [host, host < self]),
    );
    for (const { host } of steps!.sockets) t.true(crosses(ways, self, host));
  }
  t.true(hosts.every(({ links, door, news }) => links.stale === 0 && door.refusals.length === 0 && news.length === 0));
});

withCalls('in a star all are connected with the coordinator alone; ids need not be places', async (t) => {
  const hosts = await hostsOf(t, 4);
  const ids = [0, 2, 3];
  const all = await Promise.all(ids.map((id, self) => hosts[id]!.links.connect(generationOf(hosts, self, 'star', 4, ids))));
  const ways = all.map((one) => waysOf(t, one));
  t.deepEqual(
    ways.map(({ steps }) => steps!.sockets.map(({ host }) => host).toSorted()),
    [[1, 2], [0], [0]],
  );
  for (const [from, to] of [
    [0, 1],
    [1, 0],
    [0, 2],
    [2, 0],
  ] as const)
    t.true(crosses(ways, from, to));
});

test('where the main thread carries it has links, and says why once', async (t) => {
  const hosts = await hostsOf(t, 2, { carriedByMain: 'the test wants it' });
  for (const generation of [1, 2]) {
    const [first, second] = (await connectAll(t, hosts, 'mesh', generation)) as [Ways, Ways];
    t.deepEqual([first.steps, second.steps], [undefined, undefined]);
    t.deepEqual([[...first.links.keys()], [...second.links.keys()]], [[1], [0]]);
    const heard: string[] = [];
    first.links.get(1)!.onMessage(({ type }) => heard.push(type));
    const before = hosts[1]!.links.traffic.bytesOut;
    second.links.get(0)!.send(heartbeat);
    t.true(hosts[1]!.links.traffic.bytesOut > before);
    await until('a message', () => heard.length === 1);
    const { bytesOut } = hosts[1]!.links.traffic;
    let ended = 0;
    for (const link of [first.links.get(1)!, second.links.get(0)!]) link.onClose(() => ended++);
    second.close();
    await until('the end', () => ended === 2);
    t.is(hosts[1]!.links.traffic.bytesOut, bytesOut, 'what a link sent still counts when it has gone');
  }
  t.deepEqual(
    hosts.map(({ news }) => news),
    hosts.map(() => ['steps go through the main thread, which takes longer: the test wants it']),
  );
});

test('a host alone has no ways and needs none', async (t) => {
  const [host] = (await hostsOf(t, 1)) as [Host];
  const { links } = waysOf(t, await host.links.connect(generationOf([host], 0, 'mesh')));
  t.is(links.size, 0);
});

test('a link of a generation that is over is refused and counted', async (t) => {
  const [host] = (await hostsOf(t, 1)) as [Host];
  const early = await dialPeer(t, host, 1, 5);
  early.onMessage(() => {});
  const next = generationOf([host], 0, 'mesh', 6);
  waysOf(t, await host.links.connect(next));
  await until('the end of a link that nobody had asked for', () => early.closed);
  t.is(host.links.stale, 0, 'it was in time when it came');
  const late = await dialPeer(t, host, 1, 5);
  late.onMessage(() => {});
  await until('the refusal', () => late.closed);
  t.is(host.links.stale, 1);
  t.deepEqual([late.refusal?.reason, late.refusal?.message], ['stale', 'Expected a link for generation 6 or later, got one for generation 5.']);
});

withCalls('a link that came before it was asked for is taken, the newest if there are several', async (t) => {
  const hosts = await hostsOf(t, 2);
  const older = await dialPeer(t, hosts[0]!, 1, 1);
  const newer = await dialPeer(t, hosts[0]!, 1, 1);
  older.onMessage(() => {});
  await until('the end of the older one', () => older.closed);
  const { steps } = waysOf(t, await hosts[0]!.links.connect(generationOf(hosts, 0, 'mesh')));
  t.deepEqual(
    steps!.sockets.map(({ host, masks }) => [host, masks]),
    [[1, false]],
  );
  t.false(newer.closed);
});

test('whoever speaks before its link was taken over is refused', async (t) => {
  const hosts = await hostsOf(t, 2);
  const link = await dialPeer(t, hosts[0]!, 1, 1);
  link.onMessage(() => {});
  link.send(heartbeat);
  await until('the refusal', () => link.closed);
  const sentence = 'Expected nothing before all hosts of the generation are ready, got `heartbeat`.';
  t.deepEqual([link.refusal?.reason, link.refusal?.message], ['protocol', sentence]);
  const waits = hosts[0]!.links.connect(generationOf(hosts, 0, 'mesh'));
  waysOf(t, (await Promise.all([waits, hosts[1]!.links.connect(generationOf(hosts, 1, 'mesh')).then((ways) => waysOf(t, ways))]))[0]);
});

test('a host that cannot be reached is named, and the others are let go', async (t) => {
  const hosts = await hostsOf(t, 3);
  await hosts[1]!.door.listener.close();
  const last = hosts[2]!;
  t.deepEqual(await last.links.connect(generationOf(hosts, 2, 'mesh')), { lost: 1 });
  t.is(last.news.length, 1);
  t.regex(last.news[0]!, /^Expected a host of Lockstep to answer at ws:\/\/127\.0\.0\.1:\d+, got connect ECONNREFUSED /);
  const wrong = new StepLinks({ token: 'another', coordinatorUrl: hosts[0]!.door.url, onNews: (sentence) => last.news.push(sentence) });
  t.deepEqual(await wrong.connect(generationOf(hosts, 2, 'star')), { lost: 0 });
  t.regex(last.news[1]!, /^Expected a proof of the run's token, got a wrong one/);
});

test('a connect that was given up ends, whether it dials or waits; the next one is not hindered', async (t) => {
  const hosts = await hostsOf(t, 2);
  const [first, second] = hosts as [Host, Host];
  const waits = first.links.connect(generationOf(hosts, 0, 'mesh'));
  const dials = second.links.connect(generationOf(hosts, 1, 'mesh', 2));
  first.links.giveUp();
  second.links.giveUp();
  t.deepEqual(await waits, { lost: 1 });
  t.deepEqual(await dials, { lost: 0 });
  t.deepEqual([first.news, second.news], [[], []], 'that is no news');
  const again = await connectAll(t, hosts, 'mesh', 3);
  t.is(again.length, 2);
});

test('when all is closed, what waits ends and links that nobody took are closed', async (t) => {
  const hosts = await hostsOf(t, 2);
  const [host] = hosts as [Host, Host];
  const link = await dialPeer(t, host, 1, 9);
  link.onMessage(() => {});
  const waits = host.links.connect(generationOf(hosts, 0, 'mesh', 2));
  host.links.close();
  t.deepEqual(await waits, { lost: 1 });
  await until('the end', () => link.closed);
});
