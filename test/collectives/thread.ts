/**
 * Room: tests of collectives. What one thread of the tests does; `kind` says which test it belongs to. It posts its outcome
 * and ends.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { Aborted, Barrier } from '../../src/collectives/barrier.ts';
import { controlIndex } from '../../src/collectives/control.ts';
import { planShards } from '../../src/collectives/shard-plan.ts';
import { type Area, SharedSync } from '../../src/collectives/shared.ts';
import { type Address, Arena } from '../../src/memory/arena.ts';

interface Common {
  readonly memory: WebAssembly.Memory;
  readonly rank: number;
  readonly control: Address;
  readonly parties: number;
  readonly spins: number;
}

export type Work = Common &
  (
    | /** Meets again and again with random work in between; `words` holds the last round that each rank began (int32). */
    { readonly kind: 'meet'; readonly rounds: number; readonly words: Address }
    /** Meets `rounds` times, of which the last is never complete, then once more. */
    | { readonly kind: 'leave'; readonly rounds: number }
    /** Waits at the doorbell for anything but `value`. */
    | { readonly kind: 'doorbell'; readonly value: number }
    /** Reduces every round: blocks are filled from (round, shard), results are read as bits. */
    | {
        readonly kind: 'reduce';
        readonly rounds: number;
        readonly shardRows: readonly number[];
        readonly blocks: Address;
        readonly results: readonly Address[];
        readonly channels: number;
        readonly positions: number;
      }
  );

/** How often somebody passed early; whether meetings after an abort threw; the bits of all results. */
export type Outcome =
  | { readonly kind: 'met'; readonly early: number }
  | { readonly kind: 'left'; readonly passed: number; readonly thrown: readonly string[] }
  | { readonly kind: 'woken' }
  | { readonly kind: 'reduced'; readonly results: readonly Float64Array[] };

/** The first number of a block of round, shard and index: a fixed mix of sizes and signs, so that the order of sums shows. */
export function blockNumber(round: number, shard: number, index: number): number {
  const mixed = Math.imul((round * 977 + shard) * 131 + index + 1, 0x9e3779b1);
  return (mixed / 2 ** 31) * 10 ** (((mixed >>> 8) % 9) - 4);
}

function meet(work: Work & { readonly kind: 'meet' }, barrier: Barrier, arena: Arena): Outcome {
  const words = work.words >>> 2;
  let early = 0;
  let state = work.rank * 7919 + 1;
  for (let round = 1; round <= work.rounds; round++) {
    state = Math.imul(state, 1_103_515_245) + 12_345;
    const share = ((state >>> 16) & 7) === 0 ? (state >>> 20) & 0xfff : 0;
    for (let i = 0; i < share; i++) Atomics.load(arena.i32, words);
    Atomics.store(arena.i32, words + work.rank, round);
    barrier.meet();
    // Everybody has begun this round, and may already have begun the next one, but no later.
    for (let rank = 0; rank < work.parties; rank++) {
      const begun = Atomics.load(arena.i32, words + rank);
      if (begun !== round && begun !== round + 1) early++;
    }
  }
  return { kind: 'met', early };
}

function leave(work: Work & { readonly kind: 'leave' }, barrier: Barrier): Outcome {
  const thrown: string[] = [];
  let passed = 0;
  for (let round = 0; round <= work.rounds; round++) {
    try {
      barrier.meet();
      passed++;
    } catch (error) {
      thrown.push(error instanceof Aborted ? `${error.name}: ${error.message}` : String(error));
    }
  }
  return { kind: 'left', passed, thrown };
}

function reduce(work: Work & { readonly kind: 'reduce' }, barrier: Barrier, arena: Arena): Outcome {
  const { shardRows, blocks, channels, positions, rank } = work;
  const plan = planShards(shardRows.length, work.parties);
  const sync = new SharedSync(arena, barrier, plan, rank, Int32Array.from(shardRows));
  const area: Area = { index: 0, blocks, result: work.results[rank]!, channels, positions, isCounted: false };
  const { first, count } = plan.ranks[rank]!;
  const results: Float64Array[] = [];
  const read = (): void => void results.push(new Float64Array(arena.f64.subarray(area.result >>> 3, (area.result >>> 3) + 2 * channels)));
  const write = (round: number): void => {
    for (let shard = first; shard < first + count; shard++) {
      for (let i = 0; i < 2 * channels; i++) {
        // An empty shard's block is zeros, as the kernels write it; sums of squares are not negative.
        const value = shardRows[shard] === 0 ? 0 : blockNumber(round, shard, i);
        arena.f64[(blocks >>> 3) + 2 * channels * shard + i] = i < channels ? value : Math.abs(value);
      }
    }
  };
  for (let round = 0; round < work.rounds; round++) {
    write(round);
    sync.mergeSums(area);
    read();
    barrier.meet();
    write(round);
    sync.mergeMoments(area);
    read();
    barrier.meet();
  }
  return { kind: 'reduced', results };
}

function run(work: Work): Outcome {
  const arena = new Arena(work.memory);
  const control = controlIndex(work.control);
  const barrier = new Barrier(arena, control, work.parties, work.spins);
  switch (work.kind) {
    case 'meet':
      return meet(work, barrier, arena);
    case 'leave':
      return leave(work, barrier);
    case 'doorbell':
      while (Atomics.load(arena.i32, control.doorbell) === work.value) Atomics.wait(arena.i32, control.doorbell, work.value);
      return { kind: 'woken' };
    case 'reduce':
      return reduce(work, barrier, arena);
    default:
      return work satisfies never;
  }
}

// The tests import this file for its types and numbers, too; only a thread has a parent.
parentPort?.postMessage(run(workerData as Work));
