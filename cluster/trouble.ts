/**
 * Room: cluster (level 7). The main thread's ear for a leader's trouble with a connection.
 */
import { lookAgainMs } from '../src/collectives/control.ts';
import { readTrouble, type Trouble } from '../src/collectives/trouble.ts';
import { Waking } from '../src/local/waking.ts';
import type { Address, Arena } from '../src/memory/arena.ts';

/** Resolves to the first trouble, or to nothing once `signal` is aborted. */
export async function troubleOf(arena: Arena, address: Address, signal: AbortSignal): Promise<Trouble | undefined> {
  const word = address >>> 2;
  const waking = new Waking(arena.i32, word);
  const wake = (): void => waking.wake();
  signal.addEventListener('abort', wake);
  const timer = setInterval(wake, lookAgainMs).unref();
  try {
    while (!signal.aborted) {
      const trouble = readTrouble(arena, address);
      if (trouble) return trouble;
      await waking.unless(0);
    }
    return undefined;
  } finally {
    waking.stop();
    clearInterval(timer);
    signal.removeEventListener('abort', wake);
  }
}
