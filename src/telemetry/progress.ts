/**
 * Room: telemetry (level 2). What a person sees of a run: one live line on a terminal, plain lines elsewhere, a line an epoch.
 * It is told events and writes text to where it was given; it never looks at the process.
 */
import type { EpochEvent, Metrics, StepEvent } from './events.ts';

/** Where text goes. `columns` is the width of the terminal, absent when it is none. */
export interface Output {
  write(text: string): void;
  readonly columns: number | undefined;
}

export interface ProgressOptions {
  /** Steps and epochs of the run. */
  readonly steps: number;
  readonly stepsPerEpoch: number;
  /** Milliseconds, any origin. */
  readonly now?: () => number;
}

/** The live line changes at most this often, ms; a plain line comes at most that often, ms. */
const liveEveryMs = 100;
const plainEveryMs = 5000;

export class Progress {
  readonly #output: Output;
  readonly #options: Required<ProgressOptions>;
  readonly #began: number;
  #shownAt: number;
  #samples = 0;
  #live = false;

  constructor(output: Output, options: ProgressOptions) {
    this.#output = output;
    this.#options = { now: () => performance.now(), ...options };
    this.#began = this.#options.now();
    this.#shownAt = this.#began;
  }

  step(event: StepEvent): void {
    this.#samples += event.samples;
    const now = this.#options.now();
    const { columns } = this.#output;
    if (event.skipped)
      this.line(`step ${event.step} skipped: not finite first in phase ${event.skipped.phase}${event.skipped.layer ? ` of ${event.skipped.layer}` : ''}`);
    if (now - this.#shownAt < (columns === undefined ? plainEveryMs : liveEveryMs) && event.step !== this.#options.steps) return;
    if (columns === undefined && event.step === this.#options.steps) return;
    this.#shownAt = now;
    const text = this.#stepText(event, (now - this.#began) / 1000);
    if (columns === undefined) {
      this.#output.write(`${text}\n`);
    } else {
      this.#output.write(`\r\x1b[K${text.slice(0, columns - 1)}`);
      this.#live = true;
    }
  }

  epoch({ epoch, loss, metrics, validation, partial }: EpochEvent): void {
    const parts = [`epoch ${epoch + 1}/${this.#epochs()}`, `loss ${loss.toFixed(4)}`, ...named(metrics)];
    if (validation) parts.push(`val_loss ${validation.loss.toFixed(4)}`, ...named(validation.metrics, 'val_'));
    if (partial) parts.push('(ended inside the epoch)');
    this.line(parts.join('  '));
  }

  /** A line of its own, above the live one. */
  line(text: string): void {
    this.#output.write(`${this.#live ? '\r\x1b[K' : ''}${text}\n`);
    this.#live = false;
  }

  /** Everything about a step on one line: in full words, or in fewer letters where those are wider than the terminal. */
  #stepText({ step, epoch, loss, metrics, gradNorm }: StepEvent, seconds: number): string {
    const { steps } = this.#options;
    const rate = Math.round(this.#samples / seconds).toLocaleString('en-US');
    const place = [`${step}/${steps}`, `epoch ${epoch + 1}/${this.#epochs()}`, `loss ${loss.toFixed(4)}`];
    const norm = `norm ${gradNorm.toPrecision(3)}`;
    const eta = `ETA ${duration((seconds / step) * (steps - step))}`;
    const full = [`step ${place.join('  ')}`, ...named(metrics), `${rate} samples/s`, `grad ${norm}`, eta].join('  ');
    if (full.length < (this.#output.columns ?? Number.POSITIVE_INFINITY)) return full;
    return [...place, ...named(metrics).map((text) => text.replace('accuracy', 'acc')), `${rate}/s`, norm, eta].join(' ');
  }

  #epochs(): number {
    return Math.ceil(this.#options.steps / this.#options.stepsPerEpoch);
  }
}

/** Metrics as people read them: `accuracy 97.50 %`, each name with `prefix` before it. */
export function named(metrics: Metrics, prefix = ''): string[] {
  return Object.entries(metrics).map(([name, value]) => `${prefix}${name} ${name === 'accuracy' ? `${(100 * value).toFixed(2)} %` : value.toFixed(4)}`);
}

/** Seconds as people say them: `8 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
