/** Room: tests of telemetry. Counters of what crossed a host's connections, in the arena. */
import test from 'ava';
import { Arena } from '../../src/memory/arena.ts';
import { MemoryPlan } from '../../src/memory/plan.ts';
import { addTraffic, noTraffic, readTraffic, reserveTraffic, TrafficCounter } from '../../src/telemetry/traffic.ts';

test('each way is counted for itself, and anybody may read it', (t) => {
  const memory = new MemoryPlan();
  const [first, second] = [reserveTraffic(memory), reserveTraffic(memory)];
  const arena = Arena.create(memory.bytes);
  const counter = new TrafficCounter(arena, second);
  t.deepEqual(readTraffic(arena, second), noTraffic);
  counter.sent(100);
  counter.sent(20);
  counter.received(7);
  counter.sentGradient(64);
  const expected = { bytesIn: 7, bytesOut: 120, messagesIn: 1, messagesOut: 2, gradientBytesOut: 64 };
  t.deepEqual(readTraffic(new Arena(arena.memory), second), expected);
  t.deepEqual(readTraffic(arena, first), noTraffic);
  counter.received(2 ** 40);
  t.is(readTraffic(arena, second).bytesIn, 2 ** 40 + 7, 'beyond 32 bits');
});

test('traffic adds up, counter by counter', (t) => {
  const a = { bytesIn: 1, bytesOut: 20, messagesIn: 300, messagesOut: 4000, gradientBytesOut: 50_000 };
  const b = { bytesIn: 5, bytesOut: 40, messagesIn: 300, messagesOut: 2000, gradientBytesOut: 10_000 };
  t.deepEqual(addTraffic(a, b), { bytesIn: 6, bytesOut: 60, messagesIn: 600, messagesOut: 6000, gradientBytesOut: 60_000 });
  t.deepEqual(addTraffic(a, noTraffic), a);
});
