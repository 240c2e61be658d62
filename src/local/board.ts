/**
 * Room: local (level 6). A run on TensorBoard: scalars of every step and epoch, histograms of the gradients of steps that were looked at closely.
 */
import type { RunEvent, StepEvent } from '../telemetry/events.ts';
import { gradientCounters, histogramOf } from '../telemetry/gradient-histogram.ts';
import { readObservation } from '../telemetry/observation.ts';
import { TensorboardWriter } from '../telemetry/tensorboard.ts';
import type { Station } from './station.ts';

export interface BoardOptions {
  readonly folder: string;
  /** Told once of what cannot be written. */
  readonly tell: (error: Error) => void;
}

const observeEveryMs = 1000;

export class Board {
  readonly #writer: TensorboardWriter;
  readonly #station: Station;
  #step = 0;
  readonly #timer: NodeJS.Timeout;
  #observed = 0;

  /** Opens the event file. Throws LOCKSTEP_FILE. */
  constructor({ folder, tell }: BoardOptions, station: Station) {
    this.#writer = new TensorboardWriter(folder, { tell });
    this.#station = station;
    this.#timer = setInterval(() => station.team.observe(), observeEveryMs);
    this.#timer.unref();
  }

  /** An event of the run, in order. */
  take(event: RunEvent): void {
    if (event.event === 'step') this.#takeStep(event);
    else if (event.event === 'epoch' && event.validation) {
      const { loss, metrics } = event.validation;
      this.#writer.scalars(this.#step, wallSeconds(), { 'loss/validation': loss, ...tagged('validation', metrics) });
    }
  }

  /** Resolves when all is on the disk, or lost; says how many records were. */
  async close(): Promise<{ readonly records: number; readonly lost: number }> {
    clearInterval(this.#timer);
    await this.#writer.close();
    const { records, lost } = this.#writer;
    return { records, lost };
  }

  #takeStep({ step, loss, metrics, gradNorm, clipScale, learningRate, samples, seconds }: StepEvent): void {
    this.#step = step;
    this.#writer.scalars(step, wallSeconds(), {
      'loss/train': loss,
      ...tagged('train', metrics),
      'gradient/norm': gradNorm,
      'gradient/clip_scale': clipScale,
      learning_rate: learningRate,
      'samples/second': samples / seconds,
    });
    this.#takeHistograms();
  }

  #takeHistograms(): void {
    const { arena, plan } = this.#station;
    const seen = readObservation(arena, plan.observation);
    if (!seen || seen.step === this.#observed || plan.observation.counts === 0) return;
    this.#observed = seen.step;
    const first = plan.observation.counts >>> 3;
    plan.topology.layers.forEach(({ name }, layer) => {
      const histogram = histogramOf(arena.f64.subarray(first + gradientCounters * layer, first + gradientCounters * (layer + 1)));
      if (histogram) this.#writer.histogram(seen.step, wallSeconds(), `gradients/${name}`, histogram);
    });
    this.#writer.scalars(seen.step, wallSeconds(), { 'gradient/update_to_weight_ratio': seen.updateRatio });
  }
}

function tagged(split: string, metrics: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [`${name}/${split}`, value]));
}

function wallSeconds(): number {
  return (performance.timeOrigin + performance.now()) / 1000;
}
