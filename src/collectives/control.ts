/**
 * Room: collectives (level 3). The control block: the words of the arena by which threads steer each other. Each word has
 * one writer at a time, named here, and a cache line of its own. Payloads are written before the word that announces them,
 * with Atomics, so whoever sees the word sees the payload.
 *
 *   main  --commands words--> doorbell --> ranks        ranks --reports--> reported --> main
 *   ranks --barrier words--> ranks                      ranks --finished--> main
 */
import type { Address, Arena } from '../memory/arena.ts';
import type { MemoryPlan } from '../memory/plan.ts';

const lineBytes = 64;

/** The words, by line. `command` and the words after it in its line are the command's payload. */
const words = [
  /** 0, or 2 + the rank that failed first, 1 for the main thread (set by compareExchange): everybody leaves at once. */
  'abort',
  /** Barrier: ranks that have come (ranks add; the last one zeroes it). */
  'arrived',
  /** Barrier: which meeting this is (the last to come adds 1). */
  'meeting',
  /** Barrier: ranks asleep in this meeting (each counts itself in and out). */
  'asleep',
  /** How many commands were given (main sets it after writing the payload); after an abort only a value nobody waits for. */
  'doorbell',
  /** The payload: main writes it only while all ranks wait for the doorbell. */
  'command',
  /** How many ranks have finished commands, over the run (each rank adds 1 per command). */
  'finished',
  /** 1 when main wants training to stop after the running step (main). */
  'stopRequest',
  /** The stop as all ranks agreed on it for this step (rank 0, before the gradient barrier). */
  'stopAgreed',
  /** How often main wanted a step looked at closely, and the same as all ranks agreed on it for this step (rank 0, as for the stop). */
  'observeRequest',
  'observeAgreed',
  /** Step reports written (rank 0) and read (main), over the run. */
  'reported',
  'consumed',
] as const;
type ControlWord = (typeof words)[number];

/** Who waits for a word looks at it so often, ms: a waking that the system loses costs no more. */
export const lookAgainMs = 1000;

export function reserveControl(plan: MemoryPlan): Address {
  return plan.reserve('control', words.length * lineBytes);
}

/** Index into `arena.i32` of every word. */
export type ControlIndex = Readonly<Record<ControlWord, number>>;

export function controlIndex(address: Address): ControlIndex {
  return Object.fromEntries(words.map((word, line) => [word, (address + line * lineBytes) >>> 2])) as Record<ControlWord, number>;
}

/** As at first, for new ranks: nobody may use the words. Reports and the wish to stop outlast the ranks. */
export function resetControl({ i32 }: Arena, control: ControlIndex): void {
  for (const word of words) if (word !== 'reported' && word !== 'consumed' && word !== 'stopRequest') Atomics.store(i32, control[word], 0);
}

/** Says that rank `rank` (or -1 for the main thread) is gone, and wakes everybody who waits for anything. */
export function abort({ i32 }: Arena, control: ControlIndex, rank: number): void {
  Atomics.compareExchange(i32, control.abort, 0, rank + 2);
  // What ranks wait for changes, so that one which is only about to wait for the old value does not: it would miss the notify.
  // (Main reads all reports when a run fails, so `consumed` changes, too.)
  Atomics.add(i32, control.meeting, 1);
  Atomics.add(i32, control.doorbell, 1);
  for (const word of [control.meeting, control.doorbell, control.consumed]) Atomics.notify(i32, word);
}
