/**
 * Room: local (level 6). Waiting in the main thread for a word of the arena. A waking by the system may get lost and costs no more than the time until somebody calls
 * `wake`: who waits looks again at what it waits for.
 */

export class Waking {
  readonly #words: Int32Array;
  readonly #index: number;
  /** The value that the system was asked to tell a change of, if it was. */
  #asked: number | undefined;
  #wake: () => void = () => {};

  constructor(words: Int32Array, index: number) {
    this.#words = words;
    this.#index = index;
  }

  /** Resolves when the word is another than `value`, was notified, or `wake` was called; sometimes for nothing. One waits at a time. */
  async unless(value: number): Promise<void> {
    if (this.#asked !== value) {
      const change = Atomics.waitAsync(this.#words, this.#index, value);
      if (!change.async) return;
      this.#asked = value;
      void change.value.then(() => {
        this.#asked = undefined;
        this.#wake();
      });
    }
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  wake(): void {
    this.#wake();
  }

  /** Nobody waits any more: the system, which would keep the memory for it, is told so. */
  stop(): void {
    Atomics.notify(this.#words, this.#index);
    this.#wake();
  }
}
