/**
 * Room: cluster (level 7). The main thread's ear for a leader's trouble with a connection.
 */
import { readTrouble, type Trouble } from '../src/collectives/trouble.ts';
import type { Address, Arena } from '../src/memory/arena.ts';

/** Resolves to the first trouble, or to nothing once `signal` is aborted. */
export async function troubleOf(arena: Arena, address: Address, signal: AbortSignal): Promise<Trouble | undefined> {
  const word = address >>> 2;
  const wake = (): void => void Atomics.notify(arena.i32, word);
  signal.addEventListener('abort', wake);
  try {
    while (!signal.aborted) {
      const trouble = readTrouble(arena, address);
      if (trouble) return trouble;
      const change = Atomics.waitAsync(arena.i32, word, 0);
      if (change.async) await change.value;
    }
    return undefined;
  } finally {
    signal.removeEventListener('abort', wake);
  }
}
