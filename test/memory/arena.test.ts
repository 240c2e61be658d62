/**
 * Room: tests of memory. The arena: its size, its views, and that another thread sees the same bytes.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { Arena, arenaLimitBytes, pageBytes } from '../../src/memory/arena.ts';

test('an arena holds whole pages and is zeroed', (t) => {
  for (const [bytes, pages] of [
    [0, 1],
    [1, 1],
    [pageBytes, 1],
    [pageBytes + 1, 2],
    [10 * pageBytes - 1, 10],
  ] as const) {
    const arena = Arena.create(bytes);
    t.is(arena.u8.length, pages * pageBytes, `${bytes} bytes`);
    t.true(arena.u8.every((byte) => byte === 0));
  }
});

test('all views are of the same bytes, indexed by address', (t) => {
  const { u8, i32, f32, f64, memory } = Arena.create(pageBytes);
  const address = 128;
  f32[address >>> 2] = 1;
  t.deepEqual([...u8.subarray(address, address + 4)], [0, 0, 0x80, 0x3f]);
  t.is(i32[address >>> 2], 0x3f800000);
  f64[address >>> 3] = -2;
  t.is(u8[address + 7], 0xc0);
  t.true(memory.buffer instanceof SharedArrayBuffer);
  t.is(u8.buffer, memory.buffer);
});

test('an arena attached to the same memory, also in another thread, shares its bytes', async (t) => {
  const arena = Arena.create(pageBytes);
  new Arena(arena.memory).f32[5] = 7;
  t.is(arena.f32[5], 7);
  const worker = new Worker(new URL('./arena-thread.js', import.meta.url), { workerData: arena.memory });
  t.deepEqual(await once(worker, 'exit'), [0]);
  t.is(arena.f64[3], 7.5);
});

test('more than 4 GiB is refused with its size and a mend', (t) => {
  const error = t.throws(() => Arena.create(arenaLimitBytes + 1), { code: 'LOCKSTEP_MEMORY' });
  t.is(error?.message, 'Expected the run to fit an arena of 4 GiB, got 4.00 GiB; use a smaller batch or model, or limit the data.');
});

test('an arena that grows keeps its bytes and addresses; old views see what was there, new ones all', (t) => {
  const arena = Arena.create(2 * pageBytes, { growable: true });
  arena.f64[7] = 1.5;
  const larger = arena.grown(3 * pageBytes + 1);
  t.is(larger.u8.length, 4 * pageBytes);
  t.is(arena.u8.length, 2 * pageBytes);
  t.is(larger.memory, arena.memory);
  t.is(larger.f64[7], 1.5);
  arena.f64[8] = 2.5;
  t.is(larger.f64[8], 2.5);
  t.true(larger.u8.subarray(2 * pageBytes).every((byte) => byte === 0));
});

test('an arena that is large enough stays as it is', (t) => {
  const arena = Arena.create(2 * pageBytes, { growable: true });
  for (const bytes of [0, 1, 2 * pageBytes]) t.is(arena.grown(bytes), arena);
  t.is(Arena.create(pageBytes).grown(pageBytes).u8.length, pageBytes);
});

test('an arena that cannot grow so far says so and stays usable', (t) => {
  for (const [arena, bytes, gib] of [
    [Arena.create(pageBytes), pageBytes + 1, '0.00'],
    [Arena.create(pageBytes, { growable: true }), arenaLimitBytes + 1, '4.00'],
  ] as const) {
    const error = t.throws(() => arena.grown(bytes), { code: 'LOCKSTEP_MEMORY' });
    t.is(error?.message, `Expected the arena to grow to ${gib} GiB, but the system refused; free memory or use a smaller batch or model.`);
    t.is(arena.u8.length, pageBytes);
  }
});
