/**
 * Room: data (level 3). Training data cut in two: the last rows for validation, as in Keras, or, stratified, the same share of every
 * class, drawn by the seed. It promises that every row is in exactly one part, in its old order, and that no part is empty.
 */
import { LockstepError } from '../errors.ts';
import { sizeOf } from '../memory/shape.ts';
import { orderKeys, permute } from '../numerics/permutation.ts';
import { purpose } from '../numerics/philox.ts';
import type { DataSource, Labels } from './source.ts';

export interface SplitOptions {
  /** The share of rows that are for validation; 0 < fraction < 1. */
  readonly fraction: number;
  readonly stratify: boolean;
  readonly seed: number;
}

/** Both parts of `source`. Throws LOCKSTEP_DATA when one would be empty, or there are no classes to stratify by. */
export function splitRows(source: DataSource, options: SplitOptions): { readonly train: DataSource; readonly validation: DataSource } {
  const { length, name } = source;
  const kept = options.stratify ? keptOfClasses(source, options) : keptFirst(length, options.fraction);
  const rows = (wanted: 0 | 1): Int32Array => Int32Array.from(kept.keys()).filter((row) => kept[row] === wanted);
  const [validation, train] = [rows(0), rows(1)];
  if (train.length === 0 || validation.length === 0) {
    throw new LockstepError(
      'LOCKSTEP_DATA',
      `Expected \`validationSplit\` to leave rows in both parts of ${name}, got ${train.length} for training and ${validation.length} for validation; change it or give more rows.`,
    );
  }
  return { train: rowsOf(source, train), validation: rowsOf(source, validation) };
}

/** 1 for the rows that training keeps: Keras' floor(length * (1 - fraction)) first ones. */
function keptFirst(length: number, fraction: number): Uint8Array {
  return new Uint8Array(length).fill(1, 0, Math.floor(length * (1 - fraction)));
}

/** Of every class round(rows * fraction) rows are for validation: those first in the order of its rows that the seed draws. */
function keptOfClasses({ labels, length, name }: DataSource, { fraction, seed }: SplitOptions): Uint8Array {
  if (labels.kind !== 'class') {
    throw new LockstepError('LOCKSTEP_DATA', `Expected classes to stratify ${name} by, got target values; leave out \`stratify\`.`);
  }
  const rowsOfClass = new Map<number, number[]>();
  for (const [row, label] of labels.values.entries()) {
    const rows = rowsOfClass.get(label);
    if (rows) rows.push(row);
    else rowsOfClass.set(label, [row]);
  }
  const kept = new Uint8Array(length).fill(1);
  for (const [label, rows] of rowsOfClass) {
    const keys = orderKeys(seed, label, purpose.split);
    const count = Math.round(rows.length * fraction);
    for (let position = 0; position < count; position++) kept[rows[permute(position, rows.length, keys)]!] = 0;
  }
  return kept;
}

/** The rows at `rows`, in this order, as a source of their own. */
function rowsOf(source: DataSource, rows: Int32Array): DataSource {
  const { labels, weights, rowFile } = source;
  return {
    ...source,
    length: rows.length,
    labels: labelsOf(labels, rows),
    ...(weights && { weights: Float32Array.from(rows, (row) => weights[row]!) }),
    ...(rowFile && { rowFile: { ...rowFile, rows: rows.map((row) => rowFile.rows?.[row] ?? row) } }),
    readRows: (indices, into) =>
      source.readRows(
        indices.map((index) => rows[index]!),
        into,
      ),
    readAll: (into) => source.readRows(rows, into),
  };
}

function labelsOf(labels: Labels, rows: Int32Array): Labels {
  if (labels.kind === 'class') return { kind: 'class', values: rows.map((row) => labels.values[row]!) };
  const size = sizeOf(labels.shape);
  const values = new Float32Array(rows.length * size);
  for (const [at, row] of rows.entries()) values.set(labels.values.subarray(row * size, (row + 1) * size), at * size);
  return { ...labels, values };
}
