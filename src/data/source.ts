/**
 * Room: data (level 3). What training reads: rows of one shape with labels, in the type they are stored in. It promises
 * that bytes stay bytes; scaling happens while rows are gathered. It never shuffles: the order of an epoch is computed.
 */
import { shape as checkShape, oneOf, positiveInteger, show } from '../check.ts';
import { positiveRule } from '../config/rules.ts';
import { LockstepError } from '../errors.ts';
import { sizeOf } from '../memory/shape.ts';
import { checkRowFile, type RowFile } from './row-file.ts';

/** What each row should give: a class (rows int32), or target values (rows times `shape` float32, row-major). */
export type Labels =
  | { readonly kind: 'class'; readonly values: Int32Array }
  | { readonly kind: 'target'; readonly values: Float32Array; readonly shape: readonly number[] };

/** What texts of the training data became, so that those of other data become the same. */
export interface Texts {
  /** The names of the classes, in order. */
  readonly classes?: readonly string[] | undefined;
  /** The categories of each column of texts, in the order of the input columns that they became. */
  readonly columns: Readonly<Record<string, readonly string[]>>;
}

/** Inputs x, divided by their `scale`, became (x - offset) / divisor, computed in float64 and rounded once; a number of each for every feature. */
export interface Normalization {
  readonly kind: 'standard' | 'minMax';
  readonly offset: Float64Array;
  /** > 0. */
  readonly divisor: Float64Array;
}

export interface DataSource {
  /** What messages call it: the file or data set it came from. */
  readonly name: string;
  /** Rows, at least 1. */
  readonly length: number;
  /** The shape of one row, without the batch dimension. */
  readonly inputShape: readonly number[];
  /** How a stored number looks; `readRows` and `readAll` write this type. */
  readonly inputType: 'uint8' | 'float32';
  /** Stored numbers are divided by this on their way into the model; > 0. */
  readonly scale: number;
  readonly labels: Labels;
  /** How much each row counts: `length` numbers >= 0. Absent: all count the same. */
  readonly weights?: Float32Array | undefined;
  /** Present where the data had texts. */
  readonly texts?: Texts | undefined;
  /** What was done to the rows before they came here; what is to be predicted needs the same. */
  readonly normalization?: Normalization | undefined;
  /**
   * Where the inputs lie on disk, when they are to stay there and be read ahead of training: the numbers that `readRows` writes.
   * Absent: they are read into memory once.
   */
  readonly rowFile?: RowFile | undefined;
  /** Writes the rows at `indices` (each in [0, length)) one after the other, row-major, not scaled. */
  readRows(indices: Int32Array, into: Uint8Array | Float32Array): void;
  /** Writes all rows in order, row-major, not scaled. */
  readAll(into: Uint8Array | Float32Array): void;
}

/** What a source in memory is made of: its description and all rows' numbers, row-major. */
export type Rows = Omit<DataSource, 'length' | 'inputType' | 'readRows' | 'readAll' | 'rowFile'> & { readonly values: Uint8Array | Float32Array };

/** Makes sure that a scale is a number > 0, in float32 too, where inputs are divided by it. */
export function checkScale(name: string, scale: unknown): void {
  if (positiveRule.accepts(scale)) return;
  throw new LockstepError('LOCKSTEP_USAGE', `Expected \`${name}\` to be ${positiveRule.words}, got ${show(scale)}.`);
}

/**
 * Makes sure that a source, which may be a user's own, keeps to its type: the arena is sized by what it says. `place` is what
 * messages call it: `data.train`. Throws LOCKSTEP_USAGE for its description, LOCKSTEP_DATA for labels that do not fit it.
 */
export function checkSource(source: DataSource, place: string): DataSource {
  const { name, inputShape, inputType, scale, labels } = source;
  const rows = positiveInteger(`${place}.length`, source.length);
  if (typeof name !== 'string') throw new LockstepError('LOCKSTEP_USAGE', `Expected \`${place}.name\` to be a text, got ${show(name)}.`);
  checkShape(`${place}.inputShape`, inputShape);
  oneOf(`${place}.inputType`, inputType, ['uint8', 'float32']);
  checkScale(`${place}.scale`, scale);
  for (const method of ['readRows', 'readAll'] as const) {
    if (typeof source[method] !== 'function') {
      throw new LockstepError('LOCKSTEP_USAGE', `Expected \`${place}.${method}\` to be a function, got ${show(source[method])}.`);
    }
  }
  const kind = oneOf(`${place}.labels.kind`, labels?.kind, ['class', 'target']);
  const size = labels.kind === 'target' ? sizeOf(checkShape(`${place}.labels.shape`, labels.shape)) : 1;
  const type = kind === 'class' ? Int32Array : Float32Array;
  const values: unknown = labels.values;
  if (!(values instanceof type) || values.length !== rows * size) {
    const received = values instanceof type ? `${values.length}` : show(values);
    throw new LockstepError(
      'LOCKSTEP_DATA',
      `Expected \`${place}.labels.values\` to be ${kind === 'class' ? 'an Int32Array' : 'a Float32Array'} of ${rows * size} numbers for ${rows} rows, got ${received}; give every row its label.`,
    );
  }
  if (source.weights !== undefined) checkWeights(`\`${place}.weights\``, source.weights, rows);
  if (source.rowFile !== undefined) checkRowFile(source.rowFile, `${place}.rowFile`, source);
  return source;
}

/** Makes sure that weights of rows are one number >= 0 each, and not all 0. Throws LOCKSTEP_DATA. */
export function checkWeights(name: string, weights: Float32Array, rows: number): Float32Array {
  const refuse = (rule: string, received: string, mend: string): never => {
    throw new LockstepError('LOCKSTEP_DATA', `Expected ${name} to be ${rule}, got ${received}; ${mend}.`);
  };
  if (!(weights instanceof Float32Array) || weights.length !== rows) {
    const received = weights instanceof Float32Array ? `${weights.length}` : show(weights);
    return refuse(`a Float32Array of ${rows} numbers for ${rows} rows`, received, 'give every row its weight');
  }
  const bad = weights.findIndex((weight) => !(weight >= 0 && weight < Number.POSITIVE_INFINITY));
  if (bad !== -1) return refuse('finite numbers >= 0', `\`${weights[bad]}\` in row ${bad}`, 'give a row that shall not count the weight 0');
  if (weights.every((weight) => weight === 0)) return refuse('weights of which one is > 0', 'only 0', 'leave them out');
  return weights;
}

/** A source whose rows are already in memory. The values are kept, not copied: do not change them. */
export function memorySource({ values, ...description }: Rows): DataSource {
  const { name, inputShape } = description;
  const rowSize = sizeOf(inputShape);
  const length = values.length / rowSize;
  const inputType = values instanceof Uint8Array ? 'uint8' : 'float32';

  function checkTarget(into: Uint8Array | Float32Array, rows: number): void {
    const type = into instanceof Uint8Array ? 'uint8' : 'float32';
    if (type !== inputType || into.length < rows * rowSize) {
      throw new LockstepError('LOCKSTEP_INTERNAL', `Expected room for ${rows * rowSize} ${inputType} numbers of ${name}, got ${into.length} ${type} numbers.`);
    }
  }

  return {
    ...description,
    length,
    inputType,
    readRows(indices, into) {
      checkTarget(into, indices.length);
      for (let i = 0; i < indices.length; i++) {
        const row = indices[i]!;
        if (row < 0 || row >= length) {
          throw new LockstepError('LOCKSTEP_INTERNAL', `Expected a row of ${name} from 0 to ${length - 1}, got ${row}.`);
        }
        into.set(values.subarray(row * rowSize, (row + 1) * rowSize), i * rowSize);
      }
    },
    readAll(into) {
      checkTarget(into, length);
      into.set(values);
    },
  };
}

/**
 * Makes sure that every label is a class in [0, classes). Throws LOCKSTEP_DATA naming the first row that is not, or that
 * the data has target values where classes are needed.
 */
export function checkLabels(source: DataSource, classes: number): void {
  const { labels, name } = source;
  if (labels.kind !== 'class') {
    throw new LockstepError('LOCKSTEP_DATA', `Expected the labels of ${name} to be class integers, got target values; use a loss for targets, such as meanSquaredError.`);
  }
  const row = labels.values.findIndex((label) => label < 0 || label >= classes);
  if (row === -1) return;
  const label = labels.values[row]!;
  const mend = label < 0 ? 'classes count from 0' : `mend the labels or give the last layer at least ${largest(labels.values) + 1} units`;
  throw new LockstepError('LOCKSTEP_DATA', `Expected the labels of ${name} to be from 0 to ${classes - 1}, got \`${label}\` in row ${row}; ${mend}.`);
}

function largest(values: Int32Array): number {
  return values.reduce((a, b) => Math.max(a, b));
}
