/**
 * Room: local (level 6). The threads of a team: a Piscina pool with as many as there are ranks, each of which runs one task for as long as a plan lasts.
 */
import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import type { RankOutcome, RankTask } from './task.ts';

/**
 * The most looks at a barrier before a rank sleeps, when every rank has a core: some tenths of a millisecond, as long as
 * ranks usually are apart. Waking a sleeper costs a quarter of that, at each of a step's meetings.
 */
const spinsOnOwnCore = 200_000;

/** A rank that takes more memory than this besides the arena is ended, before the whole process is, MiB. */
const mostHeapMb = 512;

/** `worker` is the module whose default export runs a rank. */
export function openRankPool(ranks: number, worker: URL): Piscina<RankTask, RankOutcome> {
  // Every task runs until the end, so threads and tasks must be as many; Piscina's own waiting and idling is of no use.
  const pool = new Piscina<RankTask, RankOutcome>({
    filename: worker.href,
    minThreads: ranks,
    maxThreads: ranks,
    concurrentTasksPerWorker: 1,
    atomics: 'disabled',
    idleTimeout: Number.POSITIVE_INFINITY,
    // Node 20 aborts the process when a thread is ended while it requires an ES module, and Piscina tries `require` before `import`.
    execArgv: ['--no-experimental-require-module'],
    // A rank makes no garbage but clock readings; more room would only be touched bit by bit.
    resourceLimits: { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: mostHeapMb },
  });
  // A thread that dies idle, or its replacement, is no failure of the run: tasks tell their own.
  pool.on('error', () => {});
  return pool;
}

/** How long each of so many ranks looks before it sleeps, as in `Barrier`. */
export function spinsOf(ranks: number): number {
  return ranks <= availableParallelism() ? spinsOnOwnCore : 0;
}
