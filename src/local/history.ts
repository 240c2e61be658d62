/**
 * Room: local (level 6). From steps to epochs: weighted means, and Keras' history of a run.
 */
import { show } from '../check.ts';
import type { Monitor } from '../config/monitors.ts';
import { LockstepError } from '../errors.ts';
import { type Measures, metricValues } from '../metrics/measures.ts';
import type { EpochSums } from '../model/standing.ts';
import type { EpochEvent, Evaluation } from '../telemetry/events.ts';

/** One number an epoch, under Keras' names: `loss`, `accuracy`, `val_loss`, `val_accuracy`, each metric under its own. */
export type History = Record<string, number[]>;

/** What an epoch's sums come to. Loss and metrics are NaN when no step was applied. */
export function epochMeans({ sums, rows, weight }: EpochSums, measures: Measures): Evaluation {
  const values = metricValues(measures, sums, rows);
  if (rows > 0) return { loss: meanLoss(sums[0]!, weight), metrics: values };
  return { loss: Number.NaN, metrics: Object.fromEntries(Object.keys(values).map((name) => [name, Number.NaN])) };
}

/** The mean of losses; rows without any weight lose nothing. */
export function meanLoss(sum: number, weight: number): number {
  return weight === 0 ? 0 : sum / weight;
}

/** One number of the history: `loss`, `val_loss`, `accuracy`, `val_accuracy`; undefined when the epoch has none of that name. */
export function numberOf({ loss, metrics, validation }: EpochEvent, name: string): number | undefined {
  const from = name.startsWith('val_') ? validation : { loss, metrics };
  const key = name.replace(/^val_/, '');
  return key === 'loss' ? from?.loss : from?.metrics[key];
}

/** Whether one value of a watched number is better than another, by more than `minDelta`. Anything is better than what is no number. */
export function improvement({ monitor, mode, minDelta }: Monitor): (value: number, than: number) => boolean {
  const sign = (mode === 'auto' ? monitor.endsWith('loss') : mode === 'min') ? -1 : 1;
  return (value, than) => sign * value - minDelta > sign * than || (Number.isNaN(than) && !Number.isNaN(value));
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
