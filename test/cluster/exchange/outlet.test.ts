/**
 * Room: tests of cluster. However a connection takes its bytes, what was posted leaves as valid messages: notes in order, runs in order and
 * each as a whole, and whoever waits for a run is told when its last byte has left.
 */
import test from 'ava';
import fc from 'fast-check';
import type { Run } from '../../../cluster/exchange/departures.ts';
import { frameAt, Outlet, type Sendable, sendableFor } from '../../../cluster/exchange/outlet.ts';
import { decodeFrame, startFrame } from '../../../cluster/wire/frame.ts';
import type { Message } from '../../../cluster/wire/messages.ts';
import { messageLength, startBytes } from '../../../cluster/wire/websocket.ts';
import { Arena } from '../../../src/memory/arena.ts';
import { MemoryPlan } from '../../../src/memory/plan.ts';
import { readTraffic, reserveTraffic, TrafficCounter } from '../../../src/telemetry/traffic.ts';
import { envelope } from '../transport/sockets.ts';
import { FakeConnection, portions } from './fake-calls.ts';

const pieceBytes = 2 ** 20;
const memory = new MemoryPlan();
const trafficAt = reserveTraffic(memory);
const vector = memory.reserve('gradients', 3 * pieceBytes);

class Side {
  readonly arena = Arena.create(memory.bytes);
  readonly connection: FakeConnection;
  readonly outlet: Outlet;
  readonly sendable: Sendable;
  readonly masks: boolean;
  /** For each run that has left, how many bytes of the connection had left by then. */
  readonly left: [root: number, sentBytes: number][] = [];

  constructor(some: readonly number[], masks: boolean) {
    const { arena } = this;
    for (let i = 0; i < 3 * pieceBytes; i += 4) arena.i32[(vector + i) >>> 2] = Math.imul(i, 2_654_435_761);
    this.connection = new FakeConnection(some);
    this.masks = masks;
    const { calls } = this.connection;
    const traffic = new TrafficCounter(arena, trafficAt);
    const message = (fields: ReturnType<Run['fields']>): Message => ({ ...envelope, ...fields });
    this.outlet = new Outlet({ calls, descriptor: 5, masks, base: calls.addressOf(arena.u8), traffic, message });
    this.sendable = sendableFor(10_000, calls);
  }

  /** Note number `area` with `bytes` bytes, all equal to it; the memory is written over as soon as it is posted. */
  post(area: number, bytes: number): void {
    const { buffer } = this.sendable;
    const at = startFrame(buffer, frameAt, { ...envelope, type: 'statistics', area });
    buffer.fill(area, at, at + bytes);
    this.outlet.post(this.sendable, at - frameAt + bytes);
    buffer.fill(0xff);
  }

  add(root: number, from: number, end: number): void {
    const fields = (offset: number): ReturnType<Run['fields']> => ({ type: 'contribution', bucket: 0, root, offset });
    this.outlet.add({ to: 1, vector, from, end, fields }, () => this.left.push([root, this.connection.sentBytes]));
  }

  drain(): void {
    while (!this.outlet.isEmpty) this.outlet.flush();
  }

  /** The messages that have left, their payloads, and where each of them ends. */
  messages(): { message: Message; payload: Uint8Array; end: number }[] {
    const { output } = this.connection;
    const messages = [];
    for (let at = 0; at < output.length; ) {
      const start = startBytes(output, at, output.length, this.masks);
      const end = at + start + messageLength(output, at);
      if (start === 0 || end > output.length) throw new Error(`Expected whole messages, got a cut one at byte ${at}.`);
      messages.push({ ...decodeFrame(output.subarray(at + start, end)), end });
      at = end;
    }
    return messages;
  }
}

const acts = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('post' as const), bytes: fc.oneof(fc.nat(300), fc.nat(10_000)) }),
    fc.record({ kind: fc.constant('add' as const), from: fc.nat(pieceBytes), bytes: fc.oneof(fc.constant(0), fc.nat(5000), fc.nat(2 * pieceBytes)) }),
    fc.record({ kind: fc.constant('flush' as const) }),
  ),
  { minLength: 4, maxLength: 12 },
);

test('whatever is posted leaves as messages: notes in order, runs in order and as a whole, and is told when it has left', (t) => {
  let pieces = 0;
  let waited = 0;
  fc.assert(
    fc.property(acts, portions, fc.boolean(), (all, some, masks) => {
      const side = new Side(some, masks);
      const { outlet, arena, left } = side;
      const notes: [number, number][] = [];
      const runs: { from: number; end: number }[] = [];
      for (const act of all) {
        if (act.kind === 'flush') outlet.flush();
        else if (act.kind === 'post') {
          notes.push([notes.length, act.bytes]);
          side.post(notes.length - 1, act.bytes);
        } else {
          runs.push({ from: act.from, end: act.from + act.bytes });
          side.add(runs.length - 1, act.from, act.from + act.bytes);
        }
        if (!outlet.isEmpty) waited++;
      }
      side.drain();
      const came = side.messages();
      const cameNotes = came.filter(({ message }) => message.type === 'statistics');
      t.deepEqual(
        cameNotes.map(({ message, payload }) => [message.type === 'statistics' && message.area, payload.length]),
        notes,
      );
      t.true(cameNotes.every(({ payload }, area) => payload.every((byte) => byte === area)));
      const ends = new Map<number, number>();
      const offsets = runs.map(({ from }) => from);
      let last = 0;
      for (const { message, payload, end } of came) {
        if (message.type !== 'contribution') continue;
        pieces++;
        t.true(message.root >= last, 'in order');
        last = message.root;
        t.is(message.offset, offsets[message.root]!);
        t.is(Buffer.compare(payload, arena.u8.slice(vector + message.offset, vector + message.offset + payload.length)), 0);
        offsets[message.root]! += payload.length;
        ends.set(message.root, end);
      }
      t.deepEqual(
        offsets,
        runs.map(({ end }) => end),
      );
      t.deepEqual(
        left.map(([root]) => root).toSorted((a, b) => a - b),
        runs.map((_, root) => root),
        'each is told once',
      );
      for (const [root, sentBytes] of left) if (ends.has(root)) t.is(sentBytes, ends.get(root)!, 'with the last byte, not before');
      const bytesOut = came.reduce((sum, { payload }) => sum + payload.length, 0);
      const traffic = readTraffic(arena, trafficAt);
      t.is(traffic.messagesOut, came.length);
      t.is(
        traffic.gradientBytesOut,
        runs.reduce((sum, { from, end }) => sum + end - from, 0),
      );
      t.true(traffic.bytesOut > bytesOut || came.length === 0);
    }),
    { numRuns: 60, seed: 20_240_602 },
  );
  t.true(pieces > 60 && waited > 60, `${pieces} pieces, ${waited} acts left something to send`);
});

test('a note goes before the runs, but never into a message that has begun', (t) => {
  const side = new Side([500, 500, 0], false);
  side.add(0, 0, 2 * pieceBytes + 8);
  side.outlet.flush();
  t.true(side.connection.sentBytes > 500 && side.connection.sentBytes <= 1000, 'the first piece has begun');
  side.post(0, 100);
  side.post(1, 100);
  side.connection.portions = [2 ** 20];
  side.drain();
  t.deepEqual(
    side.messages().map(({ message, payload }) => [message.type, payload.length]),
    [
      ['contribution', pieceBytes],
      ['statistics', 100],
      ['statistics', 100],
      ['contribution', pieceBytes],
      ['contribution', 8],
    ],
  );
});

test('a note that the connection takes leaves in the call; one that it does not is a copy', (t) => {
  const side = new Side([2 ** 20], true);
  side.post(0, 64);
  t.true(side.outlet.isEmpty);
  t.is(side.messages().length, 1);
  side.connection.portions = [7, 0];
  side.post(1, 64);
  t.false(side.outlet.isEmpty);
  side.drain();
  t.deepEqual(
    side.messages().map(({ payload }) => [...payload]),
    [Array(64).fill(0), Array(64).fill(1)],
  );
});

test('an outlet that was closed sends nothing, and nobody waits for it', (t) => {
  const side = new Side([100, 0], false);
  side.add(0, 0, pieceBytes);
  side.add(1, 0, 64);
  side.outlet.flush();
  side.post(0, 10);
  const { sentBytes } = side.connection;
  t.true(sentBytes > 0);
  side.outlet.close();
  t.deepEqual(
    side.left.map(([root]) => root),
    [0, 1],
  );
  side.add(2, 0, 64);
  side.post(1, 10);
  side.outlet.flush();
  side.outlet.close();
  t.deepEqual(
    side.left.map(([root]) => root),
    [0, 1, 2],
  );
  t.true(side.outlet.isEmpty);
  t.is(side.connection.sentBytes, sentBytes);
});

test('room for a frame is there, and what is sent may be aligned', (t) => {
  const { calls } = new FakeConnection([1]);
  const { buffer, room } = sendableFor(1000, calls);
  t.is(room, 1000);
  t.true(buffer.length >= frameAt + 1000 + 256);
  t.is(frameAt % 8, 0);
});
