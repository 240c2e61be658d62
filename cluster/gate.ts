/**
 * Room: cluster (level 7). A gate that opens and closes; whoever waits at it goes through once it is open.
 */
export class Gate {
  #isOpen = false;
  #waiting: (() => void)[] = [];

  get isOpen(): boolean {
    return this.#isOpen;
  }

  open(): void {
    this.#isOpen = true;
    this.nudge();
  }

  close(): void {
    this.#isOpen = false;
  }

  /** Lets those who wait look again, whether it is open or not. */
  nudge(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Resolves at the next `open` or `nudge`. */
  change(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }
}
