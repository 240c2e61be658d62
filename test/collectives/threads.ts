/**
 * Room: tests of collectives. Starts real threads that meet over one arena, and collects what each of them came to.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { controlIndex, reserveControl } from '../../src/collectives/control.ts';
import { Arena } from '../../src/memory/arena.ts';
import { MemoryPlan } from '../../src/memory/plan.ts';
import type { Outcome, Work } from './thread.ts';

/** A control block, room for `bytes` more, and an arena for both. */
export function controlArena(bytes = 0) {
  const memory = new MemoryPlan();
  const address = reserveControl(memory);
  const room = memory.reserve('statistics', bytes);
  return { arena: Arena.create(memory.bytes), address, control: controlIndex(address), room };
}

type WorkOf<T> = T extends Work ? Omit<T, 'memory' | 'rank'> : never;

/** Runs `work` in `ranks` threads; resolves to their outcomes in order of rank. */
export async function inThreads(arena: Arena, ranks: number, work: WorkOf<Work>): Promise<Outcome[]> {
  return await Promise.all(
    Array.from({ length: ranks }, async (_, rank) => {
      const worker = new Worker(new URL('./thread.js', import.meta.url), { workerData: { ...work, memory: arena.memory, rank } });
      const [[outcome]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
      return outcome as Outcome;
    }),
  );
}

/** Resolves when the int32 at `index` holds `value`. Looks again each turn of the event loop; the test's timeout bounds it. */
export async function until(arena: Arena, index: number, value: number): Promise<void> {
  while (Atomics.load(arena.i32, index) !== value) await new Promise((resolve) => setImmediate(resolve));
}
