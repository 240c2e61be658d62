/**
 * Room: data (level 3). Data that is already in memory: nested arrays or typed arrays. It promises that every row has
 * the same shape and every number is finite, or says which row is not; it never rounds labels or guesses a shape.
 */
import { shape as checkShape, show } from '../check.ts';
import { checkKeys } from '../config/sentences.ts';
import { LockstepError } from '../errors.ts';
import { sizeOf } from '../memory/shape.ts';
import { checkScale, type DataSource, type Labels, memorySource } from './source.ts';

/** Numbers nested to any depth: `[[0, 1], [2, 3]]`. */
export type NestedNumbers = readonly (number | NestedNumbers)[];

export interface ArrayData {
  /** Rows: nested arrays (rows first), or a flat typed array with `inputShape`. Uint8Array stays bytes. */
  readonly x: NestedNumbers | Float32Array | Uint8Array;
  /** Class integers (flat), or targets: nested arrays, or a Float32Array with `targetShape`. */
  readonly y: NestedNumbers | Int32Array | Uint8Array | Float32Array;
  /** Shape of one row of a typed `x`, without the batch dimension; taken from nested arrays when absent. */
  readonly inputShape?: readonly number[] | undefined;
  /** Shape of one row of a Float32Array `y`. */
  readonly targetShape?: readonly number[] | undefined;
  /** How much each row counts in the loss: numbers >= 0; absent: all alike. */
  readonly sampleWeights?: readonly number[] | Float32Array | undefined;
  /** Values of x are divided by this; default 1. */
  readonly scale?: number | undefined;
  /** What messages call the data; default `the arrays`. */
  readonly name?: string | undefined;
}

function refuse(message: string): never {
  throw new LockstepError('LOCKSTEP_DATA', message);
}

const keys = ['x', 'y', 'inputShape', 'targetShape', 'sampleWeights', 'scale', 'name'] as const satisfies readonly (keyof ArrayData)[];

/** A source over arrays, which messages call `place`. Typed arrays are kept, not copied: do not change them while the run lasts. */
export function arraySource(data: ArrayData, place = 'data'): DataSource {
  checkKeys(data, keys, place);
  const { x, y, inputShape, targetShape, sampleWeights, scale = 1, name = 'the arrays' } = data;
  checkScale('scale', scale);
  const input = block('x', x, 'inputShape', inputShape);
  const labels = labelsOf(y, targetShape);
  const rows = input.values.length / sizeOf(input.shape);
  const labelRows = labels.values.length / (labels.kind === 'class' ? 1 : sizeOf(labels.shape));
  if (labelRows !== rows) refuse(`Expected \`y\` to have as many rows as \`x\`, ${rows}, got ${labelRows}; give each row one label.`);
  const weights = sampleWeights === undefined ? undefined : weightsOf(sampleWeights, rows);
  return memorySource({ name, inputShape: input.shape, scale, labels, values: input.values, ...(weights && { weights }) });
}

function weightsOf(given: unknown, rows: number): Float32Array {
  const list = given instanceof Float32Array || Array.isArray(given) ? (given as ArrayLike<unknown>) : undefined;
  if (list?.length !== rows)
    refuse(`Expected \`sampleWeights\` to be ${rows} numbers, one for each row of \`x\`, got ${list ? list.length : show(given)}; give every row its weight.`);
  const values = Array.from(list!);
  const row = values.findIndex((value) => typeof value !== 'number' || !(value >= 0 && Number.isFinite(Math.fround(value))));
  if (row !== -1) refuse(`Expected \`sampleWeights\` to hold finite numbers >= 0, got ${show(values[row])} in row ${row}; mend the weight.`);
  return Float32Array.from(values as number[]);
}

interface Block {
  /** Of one row. */
  readonly shape: readonly number[];
  readonly values: Float32Array | Uint8Array;
}

/** Rows of numbers as one flat array; `name` and `shapeName` are what messages call them. */
function block(name: string, data: unknown, shapeName: string, given: readonly number[] | undefined): Block {
  if (given !== undefined) checkShape(shapeName, given);
  if (Array.isArray(data)) {
    const nested = flatten(name, data);
    if (given !== undefined && given.join() !== nested.shape.join()) {
      refuse(`Expected \`${shapeName}\` to be the shape of the rows of \`${name}\`, [${nested.shape.join(', ')}], got [${given.join(', ')}]; leave it out.`);
    }
    return nested;
  }
  if (!(data instanceof Float32Array || data instanceof Uint8Array)) {
    const kinds =
      name === 'x'
        ? 'nested arrays, a Float32Array or a Uint8Array'
        : 'class integers (an array, an Int32Array or a Uint8Array) or targets (nested arrays or a Float32Array)';
    return refuse(`Expected \`${name}\` to be ${kinds}, got ${show(data)}.`);
  }
  if (given === undefined)
    return refuse(
      `Expected \`${shapeName}\` beside a flat \`${name}\`, got nothing; add the shape of one row${name === 'y' ? ', or give classes as an Int32Array' : ''}.`,
    );
  const size = sizeOf(given);
  if (data.length === 0 || data.length % size !== 0) {
    refuse(`Expected \`${name}\` to hold rows of ${given.join(' x ')} = ${size} numbers, got ${data.length} numbers; check \`${shapeName}\`.`);
  }
  if (data instanceof Float32Array) {
    const bad = data.findIndex((value) => !Number.isFinite(value));
    if (bad !== -1) refuseNumber(name, Math.floor(bad / size), data[bad]);
  }
  return { shape: given, values: data };
}

function refuseNumber(name: string, row: number, value: unknown): never {
  return refuse(`Expected \`${name}\` to hold finite numbers, got ${show(value)} in row ${row}; mend or leave out the row.`);
}

/** Nested arrays as one flat Float32Array; the first row tells the shape that all must have. */
function flatten(name: string, rows: readonly unknown[]): Block {
  const shape: number[] = [];
  for (let item: unknown = rows; Array.isArray(item); item = item[0]) shape.push(item.length);
  const [, ...rowShape] = shape;
  if (shape.includes(0) || rowShape.length === 0) {
    refuse(`Expected \`${name}\` to be rows of at least one number each, got ${show(rows)}; nest it: [[1, 2], [3, 4]].`);
  }
  const values = new Float32Array(sizeOf(shape));
  let count = 0;
  const take = (item: unknown, depth: number, row: number): void => {
    if (depth === rowShape.length) {
      if (typeof item !== 'number' || !Number.isFinite(Math.fround(item))) refuseNumber(name, row, item);
      values[count++] = item;
      return;
    }
    if (!Array.isArray(item) || item.length !== rowShape[depth]) {
      refuse(`Expected every row of \`${name}\` to have the shape [${rowShape.join(', ')}] of the first, got another in row ${row}; make all rows alike.`);
    }
    for (const inner of item) take(inner, depth + 1, row);
  };
  for (const [index, row] of rows.entries()) take(row, 0, index);
  return { shape: rowShape, values };
}

function labelsOf(y: unknown, targetShape: readonly number[] | undefined): Labels {
  const isFlat = Array.isArray(y) && !Array.isArray(y[0]);
  if (!(isFlat || y instanceof Int32Array || y instanceof Uint8Array)) {
    const { shape, values } = block('y', y, 'targetShape', targetShape);
    return { kind: 'target', shape, values: Float32Array.from(values) };
  }
  const list: ArrayLike<unknown> = y;
  const values = new Int32Array(list.length);
  for (let row = 0; row < list.length; row++) {
    const label = list[row];
    if (typeof label !== 'number' || !Number.isInteger(label) || label < 0 || label >= 2 ** 31) {
      return refuse(`Expected a flat \`y\` to hold class integers >= 0, got ${show(label)} in row ${row}; for target values give nested arrays: [[0.5], [1]].`);
    }
    values[row] = label;
  }
  return { kind: 'class', values };
}
