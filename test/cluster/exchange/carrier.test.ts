/**
 * Room: tests of cluster. Leaders that carry over real connections, inside one thread: what one announces is written and counted at the
 * other, and a connection that fails is told of while the others go on.
 */
import type { ExecutionContext } from 'ava';
import { LeaderCarrier } from '../../../cluster/exchange/carrier.ts';
import { SystemCallFailed, type SystemCalls, wouldBlock } from '../../../cluster/transport/descriptor.ts';
import { troubleOf } from '../../../cluster/trouble.ts';
import { controlIndex } from '../../../src/collectives/control.ts';
import { type Arrival, type OutboxKind, recall, Uplink, uplinkIndex } from '../../../src/collectives/uplink.ts';
import { Arena } from '../../../src/memory/arena.ts';
import { sequential } from '../../../src/model/model.ts';
import { planRun, type RunPlan } from '../../../src/model/plan.ts';
import { readTraffic } from '../../../src/telemetry/traffic.ts';
import { calls, descriptors, withCalls } from '../transport/descriptors.ts';
import { envelope } from '../transport/sockets.ts';

interface Side {
  readonly plan: RunPlan;
  readonly arena: Arena;
  readonly carrier: LeaderCarrier;
  readonly uplink: Uplink;
  readonly announce: (kind: OutboxKind, index?: number) => void;
  readonly come: (word: Arrival) => number;
}

/** Gradients of some kilobytes, or of more than a system holds for a connection. */
const narrow = 8;
const wide = 3000;

function sideOf(
  host: number,
  bounds: readonly number[],
  sockets: readonly (readonly [host: number, descriptor: number, masks: boolean])[],
  size = narrow,
  own = calls,
): Side {
  const model = sequential([
    { type: 'batchNormalization', inputShape: [size] },
    { type: 'dense', units: size, activation: 'softmax' },
  ]).config;
  const train = { length: 8, inputShape: [size], inputType: 'float32', scale: 1, targetSize: 0 } as const;
  const part = { topology: 'star', host, bounds } as const;
  const plan = planRun({ model, inputShape: [size], loss: 'sparseCategoricalCrossentropy', shards: 4, ranks: 1, part, batchRows: 8, optimizerSlots: 0, train });
  const arena = Arena.create(plan.memory.bytes);
  const steps = { generation: envelope.generation, sockets: sockets.map(([to, descriptor, masks]) => ({ host: to, descriptor, masks })) };
  const carrier = new LeaderCarrier(plan, arena, steps, own, 0);
  const uplink = new Uplink(arena, controlIndex(plan.control), plan.uplink, true, carrier);
  const index = uplinkIndex(plan.uplink);
  return { plan, arena, carrier, uplink, announce: (kind, at) => uplink.announce(kind, at), come: (word) => Atomics.load(arena.i32, index[word]) };
}

/** A coordinator and hosts with shards, each of which is connected to it and dialed. */
async function star(t: ExecutionContext, others: number, size = narrow, own: readonly SystemCalls[] = []): Promise<Side[]> {
  const pairs = await Promise.all(Array.from({ length: others }, () => descriptors(t, calls)));
  const bounds = [...Array.from({ length: others + 1 }, (_, i) => i), 4];
  const first = sideOf(
    0,
    bounds,
    pairs.map(([near], i) => [i + 1, near, false] as const),
    size,
    own[0],
  );
  return [first, ...pairs.map(([, far], i) => sideOf(i + 1, bounds, [[0, far, true]], size, own[i + 1]))];
}

/** Lets all of them work by turns until `holds`. */
function workUntil(what: string, sides: readonly Side[], holds: () => boolean): void {
  for (const deadline = performance.now() + 10_000; !holds(); ) {
    if (performance.now() > deadline) throw new Error(`Expected ${what} within 10 s.`);
    for (const { carrier } of sides) carrier.work(0);
  }
}

const trouble = async ({ arena, plan }: Side): Promise<unknown> => troubleOf(arena, plan.trouble, AbortSignal.timeout(10_000));
const isQuiet = ({ arena, plan }: Side): boolean => arena.i32[plan.trouble >>> 2] === 0;

withCalls('what one leader announces is written and counted at the other, step after step', async (t) => {
  const sides = await star(t, 1);
  const [first, second] = sides as [Side, Side];
  const { blocks, result, channels } = first.plan.ranks[0]!.areas[0]!;
  for (let step = 1; step <= 3; step++) {
    for (const { arena, plan } of sides) arena.i32[plan.standing >>> 2] = 254 + step;
    const own = second.plan.ranks[0]!.areas[0]!.blocks;
    for (const { start } of second.plan.gradients.hosts!.roots.filter(({ host }) => host === 1)) {
      second.arena.u8.fill(step, own + 16 * channels * start, own + 16 * channels * (start + 1));
    }
    second.announce('statistics', 0);
    workUntil('the statistics', sides, () => first.come('statistics') === step);
    t.true(first.arena.u8.slice(blocks + 16 * channels, blocks + 32 * channels).every((byte) => byte === step));
    first.arena.u8.fill(100 + step, result, result + 16 * channels);
    first.announce('merged', 0);
    workUntil('the merged block', sides, () => second.come('statistics') === step);
    t.is(second.arena.u8[own + 16 * channels * 4], 100 + step);
    second.announce('findings');
    workUntil('the findings', sides, () => first.come('findings') === step);
  }
  const [sent, received] = [readTraffic(second.arena, second.plan.traffic), readTraffic(first.arena, first.plan.traffic)];
  t.deepEqual([sent.bytesOut, sent.messagesOut, sent.bytesIn, sent.messagesIn], [received.bytesIn, received.messagesIn, received.bytesOut, received.messagesOut]);
  t.is(sent.messagesOut, 6);
  t.true(sides.every(isQuiet));
});

withCalls('gradients beyond what the system holds arrive whole; nobody sleeps over what has left', async (t) => {
  let asleep: (ms: number) => void = () => {};
  const watched: SystemCalls = { ...calls, poll: (_, __, ms) => asleep(ms) };
  const sides = await star(t, 1, wide, [calls, watched]);
  const [first, second] = sides as [Side, Side];
  const { to } = second.plan.gradients.hosts!.buckets[0]!;
  const roots = second.plan.gradients.hosts!.roots.map((root, number) => ({ ...root, number })).filter(({ host }) => host === 1);
  for (const { vector, number } of roots) for (let at = 0; at < to; at += 4) second.arena.i32[(vector + at) >>> 2] = Math.imul(at + number, 2_654_435_761);
  second.announce('contribution', 0);
  t.true(second.carrier.isSending && second.carrier.isBusy);
  t.is(second.come('flushed'), 0);
  let sleeps = 0;
  asleep = () => {
    sleeps++;
    t.is(second.come('flushed'), 0, 'it would sleep over what it waits for');
    first.carrier.work(0);
  };
  for (const deadline = performance.now() + 10_000; second.come('flushed') === 0 && performance.now() < deadline; ) second.carrier.work(1000);
  t.is(second.come('flushed'), 1);
  t.true(sleeps > 0);
  t.false(second.carrier.isSending);
  workUntil('the contribution', sides, () => first.come('contributions') === 1);
  for (const { vector, number } of roots) {
    const there = first.plan.gradients.hosts!.roots[number]!.vector;
    t.is(Buffer.compare(first.arena.u8.subarray(there, there + to), second.arena.u8.subarray(vector, vector + to)), 0);
  }
  t.is(readTraffic(second.arena, second.plan.traffic).gradientBytesOut, to * roots.length);
});

withCalls('a connection that breaks is told of, and the others go on', async (t) => {
  const pairs = [await descriptors(t, calls), await descriptors(t, calls)] as const;
  const bounds = [0, 1, 2, 4];
  const first = sideOf(0, bounds, [
    [1, pairs[0][0], false],
    [2, pairs[1][0], false],
  ]);
  const second = sideOf(1, bounds, [[0, pairs[0][1], true]]);
  pairs[1][2]();
  workUntil('the trouble', [first, second], () => !isQuiet(first));
  t.deepEqual(await trouble(first), { host: 2, reason: 'the other side closed it' });
  first.announce('merged', 0);
  first.announce('verdict');
  workUntil('messages over the other connection', [first, second], () => second.come('statistics') + second.come('verdicts') === 2);
  second.announce('statistics', 0);
  second.announce('findings');
  const { messagesIn } = readTraffic(first.arena, first.plan.traffic);
  workUntil('messages from the other connection', [first, second], () => readTraffic(first.arena, first.plan.traffic).messagesIn === messagesIn + 2);
  t.true(isQuiet(second));
  first.carrier.work(1);
  t.false(first.carrier.isSending);
});

withCalls('who sends what is not due is told of, by name', async (t) => {
  const [near, far] = await descriptors(t, calls);
  const first = sideOf(0, [0, 2, 4], [[1, near, false]]);
  const bytes = Buffer.allocUnsafeSlow(64).fill('GET / HTTP/1.1');
  t.is(calls.send(far, calls.addressOf(bytes), 64, false), 64);
  workUntil('the trouble', [first], () => !isQuiet(first));
  t.deepEqual(await trouble(first), { host: 1, reason: 'Expected a binary message on the connection of a step, got a frame that begins with 0x47.' });
});

withCalls('a gradient that can leave no more is counted as left: nobody waits for it', async (t) => {
  const [, second] = (await star(t, 1, wide)) as [Side, Side];
  second.announce('contribution', 0);
  t.is(second.come('flushed'), 0);
  let received = 0;
  const receive = (): number => {
    received++;
    return wouldBlock;
  };
  const broken: SystemCalls = { ...calls, send: () => raise('sending failed with EPIPE'), receive };
  const other = sideOf(1, [0, 1, 4], [[0, 0, true]], narrow, broken);
  other.announce('contribution', 0);
  t.is(other.come('flushed'), 1);
  other.announce('statistics', 0);
  other.announce('contribution', 0);
  t.is(other.come('flushed'), 2);
  t.deepEqual(await trouble(other), { host: 0, reason: 'sending failed with EPIPE' });
  other.carrier.work(1);
  t.is(received, 0, 'nor is anything read of it');
});

withCalls('a leader that carries ends its wait when it is recalled', async (t) => {
  const [first] = (await star(t, 1)) as [Side, Side];
  recall(first.arena, uplinkIndex(first.plan.uplink), true);
  t.throws(() => first.uplink.take('statistics'), { name: 'Recalled' });
});

withCalls('a defect of this side is thrown on', (t) => {
  const defect: SystemCalls = { ...calls, receive: () => raise(new TypeError('defect')) };
  const side = sideOf(1, [0, 2, 4], [[0, 0, true]], narrow, defect);
  t.throws(() => side.carrier.work(0), { instanceOf: TypeError });
  t.true(isQuiet(side));
});

function raise(error: Error | string): never {
  throw typeof error === 'string' ? new SystemCallFailed(error) : error;
}
