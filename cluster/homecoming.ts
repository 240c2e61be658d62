/**
 * Room: cluster (level 7). What a coordinator does that was started again: it waits for the hosts of its last generation, which kept the state of
 * the last step that was committed there, and takes the newest one, so that no step is lost of which a host holds the state. A host
 * that is lost while it sends costs nothing: the next best one is asked.
 */

import type { Station } from '../src/local/station.ts';
import { stoodStep } from '../src/model/standing.ts';
import { Gate } from './gate.ts';
import type { Host } from './membership/state.ts';
import { Refusal } from './transport/refusal.ts';
import type { MessageOf } from './wire/messages.ts';

/** So long hosts are waited for, ms: they call again within some seconds. */
const defaultWaitMs = 10_000;

/** A run that goes on. */
export interface Resume {
  /** The names of the hosts of the last generation, this process not among them. */
  readonly expected: readonly string[];
  /** How long they are waited for, ms. */
  readonly waitMs?: number;
}

export interface HomecomingOptions {
  readonly resume: Resume;
  readonly station: Station;
  /** Who is there now. */
  readonly hosts: () => readonly Host[];
  /** Aborting ends the waiting, not a transfer that is under way. */
  readonly signal?: AbortSignal | undefined;
  readonly askForState: (id: number) => void;
  /** A line for the user. */
  readonly onNews: (sentence: string) => void;
}

/** A state on its way here. */
interface Arriving {
  readonly from: number;
  readonly step: number;
  readonly bytes: Uint8Array;
  come: number;
}

export class Homecoming {
  readonly #options: HomecomingOptions;
  readonly #change = new Gate();
  #arriving: Arriving | undefined;

  constructor(options: HomecomingOptions) {
    this.#options = options;
  }

  /** Something happened to the hosts. */
  look(): void {
    this.#change.nudge();
  }

  /** A piece of the state that was asked for. Throws a Refusal for one that is out of place. */
  take(id: number, { offset, step }: MessageOf<'state'>, payload: Uint8Array): void {
    const arriving = this.#arriving;
    if (arriving?.from !== id) throw new Refusal('protocol', 'Expected the state of the host that was asked for it, got that of another.');
    const { bytes, come } = arriving;
    if (offset !== come || step !== arriving.step || payload.length === 0 || payload.length > bytes.length - come) {
      throw new Refusal('protocol', `Expected byte ${come} of the state of step ${arriving.step}, got ${payload.length} bytes at byte ${offset} of step ${step}.`);
    }
    bytes.set(payload, come);
    arriving.come += payload.length;
    this.#change.nudge();
  }

  /** Resolves when the station has the newest state there is. */
  async settled(): Promise<void> {
    await this.#gathered();
    const { station, askForState, onNews } = this.#options;
    const { arena, plan } = station;
    for (;;) {
      const best = this.#newest(stoodStep(arena, plan));
      if (!best) return;
      const arriving: Arriving = { from: best.id, step: best.committed!, bytes: new Uint8Array(plan.state.to - plan.state.from), come: 0 };
      this.#arriving = arriving;
      askForState(best.id);
      while (arriving.come < arriving.bytes.length && this.#returned.some(({ id }) => id === best.id)) await this.#change.change();
      this.#arriving = undefined;
      if (arriving.come < arriving.bytes.length) continue;
      arena.u8.set(arriving.bytes, plan.state.from);
      onNews(`the run goes on from step ${stoodStep(arena, plan)}, of which host ${best.name} holds the state`);
    }
  }

  /** Those that have data and plan. */
  get #returned(): Host[] {
    return this.#options.hosts().filter(({ id, phase }) => id !== 0 && phase === 'prepared');
  }

  /** Who holds the newest state, if it is newer than that of step `own`. */
  #newest(own: number): Host | undefined {
    const [best] = this.#returned.toSorted((a, b) => (b.committed ?? 0) - (a.committed ?? 0) || a.id - b.id);
    return best && (best.committed ?? 0) > own ? best : undefined;
  }

  /** Resolves when all who are expected have prepared, or it is too late for that. */
  async #gathered(): Promise<void> {
    const { resume, signal, onNews } = this.#options;
    const { expected, waitMs = defaultWaitMs } = resume;
    let isLate = signal?.aborted ?? false;
    const hurry = (): void => {
      isLate = true;
      this.#change.nudge();
    };
    const timer = setTimeout(hurry, waitMs);
    signal?.addEventListener('abort', hurry);
    const missing = (): string[] => expected.filter((expectedName) => !this.#returned.some(({ name }) => name === expectedName));
    while (missing().length > 0 && !isLate) await this.#change.change();
    clearTimeout(timer);
    signal?.removeEventListener('abort', hurry);
    if (missing().length > 0) onNews(`the run goes on without those that did not come back: ${missing().join(', ')}`);
  }
}
