/**
 * Room: telemetry (level 2). What steps have told since the scrape before: sums, the latest step, and what histograms have yet to observe. A step costs
 * a few additions; whatever metrics cost beyond is paid by scrapes.
 */
import type { StepEvent } from './events.ts';

/** As many steps are kept one by one, 64 KiB. */
const capacity = 4096;

export class StepTally {
  readonly #seconds = new Float64Array(capacity);
  readonly #norms = new Float64Array(capacity);
  #last: StepEvent | undefined;
  #count = 0;
  #samples = 0;
  #skipped = 0;
  #clipped = 0;
  #nonFinite = new Map<string, number>();

  /** It must be emptied before the next step. */
  get isFull(): boolean {
    return this.#count === capacity;
  }

  take(event: StepEvent): void {
    this.#last = event;
    this.#seconds[this.#count] = event.seconds;
    this.#norms[this.#count++] = event.gradNorm;
    this.#samples += event.samples;
    if (event.clipScale < 1) this.#clipped++;
    if (!event.skipped) return;
    const { phase } = event.skipped;
    this.#skipped++;
    this.#nonFinite.set(phase, (this.#nonFinite.get(phase) ?? 0) + 1);
  }

  /** All there is, once; undefined when there was no step. */
  empty(): StepsTold | undefined {
    if (!this.#last) return undefined;
    const told: StepsTold = {
      last: this.#last,
      samples: this.#samples,
      applied: this.#count - this.#skipped,
      skipped: this.#skipped,
      clipped: this.#clipped,
      nonFinite: this.#nonFinite,
      seconds: this.#seconds.subarray(0, this.#count),
      norms: this.#norms.subarray(0, this.#count),
    };
    this.#last = undefined;
    this.#count = this.#samples = this.#skipped = this.#clipped = 0;
    this.#nonFinite = new Map();
    return told;
  }
}

/** Of the steps between two scrapes. */
export interface StepsTold {
  readonly last: StepEvent;
  readonly samples: number;
  readonly applied: number;
  readonly skipped: number;
  readonly clipped: number;
  readonly nonFinite: ReadonlyMap<string, number>;
  /** Of each step; valid until the next step is taken. */
  readonly seconds: Float64Array;
  readonly norms: Float64Array;
}
