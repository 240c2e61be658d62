/**
 * Room: cluster (level 7). Whether the coordinator may give a command: while all members stand and are ready, unless the run has failed or its user
 * wants no more of it.
 */
import { Gate } from './gate.ts';

export class Permission {
  readonly #gate = new Gate();
  #isStopped = false;
  #isPaused = false;
  #failure: unknown;

  /** True once the user wants no more. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** True when the order that is obeyed ends with the running step: for good, or for a while. */
  get endsOrder(): boolean {
    return this.#isStopped || this.#isPaused;
  }

  pause(): void {
    this.#isPaused = true;
  }

  /** Another order begins. */
  goOn(): void {
    this.#isPaused = false;
  }

  grant(): void {
    this.#gate.open();
  }

  withdraw(): void {
    this.#gate.close();
  }

  stop(): void {
    this.#isStopped = true;
    this.#gate.nudge();
  }

  /** Whoever waits is thrown `error`; the first one stays. */
  fail(error: unknown): void {
    this.#failure ??= error;
    this.#gate.nudge();
  }

  /** Waits until it is granted or, where that is a reason, the user wants no more. */
  async granted(stoppable: boolean): Promise<void> {
    while (!this.#gate.isOpen && !(stoppable && this.#isStopped) && this.#failure === undefined) await this.#gate.change();
    if (this.#failure !== undefined) throw this.#failure;
  }
}
