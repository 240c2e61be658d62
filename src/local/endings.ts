/**
 * Room: local (level 6). Threads that were ended from outside, until they are gone. JavaScript ends at once; a call into the system that does not return holds
 * its thread, and no thread holds less than its process: such a process can only be ended by a signal.
 */
import type { Worker } from 'node:worker_threads';

/** A thread that ends does it in some hundredths of a second. */
const patienceMs = 10_000;

/** Threads of this process that nobody waits for any more. */
const undying = new Set<Thread>();

type Thread = Pick<Worker, 'once'>;

export class Endings {
  readonly #patienceMs: number;
  readonly #leaving = new Set<Thread>();
  #onDone: () => void = () => {};

  constructor(ms = patienceMs) {
    this.#patienceMs = ms;
  }

  /** The thread was told to end. */
  add(thread: Thread): void {
    this.#leaving.add(thread);
    thread.once('exit', () => {
      this.#leaving.delete(thread);
      undying.delete(thread);
      if (this.#leaving.size === 0) this.#onDone();
    });
  }

  /** Resolves when all are gone; with false when one is not after a while, which is waited for no more. */
  async done(): Promise<boolean> {
    if (this.#leaving.size === 0) return true;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#onDone = resolve;
      // In a process that was stopped meanwhile, news of an end may be there and not be heard yet.
      timer = setTimeout(() => setImmediate(resolve), this.#patienceMs);
    });
    clearTimeout(timer);
    for (const thread of this.#leaving) undying.add(thread);
    const { size } = this.#leaving;
    this.#leaving.clear();
    return size === 0;
  }
}

/** True when the process cannot end by itself. */
export function isHeld(): boolean {
  return undying.size > 0;
}
