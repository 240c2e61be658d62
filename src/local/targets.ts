/**
 * Room: local (level 6). Data as a loss wants it: class labels of two classes become the targets of a single output.
 */
import type { DataSource } from '../data/source.ts';
import { LockstepError } from '../errors.ts';
import { type LossSpec, lossName, lossOf } from '../losses/loss.ts';
import { sizeOf } from '../memory/shape.ts';
import type { Model } from '../model/model.ts';

/** The source, or one like it with its labels as targets. Throws LOCKSTEP_DATA for a third class. */
export function suitedTo(source: DataSource, model: Model, loss: LossSpec): DataSource {
  const { labels, name } = source;
  if (!lossOf(loss).isBinary || labels.kind !== 'class' || sizeOf(model.topology.outputShape) !== 1) return source;
  const row = labels.values.findIndex((label) => label !== 0 && label !== 1);
  if (row !== -1) {
    throw new LockstepError(
      'LOCKSTEP_DATA',
      `Expected the labels of ${name} to be 0 or 1 for the loss ${lossName(loss)} and a single output, got \`${labels.values[row]}\` in row ${row}; mend the labels, or give the model an output for each class.`,
    );
  }
  return asTargets(source, model.topology.outputShape);
}

/** The same rows with their class labels as targets of `shape`, of one number each. */
export function asTargets(source: DataSource, shape: readonly number[]): DataSource {
  const { name, length, inputShape, inputType, scale, labels, rowFile } = source;
  return {
    ...source,
    // A source may be of a class, of which a copy has no more than its own fields.
    name,
    length,
    inputShape,
    inputType,
    scale,
    readRows: (indices, into) => source.readRows(indices, into),
    readAll: (into) => source.readAll(into),
    rowFile,
    labels: { kind: 'target', values: Float32Array.from(labels.values), shape },
  };
}
