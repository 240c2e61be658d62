/**
 * Room: tests of cluster. The exchange alone, without ranks: what is announced goes where the plan says, what comes is written to
 * its place and counted, and what the plan does not foresee is refused before anything of it is written.
 */
import test from 'ava';
import { isStepMessage, type StepMessage } from '../../cluster/exchange/incoming.ts';
import { Exchange } from '../../cluster/exchange.ts';
import type { Link } from '../../cluster/transport/link.ts';
import type { Message } from '../../cluster/wire/messages.ts';
import { controlIndex } from '../../src/collectives/control.ts';
import { type Arrival, type OutboxKind, Uplink, uplinkIndex } from '../../src/collectives/uplink.ts';
import { Arena } from '../../src/memory/arena.ts';
import { sequential } from '../../src/model/model.ts';
import { planRun, type RunPlan } from '../../src/model/plan.ts';
import { refusal } from '../data/folder.ts';
import { envelope, heartbeat, until } from './transport/sockets.ts';

const model = sequential([
  { type: 'batchNormalization', inputShape: [3] },
  { type: 'dense', units: 2, activation: 'softmax' },
]).config;
const train = { length: 8, inputShape: [3], inputType: 'float32', scale: 1, targetSize: 0 } as const;

interface Side {
  readonly plan: RunPlan;
  readonly arena: Arena;
  readonly exchange: Exchange;
  /** Receiver, type and payload of what was sent. */
  readonly sent: (readonly [to: number, message: Message, payload: number[]])[];
  readonly announce: (kind: OutboxKind, index?: number) => void;
  readonly come: (word: Arrival) => number;
}

function sideOf(topology: 'star' | 'mesh', host: number, bounds: readonly number[]): Side {
  const part = { topology, host, bounds };
  const plan = planRun({ model, inputShape: [3], loss: 'sparseCategoricalCrossentropy', shards: 4, ranks: 1, part, batchRows: 8, optimizerSlots: 0, train });
  const arena = Arena.create(plan.memory.bytes);
  const sent: [number, Message, number[]][] = [];
  const linkTo = (to: number): Link => {
    const send = (message: Message, payload?: Uint8Array): void => void sent.push([to, message, [...(payload ?? [])]]);
    const link: Pick<Link, 'send' | 'sendBulk'> = {
      send,
      sendBulk: async (next) => {
        for (let piece = next(); piece; piece = next()) send(piece.message, piece.payload);
      },
    };
    return link as Link;
  };
  const links = new Map(bounds.slice(1).flatMap((_, to) => (to === host ? [] : [[to, linkTo(to)] as const])));
  const exchange = new Exchange({ plan, arena, generation: envelope.generation, links });
  const uplink = new Uplink(arena, controlIndex(plan.control), plan.uplink, true);
  const index = uplinkIndex(plan.uplink);
  return { plan, arena, exchange, sent, announce: (kind, at) => uplink.announce(kind, at), come: (word) => Atomics.load(arena.i32, index[word]) };
}

const messageOf = (fields: object): StepMessage => ({ ...envelope, ...fields }) as StepMessage;
const statistics = (area: number) => messageOf({ type: 'statistics', area });
const contribution = (root: number, offset = 0, bucket = 0) => messageOf({ type: 'contribution', bucket, root, offset });
const bytes = (count: number): Uint8Array => Uint8Array.from({ length: count }, (_, i) => 1 + (i % 255));

test('messages of a step are told from others', (t) => {
  t.true(isStepMessage(statistics(0)));
  t.false(isStepMessage(heartbeat));
});

test('what comes is written to its place and counted once all have sent it', (t) => {
  const { plan, arena, exchange, come } = sideOf('star', 0, [0, 1, 2, 4]);
  exchange.receive(1, statistics(1), bytes(48));
  t.is(come('statistics'), 0);
  exchange.receive(2, statistics(1), bytes(48));
  t.is(come('statistics'), 1);
  const { blocks } = plan.ranks[0]!.areas[1]!;
  for (const shard of [1, 2]) t.deepEqual(arena.u8.slice(blocks + 48 * shard, blocks + 48 * (shard + 1)), bytes(48));
  const { to } = plan.gradients.hosts!.buckets[0]!;
  exchange.receive(1, contribution(1), bytes(64));
  exchange.receive(1, contribution(1, 64), bytes(to - 64));
  exchange.receive(2, contribution(2), bytes(to));
  t.is(come('contributions'), 1);
  const [, second, third] = plan.gradients.hosts!.roots;
  t.deepEqual(arena.u8.slice(third!.vector, third!.vector + to), bytes(to));
  t.deepEqual(arena.u8.slice(second!.vector, second!.vector + 64), bytes(64));
  for (const [from, first] of [
    [1, 9],
    [2, 4],
  ] as const)
    exchange.receive(from, messageOf({ type: 'findings', first }), bytes(0));
  t.is(come('findings'), 1);
  t.is(arena.i32[(plan.findings >>> 2) + 1], 4);
});

test('a message that is not foreseen, or of other bytes, is refused and writes nothing', (t) => {
  const leaf = sideOf('star', 1, [0, 1, 2, 4]);
  const coordinator = sideOf('star', 0, [0, 1, 2, 4]);
  const peer = sideOf('mesh', 1, [0, 1, 2, 4]);
  const pair = sideOf('mesh', 0, [0, 2, 4]);
  const verdict = messageOf({ type: 'verdict' });
  const sums = messageOf({ type: 'sums' });
  const merged = messageOf({ type: 'merged', area: 0 });
  const reduced = messageOf({ type: 'reduced', offset: 0 });
  const findings = messageOf({ type: 'findings', first: 0 });
  const strange: readonly (readonly [side: Side, from: number, message: StepMessage, bytes: number])[] = [
    [leaf, 0, statistics(0), 48],
    [leaf, 2, merged, 48],
    [leaf, 2, verdict, leaf.plan.verdictBytes],
    [leaf, 0, sums, 16],
    [leaf, 0, findings, 0],
    [leaf, 2, reduced, 64],
    [coordinator, 1, merged, 48],
    [coordinator, 1, verdict, coordinator.plan.verdictBytes],
    [coordinator, 1, reduced, 64],
    [peer, 0, merged, 48],
    [peer, 2, verdict, peer.plan.verdictBytes],
    [peer, 2, sums, 16],
    [pair, 1, reduced, 64],
    [sideOf('mesh', 1, [0, 2, 4, 4]), 2, contribution(0), 64],
    [sideOf('mesh', 1, [0, 2, 4, 4]), 2, statistics(0), 0],
  ];
  for (const [{ exchange, arena }, from, message, length] of strange) {
    const before = arena.u8.slice();
    t.is(
      refusal('LOCKSTEP_PROTOCOL', () => exchange.receive(from, message, bytes(length))),
      `Expected no \`${message.type}\` from host ${from} of the generation, got one.`,
    );
    t.is(Buffer.compare(arena.u8, before), 0, message.type);
  }
  const wrong: readonly (readonly [side: Side, from: number, message: StepMessage, bytes: number, sentence: RegExp])[] = [
    [coordinator, 1, statistics(0), 47, /of 48 bytes, got 47\.$/],
    [coordinator, 1, statistics(0), 96, /of 48 bytes, got 96\.$/],
    [coordinator, 1, statistics(9), 48, /the number of a sync point of the model, got 9\.$/],
    [coordinator, 1, sums, 17, /of 16 bytes, got 17\.$/],
    [coordinator, 1, contribution(2), 64, /^Expected the piece of a gradient that is due/],
    [coordinator, 1, contribution(1, 64), 64, /^Expected the piece of a gradient that is due/],
    [coordinator, 1, contribution(1, 0, 1), 64, /^Expected the piece of a gradient that is due/],
    [coordinator, 1, contribution(1), 2 ** 16, /^Expected the piece of a gradient that is due/],
    [leaf, 0, contribution(0), 64, /is due \(none\), got/],
    [leaf, 0, merged, 40, /of 48 bytes, got 40\.$/],
    [leaf, 0, verdict, 8, /of \d+ bytes, got 8\.$/],
    [leaf, 0, messageOf({ type: 'reduced', offset: 4 }), 64, /^Expected the piece of a gradient that is due/],
  ];
  for (const [{ exchange, arena }, from, message, length, sentence] of wrong) {
    const before = arena.u8.slice();
    t.regex(
      refusal('LOCKSTEP_PROTOCOL', () => exchange.receive(from, message, bytes(length))),
      sentence,
    );
    t.is(Buffer.compare(arena.u8, before), 0, message.type);
  }
});

test("a host without shards gets the next step's gradient once its ranks have finished this one", async (t) => {
  const { plan, arena, exchange, announce, come } = sideOf('star', 1, [0, 4, 4]);
  const { global } = plan.gradients;
  const { to } = plan.gradients.hosts!.buckets[0]!;
  const reduced = (offset: number) => messageOf({ type: 'reduced', offset });
  exchange.receive(0, reduced(0), bytes(to));
  t.is(come('reduced'), 1);
  const next = new Uint8Array(to).fill(7);
  exchange.receive(0, reduced(0), next.subarray(0, 64));
  exchange.receive(0, reduced(64), next.subarray(64));
  // Whoever gave the bytes may use their memory again.
  next.fill(9);
  t.is(come('reduced'), 1);
  t.deepEqual(arena.u8.slice(global, global + to), bytes(to));
  t.throws(() => exchange.receive(0, reduced(64), bytes(64)), { code: 'LOCKSTEP_PROTOCOL' });
  announce('stood');
  await until('the next gradient', () => come('reduced') === 2);
  t.deepEqual(arena.u8.slice(global, global + to), new Uint8Array(to).fill(7));
});

test('a host that computes alone waits for nobody', async (t) => {
  for (const side of [sideOf('star', 0, [0, 4, 4]), sideOf('mesh', 1, [0, 0, 4])]) {
    side.announce('statistics', 0);
    side.announce('contribution', 0);
    await until('both', () => side.come('contributions') === 1 && side.come('statistics') === 1);
    await until('what was sent', () => side.come('flushed') === 1);
    t.true(side.sent.every(([, { type }]) => type !== 'contribution'));
  }
});

test('what is announced goes to those that need it', async (t) => {
  const told = async (side: Side, ...announced: (readonly [OutboxKind, number?])[]): Promise<string[]> => {
    for (const [kind, index] of announced) side.announce(kind, index);
    side.announce('findings');
    const last = side.sent.length;
    await until('all of it', () => side.sent.slice(last).some(([, { type }]) => type === 'findings'));
    return side.sent.slice(last).flatMap(([to, { type }, { length }]) => (type === 'findings' ? [] : [`${type} ${length} > ${to}`]));
  };
  const bounds = [0, 1, 2, 4];
  const leaf = sideOf('star', 2, bounds);
  const to = leaf.plan.gradients.hosts!.buckets[0]!.to;
  t.deepEqual(await told(leaf, ['statistics', 0], ['contribution', 0], ['losses']), ['statistics 48 > 0', `contribution ${to} > 0`, 'sums 16 > 0']);
  const peer = sideOf('mesh', 1, bounds);
  const { from: first, to: end } = peer.plan.gradients.hosts!.shares[1]!;
  t.deepEqual(
    (await told(peer, ['statistics', 0], ['contribution', 0], ['reduced', 0])).filter((text) => !text.startsWith('contribution')),
    ['statistics 48 > 0', 'statistics 48 > 2', ...(first < end ? [`reduced ${end - first} > 0`, `reduced ${end - first} > 2`] : [])],
  );
  t.deepEqual(await told(sideOf('star', 1, [0, 4, 4]), ['statistics', 0], ['contribution', 0], ['losses']), ['sums 0 > 0']);
  const { sent, announce, plan } = sideOf('star', 0, bounds);
  announce('merged', 1);
  announce('verdict');
  await until('a verdict', () => sent.length === 4);
  t.deepEqual(
    sent.map(([host, { type, generation }, { length }]) => [host, type, generation, length]),
    [
      [1, 'merged', 3, 48],
      [2, 'merged', 3, 48],
      [1, 'verdict', 3, plan.verdictBytes],
      [2, 'verdict', 3, plan.verdictBytes],
    ],
  );
});

test('an exchange that was stopped sends, takes and counts nothing', async (t) => {
  const { exchange, announce, come, sent } = sideOf('star', 0, [0, 2, 4]);
  exchange.stop();
  announce('verdict');
  exchange.receive(1, statistics(0), bytes(48));
  const other = sideOf('star', 0, [0, 2, 4]);
  other.announce('verdict');
  await until('the verdict of another', () => other.sent.length === 1);
  t.deepEqual(sent, []);
  t.is(come('statistics'), 0);
});
