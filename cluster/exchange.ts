/**
 * Room: cluster (level 7). The main thread's side of a step among hosts: what the ranks' leader announces goes out to the hosts
 * that need it, and what comes from them goes straight to its place in the arena, counted for the ranks that wait for it. Who sends
 * what where follows from the plan; a message that does not fit it is refused. One object lasts as long as a generation.
 */
import { Incoming, type StepMessage } from './exchange/incoming.ts';
import { type ExchangeOptions, Outgoing } from './exchange/outgoing.ts';

export class Exchange {
  readonly #incoming: Incoming;
  readonly #outgoing: Outgoing;
  #stopped = false;

  /** Begins at once. */
  constructor(options: ExchangeOptions) {
    this.#incoming = new Incoming(options.plan, options.arena);
    this.#outgoing = new Outgoing(options, (kind, index) => this.#incoming.announced(kind, index));
  }

  /** Throws LOCKSTEP_PROTOCOL for a message that the plan does not foresee from host `from`. */
  receive(from: number, message: StepMessage, payload: Uint8Array): void {
    if (!this.#stopped) this.#incoming.receive(from, message, payload);
  }

  /** Nothing is sent or counted any more. To be called before ranks are recalled. */
  stop(): void {
    this.#stopped = true;
    this.#outgoing.stop();
  }
}
