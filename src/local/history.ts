/**
 * Room: local (level 6). From steps to epochs: weighted means, and Keras' history of a run.
 */
import { show } from '../check.ts';
import { LockstepError } from '../errors.ts';
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

/** One number of the history: `loss`, `val_loss`, `accuracy`, `val_accuracy`; undefined when the epoch has none of that name. */
export function numberOf({ loss, metrics, validation }: EpochEvent, name: string): number | undefined {
  const from = name.startsWith('val_') ? validation : { loss, metrics };
  const key = name.replace(/^val_/, '');
  return key === 'loss' ? from?.loss : from?.metrics[key];
}

/** Throws LOCKSTEP_CONFIG when no epoch of the run has a number of this name; `place` is what asked for it. */
export function checkMonitor(name: string, place: string, metrics: readonly string[], isValidated: boolean): void {
  const own = ['loss', ...metrics];
  const known = [...own, ...(isValidated ? own.map((metric) => `val_${metric}`) : [])];
  if (known.includes(name)) return;
  const mend = name.startsWith('val_') && !isValidated ? 'add validation data' : 'choose one, or add it to `metrics`';
  throw new LockstepError('LOCKSTEP_CONFIG', `Expected \`${place}\` to be a number of the history (${known.join(', ')}), got ${show(name)}; ${mend}.`);
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
