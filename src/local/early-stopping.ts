/**
 * Room: local (level 6). Ending a run whose watched number gets no better, and keeping the weights of its best epoch: Keras' EarlyStopping.
 * All of it follows from the epochs that are over, so a run that goes on from a checkpoint judges as one that never stopped.
 */
import type { EarlyStopping as Options } from '../config/monitors.ts';
import type { EpochEvent } from '../telemetry/events.ts';
import { improvement, numberOf } from './history.ts';

export class EarlyStopping<Kept> {
  readonly #options: Options;
  readonly #isBetter: (value: number, than: number) => boolean;
  #best: { readonly epoch: number; readonly value: number } | undefined;
  #wait = 0;
  #stop: string | undefined;
  #kept: Kept | undefined;

  constructor(options: Options) {
    this.#options = options;
    this.#isBetter = improvement(options);
  }

  /** Why the run is to end; undefined while it goes on. */
  get stop(): string | undefined {
    return this.#stop;
  }

  /** The best epoch so far, from 0. */
  get bestEpoch(): number | undefined {
    return this.#best?.epoch;
  }

  /** What was kept of the best epoch; undefined when nothing was, or none is wanted. */
  get kept(): Kept | undefined {
    return this.#kept;
  }

  /** True when the best epoch is to be kept, but was not. */
  get lacks(): boolean {
    return this.#options.restoreBestWeights && this.#best !== undefined && this.#kept === undefined;
  }

  /** An epoch is over; `keep` makes a copy of what is to be kept of it. */
  epoch(event: EpochEvent, keep: () => Kept | undefined): void {
    const { monitor, patience, baseline, startFromEpoch, restoreBestWeights } = this.#options;
    if (event.partial || event.epoch < startFromEpoch) return;
    const value = numberOf(event, monitor) ?? Number.NaN;
    this.#wait++;
    const isFirst = this.#best === undefined;
    if (isFirst || this.#isBetter(value, this.#best!.value)) {
      this.#best = { epoch: event.epoch, value };
      if (restoreBestWeights) this.#kept = keep();
      if (!Number.isNaN(value) && (baseline === undefined || this.#isBetter(value, baseline))) this.#wait = 0;
      return;
    }
    // Keras never ends a run after its very first epoch.
    if (this.#wait >= patience && event.epoch > 0) {
      this.#stop = `${monitor} did not get better than ${this.#best!.value} of epoch ${this.#best!.epoch + 1} in ${this.#wait} epochs`;
    }
  }

  /** What was kept of the best epoch by a process before this one. */
  keep(kept: Kept): void {
    this.#kept = kept;
  }
}
