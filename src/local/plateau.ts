/**
 * Room: local (level 6). A lower learning rate where a watched number gets no better: Keras' ReduceLROnPlateau. The factor follows from the epochs
 * that are over, so a run that goes on from a checkpoint has the rates of one that never stopped.
 */
import type { ReduceLROnPlateau as Options } from '../config/monitors.ts';
import type { EpochEvent } from '../telemetry/events.ts';
import { improvement, numberOf } from './history.ts';

export class Plateau {
  readonly #options: Options;
  readonly #isBetter: (value: number, than: number) => boolean;
  #best: number | undefined;
  #wait = 0;
  #cooldown = 0;
  #scale = 1;

  constructor(options: Options) {
    this.#options = options;
    this.#isBetter = improvement(options);
  }

  /** What the rates of the optimizer's schedule are multiplied by from here on. */
  get scale(): number {
    return this.#scale;
  }

  /** An epoch is over; true when the rate is lower from here on. */
  epoch(event: EpochEvent): boolean {
    const { monitor, patience, cooldown, factor } = this.#options;
    if (event.partial) return false;
    const value = numberOf(event, monitor) ?? Number.NaN;
    if (this.#cooldown > 0) {
      this.#cooldown--;
      this.#wait = 0;
    }
    if (!Number.isNaN(value) && (this.#best === undefined || this.#isBetter(value, this.#best))) {
      this.#best = value;
      this.#wait = 0;
      return false;
    }
    if (this.#cooldown > 0) return false;
    this.#wait++;
    if (this.#wait < patience) return false;
    this.#scale *= factor;
    this.#cooldown = cooldown;
    this.#wait = 0;
    return true;
  }
}
