/**
 * Room: local (level 6). How much rows count in the loss: by themselves, by their class, or by both.
 */
import { show } from '../check.ts';
import type { ClassWeight } from '../config/weights.ts';
import type { DataSource } from '../data/source.ts';
import { LockstepError } from '../errors.ts';

/** The weight of each row of a source: its own times that of its class, rounded to float32 once. */
export function weightsOf({ length, labels, weights }: DataSource, classWeights: readonly number[] | undefined): Float32Array {
  const values = Float32Array.from({ length }, (_, row) => weights?.[row] ?? 1);
  if (classWeights) for (let row = 0; row < length; row++) values[row] = values[row]! * (classWeights[classAt(labels, row)] ?? 1);
  return values;
}

/** A row's class: its label, whether its only target is above one half, or where the first of its largest targets is. */
function classAt(labels: DataSource['labels'], row: number): number {
  if (labels.kind === 'class') return labels.values[row]!;
  const size = labels.shape.reduce((product, dimension) => product * dimension, 1);
  const targets = labels.values.subarray(row * size, (row + 1) * size);
  if (size === 1) return targets[0]! > 0.5 ? 1 : 0;
  return targets.reduce((best, value, c) => (value > targets[best]! ? c : best), 0);
}

/** A weight for each of `outputs` classes, or of two classes of a single output; 1 where none is given. Throws LOCKSTEP_CONFIG for a class that there is not. */
export function classWeightList(given: ClassWeight, outputs: number): number[] {
  const classes = Math.max(2, outputs);
  const weights = new Array<number>(classes).fill(1);
  for (const [key, weight] of Object.entries(given)) {
    const index = Number(key);
    if (index >= classes) {
      throw new LockstepError(
        'LOCKSTEP_CONFIG',
        `Expected the classes of \`classWeight\` to be from 0 to ${classes - 1}, got ${show(key)}; leave it out, or give the model an output for it.`,
      );
    }
    weights[index] = weight;
  }
  return weights;
}
