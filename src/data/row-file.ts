/**
 * Room: data (level 3). Rows that stay in a file: where they lie, as plain data that crosses threads, and reading some of them into
 * memory. It promises the numbers that the file has, in the order that was asked for, whatever the order in which it reads them, or
 * an error that names the file; a file that was written to since it was described is refused.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { nonNegativeInteger, oneOf, show } from '../check.ts';
import { demandFile } from '../config/file.ts';
import { LockstepError } from '../errors.ts';
import { type Shape, sizeOf } from '../memory/shape.ts';
import { malformed } from './file-bytes.ts';

/** Inputs of a source that lie in a file, row after row: bytes, or float32 in little-endian order. */
export interface RowFile {
  readonly path: string;
  /** The byte where the first row begins. */
  readonly offset: number;
  readonly type: 'uint8' | 'float32';
  /** Numbers a row. */
  readonly rowSize: number;
  /** The row of the file for each row of the source; absent: the same. */
  readonly rows?: Int32Array | undefined;
  /** Numbers x of a row become (x / scale - offset) / divisor, computed in float64 and rounded to float32 once; a number of each for every feature. */
  readonly normalization?: { readonly scale: number; readonly offset: Float64Array; readonly divisor: Float64Array } | undefined;
  /** What the file was when its rows were checked; absent: what it is when reading begins. */
  readonly state?: FileState | undefined;
}

/** Bytes of a file and when it was last written to, ms. */
export interface FileState {
  readonly size: number;
  readonly modifiedMs: number;
}

/** Memory that rows go to: the same bytes as bytes and as float32. */
export interface RowTarget {
  readonly u8: Uint8Array;
  readonly f32: Float32Array;
}

/** Read at a time, if rows are no larger. */
const mostBytesAtOnce = 2 ** 20;
/** Bytes between two rows that are read along: a call of the system costs about as much. */
const mostGapBytes = 4096;
/** Rows that are brought into the order of the file at a time; a row and its place are one float64 then, exactly. */
const mostSorted = 65_536;
const what = 'a file of rows';

/** Bytes of one number as it is stored, and as it comes out. */
function bytesEach({ type }: Pick<RowFile, 'type'>): number {
  return type === 'uint8' ? 1 : 4;
}

/** What the file at `path` is now. Throws LOCKSTEP_FILE. */
export function stateOf(path: string): FileState {
  const handle = demandFile(path, what, undefined, () => openSync(path, 'r'));
  try {
    return stateOfHandle(path, handle);
  } finally {
    closeSync(handle);
  }
}

function stateOfHandle(path: string, handle: number): FileState {
  const { size, mtimeMs } = demandFile(path, what, undefined, () => fstatSync(handle));
  return { size, modifiedMs: mtimeMs };
}

/**
 * Makes sure that a row file, which may be a user's own, holds the rows that its source says. `place` is what messages call it. Throws
 * LOCKSTEP_USAGE for its description, LOCKSTEP_FILE and LOCKSTEP_DATA for the file.
 */
export function checkRowFile(
  file: RowFile,
  place: string,
  source: { readonly length: number; readonly inputShape: Shape; readonly inputType: 'uint8' | 'float32' },
): void {
  const refuse = (field: string, rule: string, value: unknown): never => {
    throw new LockstepError('LOCKSTEP_USAGE', `Expected \`${place}.${field}\` to be ${rule}, got ${show(value)}.`);
  };
  const { path, offset, type, rowSize, rows, normalization, state } = file;
  if (typeof path !== 'string' || path === '') refuse('path', 'the path of a file', path);
  nonNegativeInteger(`${place}.offset`, offset);
  oneOf(`${place}.type`, type, ['uint8', 'float32']);
  if (rowSize !== sizeOf(source.inputShape)) refuse('rowSize', `the ${sizeOf(source.inputShape)} numbers of a row`, rowSize);
  const comesOut = normalization ? 'float32' : type;
  if (comesOut !== source.inputType) refuse('type', `that of the rows, ${source.inputType}`, comesOut);
  if (rows !== undefined && !(rows instanceof Int32Array && rows.length === source.length && rows.every((row) => row >= 0))) {
    refuse('rows', `an Int32Array of ${source.length} rows of the file`, rows);
  }
  const features = normalization?.offset?.length ?? 1;
  if (normalization && !(normalization.divisor?.length === features && rowSize % features === 0 && normalization.scale > 0)) {
    refuse('normalization', 'an offset and a divisor for each feature, and a scale > 0', normalization);
  }
  const needed = offset + ((rows ? rows.reduce((most, row) => Math.max(most, row), 0) : source.length - 1) + 1) * rowSize * bytesEach(file);
  const { size } = state ?? stateOf(path);
  if (size < needed) throw malformed(path, `have at least ${needed} bytes for its rows`, `${size}`, 'the file is truncated: fetch it again');
}

/** An open row file. It reads what lies near together at once and needs no more memory than for `mostRows` rows, or a mebibyte. */
export class RowReader {
  readonly #file: RowFile;
  readonly #handle: number;
  readonly #state: FileState;
  readonly #rowBytes: number;
  /** Rows that fit `#bytes`, which `#floats` sees too. */
  readonly #capacity: number;
  readonly #bytes: Uint8Array;
  readonly #floats: Float32Array;
  readonly #keys: Float64Array;

  /** Throws LOCKSTEP_FILE where the file cannot be opened, LOCKSTEP_DATA where it is another one than was described. */
  constructor(file: RowFile, mostRows: number) {
    this.#file = file;
    this.#rowBytes = file.rowSize * bytesEach(file);
    this.#capacity = Math.max(1, Math.min(mostRows, Math.floor(mostBytesAtOnce / this.#rowBytes)));
    const buffer = new ArrayBuffer(this.#capacity * this.#rowBytes);
    this.#bytes = new Uint8Array(buffer);
    this.#floats = file.type === 'uint8' ? new Float32Array(0) : new Float32Array(buffer);
    this.#keys = new Float64Array(Math.min(mostRows, mostSorted));
    this.#handle = demandFile(file.path, what, undefined, () => openSync(file.path, 'r'));
    this.#state = file.state ?? stateOfHandle(file.path, this.#handle);
    try {
      this.checkUnchanged();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Throws LOCKSTEP_DATA when the file was written to since it was described. */
  checkUnchanged(): void {
    const { size, modifiedMs } = stateOfHandle(this.#file.path, this.#handle);
    if (size === this.#state.size && modifiedMs === this.#state.modifiedMs) return;
    const received = size === this.#state.size ? 'one that was written to' : `${size} bytes in place of ${this.#state.size}`;
    throw malformed(this.#file.path, 'stay as it was while its rows are read', received, 'begin anew, and leave it alone while the run lasts');
  }

  /** The first `count` of the rows at `indices` go to `target` one after the other from byte `at` on. At most as many as the reader was made for. */
  read(indices: Int32Array, count: number, target: RowTarget, at: number): void {
    for (let first = 0; first < count; first += mostSorted) this.#readSome(indices, first, Math.min(mostSorted, count - first), target, at);
  }

  close(): void {
    closeSync(this.#handle);
  }

  /** In the order of the file: rows that follow each other closely are one read. */
  #readSome(indices: Int32Array, first: number, count: number, target: RowTarget, at: number): void {
    const { rows } = this.#file;
    const keys = this.#keys.subarray(0, count);
    for (let i = 0; i < count; i++) {
      const index = indices[first + i]!;
      keys[i] = (rows ? rows[index]! : index) * mostSorted + i;
    }
    keys.sort();
    for (let from = 0; from < count; ) {
      const start = Math.floor(keys[from]! / mostSorted);
      let last = start;
      let to = from + 1;
      for (; to < count; to++) {
        const row = Math.floor(keys[to]! / mostSorted);
        if (row - start >= this.#capacity || (row - last - 1) * this.#rowBytes > mostGapBytes) break;
        last = row;
      }
      this.#load(start, last - start + 1);
      for (; from < to; from++) {
        const row = Math.floor(keys[from]! / mostSorted);
        this.#put(row - start, target, at, first + keys[from]! - row * mostSorted);
      }
    }
  }

  /** Reads `count` rows of the file from row `row` on. */
  #load(row: number, count: number): void {
    const { path, offset } = this.#file;
    const length = count * this.#rowBytes;
    const position = offset + row * this.#rowBytes;
    for (let done = 0; done < length; ) {
      const got = this.#readAt(position + done, done, length - done);
      if (got === 0) {
        throw malformed(
          path,
          `have at least ${position + length} bytes`,
          `${stateOfHandle(path, this.#handle).size}`,
          'the file was truncated: fetch it again, and leave it alone while the run lasts',
        );
      }
      done += got;
    }
  }

  #readAt(position: number, at: number, length: number): number {
    try {
      return readSync(this.#handle, this.#bytes, at, length, position);
    } catch (cause) {
      return demandFile(this.#file.path, what, undefined, () => {
        throw cause;
      });
    }
  }

  /** The row of `#bytes` at `from` becomes row `to` of the target. */
  #put(from: number, { u8, f32 }: RowTarget, at: number, to: number): void {
    const { normalization, rowSize, type } = this.#file;
    if (!normalization) {
      u8.set(this.#bytes.subarray(from * this.#rowBytes, (from + 1) * this.#rowBytes), at + to * this.#rowBytes);
      return;
    }
    const start = (at >>> 2) + to * rowSize;
    normalizeInto(type === 'uint8' ? this.#bytes : this.#floats, from * rowSize, rowSize, normalization, f32, start);
  }
}

/** `count` numbers of whole rows, normalised: the same arithmetic wherever rows are. */
export function normalizeInto(
  values: Uint8Array | Float32Array,
  from: number,
  count: number,
  { scale, offset, divisor }: NonNullable<RowFile['normalization']>,
  into: Uint8Array | Float32Array,
  start: number,
): void {
  const features = offset.length;
  for (let i = 0, feature = 0; i < count; i++) {
    into[start + i] = (values[from + i]! / scale - offset[feature]!) / divisor[feature]!;
    if (++feature === features) feature = 0;
  }
}
