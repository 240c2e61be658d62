/**
 * Room: collectives (level 3). What a leader that carries messages itself has to tell the main thread when a connection fails: which
 * host's, and why. Said once a generation: the first trouble ends it.
 *
 *   leader --text, then the word--> main thread
 */
import type { Address, Arena } from '../memory/arena.ts';
import type { MemoryPlan } from '../memory/plan.ts';

/** Bytes of the longest text; what is longer is cut. */
const textBytes = 500;

/** [0, or 1 + the host's index in the generation; bytes of the text; the text in UTF-8]. Reserved in every generation anew, hence zeroed. */
export function reserveTrouble(plan: MemoryPlan): Address {
  return plan.reserve('control', 8 + textBytes);
}

export interface Trouble {
  readonly host: number;
  readonly reason: string;
}

/** Leader: only the first one counts. */
export function reportTrouble({ i32, u8 }: Arena, address: Address, { host, reason }: Trouble): void {
  const word = address >>> 2;
  if (Atomics.load(i32, word) !== 0) return;
  const text = new Uint8Array(textBytes);
  const { written } = new TextEncoder().encodeInto(reason, text);
  u8.set(text, address + 8);
  i32[word + 1] = written;
  Atomics.store(i32, word, host + 1);
  Atomics.notify(i32, word);
}

/** Main thread: what was reported, if anything was. */
export function readTrouble({ i32, u8 }: Arena, address: Address): Trouble | undefined {
  const word = address >>> 2;
  const host = Atomics.load(i32, word) - 1;
  if (host < 0) return undefined;
  return { host, reason: new TextDecoder().decode(u8.slice(address + 8, address + 8 + i32[word + 1]!)) };
}
