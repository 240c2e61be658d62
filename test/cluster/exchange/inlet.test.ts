/**
 * Room: tests of cluster. However the bytes of a connection are cut, the same is written and counted as of whole messages; what may not be
 * written yet is not; and what is no step's message, or not due, ends the connection.
 */
import test from 'ava';
import fc from 'fast-check';
import { Incoming, type StepMessage } from '../../../cluster/exchange/incoming.ts';
import { Inlet } from '../../../cluster/exchange/inlet.ts';
import { rootsByHost } from '../../../cluster/exchange/routes.ts';
import { SystemCallFailed } from '../../../cluster/transport/descriptor.ts';
import { encodeFrame } from '../../../cluster/wire/frame.ts';
import type { Message } from '../../../cluster/wire/messages.ts';
import { longestStart, writeStartBefore } from '../../../cluster/wire/websocket.ts';
import { Arena } from '../../../src/memory/arena.ts';
import { sequential } from '../../../src/model/model.ts';
import { planRun, type RunPlan } from '../../../src/model/plan.ts';
import { readTraffic, TrafficCounter } from '../../../src/telemetry/traffic.ts';
import { refusal } from '../../data/folder.ts';
import { envelope, heartbeat } from '../transport/sockets.ts';
import { FakeConnection, portions } from './fake-calls.ts';

/** Wide enough for payloads that go around the buffer. */
const model = sequential([
  { type: 'batchNormalization', inputShape: [200] },
  { type: 'dense', units: 100, activation: 'softmax' },
]).config;
const train = { length: 8, inputShape: [200], inputType: 'float32', scale: 1, targetSize: 0 } as const;

function planFor(host: number, bounds: readonly number[]): RunPlan {
  const part = { topology: 'star', host, bounds } as const;
  return planRun({ model, inputShape: [200], loss: 'sparseCategoricalCrossentropy', shards: 4, ranks: 1, part, batchRows: 8, optimizerSlots: 0, train });
}

const coordinator = planFor(0, [0, 2, 4]);
const onlooker = planFor(1, [0, 4, 4]);
const vectorBytes = onlooker.gradients.hosts!.buckets[0]!.to;

interface Posted {
  readonly message: StepMessage;
  readonly payload: Uint8Array;
}

const messageOf = (step: number, fields: object): StepMessage => ({ ...envelope, step, ...fields }) as StepMessage;
const numbered = (count: number, seed: number): Uint8Array => Uint8Array.from({ length: count }, (_, i) => seed + (i % 251));

/** All of a vector's bytes [from, to), cut after these, for messages made by `fields`. */
function pieces(from: number, to: number, cuts: readonly number[], seed: number, fields: (offset: number) => StepMessage): Posted[] {
  const bounds = [...new Set([from, ...cuts.map((cut) => from + (cut % (to - from))), to])].toSorted((a, b) => a - b);
  return bounds.slice(1).map((end, i) => ({ message: fields(bounds[i]!), payload: numbered(end - bounds[i]!, seed) }));
}

/** What host 1 of two sends to the coordinator in a step. */
function stepOf(step: number, cuts: readonly number[]): Posted[] {
  const roots = rootsByHost(coordinator.gradients.hosts!, 2)[1]!;
  const areas = coordinator.ranks[0]!.areas.map(({ channels }, area) => ({
    message: messageOf(step, { type: 'statistics', area }),
    payload: numbered(16 * channels * roots.length, step + area),
  }));
  const contributions = coordinator.gradients.hosts!.buckets.flatMap(({ from, to }, bucket) =>
    roots.flatMap(({ number }) => pieces(from, to, cuts, step, (offset) => messageOf(step, { type: 'contribution', bucket, root: number, offset }))),
  );
  const sums = { message: messageOf(step, { type: 'sums' }), payload: numbered(16 * roots.length, step) };
  return [...areas, ...contributions, sums, { message: messageOf(step, { type: 'findings', first: step }), payload: new Uint8Array(0) }];
}

function bytesOf(message: Message, payload: Uint8Array, masked: boolean): Buffer {
  const frame = encodeFrame(message, payload);
  const start = Buffer.alloc(longestStart);
  return Buffer.concat([start.subarray(writeStartBefore(start, longestStart, frame.length, masked)), frame]);
}

function sideOf(plan: RunPlan, host: number, some: readonly number[], masked: boolean) {
  const arena = Arena.create(plan.memory.bytes);
  const connection = new FakeConnection(some);
  const { calls } = connection;
  const incoming = new Incoming(plan, arena);
  const traffic = new TrafficCounter(arena, plan.traffic);
  const inlet = new Inlet({ calls, descriptor: 3, masked, host, generation: envelope.generation, arena, base: calls.addressOf(arena.u8), traffic, incoming });
  return { arena, connection, incoming, inlet };
}

const cuts = fc.array(fc.nat(2 ** 17), { maxLength: 4 });

test('however bytes are cut, they write and count what whole messages do', (t) => {
  let direct = 0;
  fc.assert(
    fc.property(portions, cuts, fc.boolean(), (some, between, masked) => {
      const posted = [256, 257, 300].flatMap((step) => stepOf(step, between));
      const { arena, connection, inlet } = sideOf(coordinator, 1, some, masked);
      connection.coming = Buffer.concat(posted.map(({ message, payload }) => bytesOf(message, payload, masked)));
      while (connection.coming.length > 0) inlet.read();
      t.false(inlet.isHeld);
      const whole = Arena.create(coordinator.memory.bytes);
      const reference = new Incoming(coordinator, whole);
      const traffic = new TrafficCounter(whole, coordinator.traffic);
      for (const { message, payload } of posted) {
        if (payload.length >= 2 ** 14) direct++;
        reference.receive(1, message, payload);
        traffic.received(encodeFrame(message, payload).length);
      }
      t.is(Buffer.compare(arena.u8, whole.u8), 0);
      t.is(readTraffic(arena, coordinator.traffic).messagesIn, posted.length);
    }),
    { numRuns: 60, seed: 20_240_602 },
  );
  t.true(direct > 60, `${direct} payloads were long`);
});

test('a piece that may not be written yet waits, and all behind it', (t) => {
  const { global } = onlooker.gradients;
  let waited = 0;
  fc.assert(
    fc.property(portions, cuts, fc.nat(1000), (some, between, early) => {
      const { arena, connection, incoming, inlet } = sideOf(onlooker, 0, some, false);
      const reduced = (step: number): Buffer[] =>
        pieces(0, vectorBytes, between, step, (offset) => messageOf(step, { type: 'reduced', offset })).map(({ message, payload }) => bytesOf(message, payload, false));
      const all = Buffer.concat([...reduced(1), ...reduced(2)]);
      const vector = (): Uint8Array => arena.u8.slice(global, global + vectorBytes);
      const expected = (seed: number): Uint8Array => {
        const parts = pieces(0, vectorBytes, between, seed, (offset) => messageOf(seed, { type: 'reduced', offset }));
        return Buffer.concat(parts.map(({ payload }) => payload));
      };
      connection.coming = all;
      for (let reads = 0; reads < all.length && !inlet.isHeld; reads++) inlet.read();
      t.true(inlet.isHeld);
      t.is(Buffer.compare(vector(), expected(1)), 0);
      const { length } = connection.coming;
      for (let again = 0; again <= early % 3; again++) t.false(inlet.read());
      t.is(connection.coming.length, length, 'nothing more is read');
      t.is(Buffer.compare(vector(), expected(1)), 0, 'nor written');
      if (length > 0) waited++;
      incoming.announced('stood', 0);
      t.false(inlet.isHeld);
      do inlet.read();
      while (connection.coming.length > 0);
      t.is(Buffer.compare(vector(), expected(2)), 0);
    }),
    { numRuns: 40, seed: 20_240_602 },
  );
  t.true(waited > 10, `${waited} times bytes waited in the connection`);
});

test('nothing is there, or only a part: that is no fault', (t) => {
  const { connection, inlet } = sideOf(coordinator, 1, [2 ** 20], true);
  t.false(inlet.read());
  const bytes = bytesOf(messageOf(1, { type: 'sums' }), new Uint8Array(0), true);
  connection.coming = bytes.subarray(0, 9);
  t.true(inlet.read());
  t.false(inlet.read());
});

test('a connection that ends is broken, also within a message', (t) => {
  for (const cut of [0, 1, 10]) {
    const { connection, inlet } = sideOf(coordinator, 1, [2 ** 20], true);
    connection.coming = bytesOf(messageOf(1, { type: 'sums' }), new Uint8Array(0), true).subarray(0, cut);
    connection.ended = true;
    const error = t.throws(() => inlet.read());
    t.true(error instanceof SystemCallFailed);
    t.is(error?.message, 'the other side closed it');
  }
});

test('what is no message of this step, or not due, is refused and writes nothing', (t) => {
  const none = new Uint8Array(0);
  const valid = bytesOf(messageOf(1, { type: 'statistics', area: 0 }), none, true);
  const headerLength = (length: number): Buffer => {
    const bytes = Buffer.from(valid);
    bytes.writeUInt32LE(length, bytes.indexOf(encodeFrame(messageOf(1, { type: 'statistics', area: 0 })).subarray(0, 8)));
    return bytes;
  };
  const shorter = Buffer.from(valid);
  shorter[1] = 0x80 | 20;
  const strange: readonly (readonly [bytes: Buffer, sentence: RegExp])[] = [
    [bytesOf({ ...envelope, type: 'refused', reason: 'stale', message: 'Too late.' }, none, true), /^Too late\.$/],
    [bytesOf(heartbeat, none, true), /^Expected a step's message of generation 3, got `heartbeat` of generation 3\.$/],
    [bytesOf({ ...messageOf(1, { type: 'sums' }), generation: 2 }, none, true), /^Expected a step's message of generation 3, got `sums` of generation 2\.$/],
    [bytesOf(messageOf(1, { type: 'verdict' }), none, true), /^Expected no `verdict` from host 1 of the generation, got one\.$/],
    [bytesOf(messageOf(1, { type: 'statistics', area: 0 }), numbered(7, 1), true), /^Expected a `statistics` message of \d+ bytes, got 7\.$/],
    [bytesOf(messageOf(1, { type: 'sums' }), none, false), /^Expected a message with a mask /],
    [Buffer.of(0x88, 0x80, 0, 0, 0, 0), /, got the end of the connection\.$/],
    [shorter, /^Expected the header of a step's message, got one of \d+ bytes in a message of 20\.$/],
    [headerLength(65_536), /^Expected the header of a step's message, got one of 65544 bytes in a message of \d+\.$/],
    [headerLength(0), /^Expected a header of 1 to 1048576 bytes, got 0\.$/],
    [headerLength(2 ** 31), /^Expected a header of 1 to 1048576 bytes, got 2147483648\.$/],
  ];
  for (const [bytes, sentence] of strange) {
    const { arena, connection, inlet } = sideOf(coordinator, 1, [2 ** 20], true);
    connection.coming = bytes;
    t.regex(
      refusal('LOCKSTEP_PROTOCOL', () => inlet.read()),
      sentence,
    );
    t.true(arena.u8.every((byte) => byte === 0));
  }
});
