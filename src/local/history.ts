/**
 * Room: local (level 6). From steps to epochs: weighted means, and Keras' history of a run.
 */
import type { EpochSums } from '../model/standing.ts';
import type { EpochEvent, Metrics, StepEvent } from '../telemetry/events.ts';

/** One number an epoch, under Keras' names: `loss`, `accuracy`, `val_loss`, `val_accuracy`. */
export type History = Record<string, number[]>;

/** Means over the rows of the steps since the last `take`; skipped steps do not count. */
export class Averages {
  #rows: number;
  #sums = new Map<string, number>();

  /** `before` are the sums of an epoch that goes on. */
  constructor(before?: EpochSums, metrics: readonly string[] = []) {
    this.#rows = before?.rows ?? 0;
    if (!before || before.rows === 0) return;
    this.#sums.set('loss', before.loss);
    if (metrics.includes('accuracy')) this.#sums.set('accuracy', before.correct);
  }

  add({ samples, loss, metrics, skipped }: StepEvent): void {
    if (skipped) return;
    this.#rows += samples;
    for (const [name, value] of Object.entries({ loss, ...metrics })) this.#sums.set(name, (this.#sums.get(name) ?? 0) + value * samples);
  }

  /** The means, and a new beginning. Loss is NaN when no step was applied. */
  take(): { loss: number; metrics: Metrics } {
    const { loss = Number.NaN, ...metrics } = Object.fromEntries([...this.#sums].map(([name, sum]) => [name, sum / this.#rows]));
    this.#rows = 0;
    this.#sums = new Map();
    return { loss, metrics };
  }
}

export function historyOf(epochs: readonly EpochEvent[]): History {
  const history: History = {};
  for (const { loss, metrics, validation } of epochs) {
    const columns = {
      loss,
      ...metrics,
      ...(validation && { val_loss: validation.loss }),
      ...Object.fromEntries(Object.entries(validation?.metrics ?? {}).map(([name, value]) => [`val_${name}`, value])),
    };
    for (const [name, value] of Object.entries(columns)) {
      history[name] ??= [];
      history[name].push(value);
    }
  }
  return history;
}
