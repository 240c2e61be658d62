/**
 * Room: data (level 3). IDX files, the format of MNIST: two zero bytes, a type, the number of dimensions, the dimensions
 * as big-endian uint32, then the numbers. Plain or gzipped, told apart by their first bytes, not by their name. It
 * promises that a file is exactly as long as its header says; it never reads another type than unsigned bytes.
 */
import { gunzipSync } from 'node:zlib';
import type { DataConfig } from '../config/data.ts';
import { LockstepError } from '../errors.ts';
import { sizeOf } from '../memory/shape.ts';
import type { OpenOptions } from './csv.ts';
import { type FileBytes, withFile } from './file-bytes.ts';
import { fileSource } from './file-source.ts';
import { checkFitsArena } from './room.ts';
import { folderFor, type RowFolder } from './row-folder.ts';
import { type DataSource, memorySource } from './source.ts';
import { unpackTo } from './unpack.ts';

/** The numbers of an IDX file with their dimensions, the first of which counts the rows. */
export interface IdxArray {
  readonly shape: readonly number[];
  readonly values: Uint8Array;
}

export interface IdxOptions {
  /** Path of the images: at least two dimensions, rows first. */
  readonly images: string;
  /** Path of the labels: one dimension. */
  readonly labels: string;
  /** Pixels are divided by this. */
  readonly scale: number;
  /** Take the first rows only; all when absent. */
  readonly limit?: number | undefined;
  /** What to do when a file is missing. */
  readonly mend?: string | undefined;
}

const byteType = 0x08;
/** Of the largest header: 255 dimensions. */
const mostHeaderBytes = 4 + 4 * 255;
const typeNames = new Map([
  [0x08, 'uint8'],
  [0x09, 'int8'],
  [0x0b, 'int16'],
  [0x0c, 'int32'],
  [0x0d, 'float32'],
  [0x0e, 'float64'],
]);

function malformed(path: string, expected: string, received: string, mend: string): LockstepError {
  return new LockstepError('LOCKSTEP_DATA', `Expected \`${path}\` to ${expected}, got ${received}; ${mend}.`);
}

/** Reads one IDX file of unsigned bytes, of a large one only the values of the first `limit` rows. */
export function readIdx(path: string, what: string, mend?: string, limit: number = Number.POSITIVE_INFINITY): IdxArray {
  return withFile(path, what, mend, (file) => {
    const head = headOf(file);
    if (isGzip(head)) {
      const bytes = unzip(path, file.read(0, file.size));
      const { shape, start } = idxHeader(path, bytes, bytes.length);
      return { shape, values: bytes.subarray(start) };
    }
    const { shape, start } = idxHeader(path, head, file.size);
    const [rows = 0, ...rowShape] = shape;
    const bytes = Math.min(limit, rows) * sizeOf(rowShape);
    checkFitsArena(`\`${path}\``, bytes);
    return { shape, values: file.read(start, bytes) };
  });
}

/** The first bytes of a file: all of its header, if it is one. */
function headOf(file: FileBytes): Buffer {
  return file.read(0, Math.min(file.size, mostHeaderBytes));
}

/** The dimensions of an IDX file of `fileBytes` bytes by its first ones, and where its numbers begin. */
function idxHeader(path: string, bytes: Buffer, fileBytes: number): { readonly shape: readonly number[]; readonly start: number } {
  const isIdx = bytes.length >= 4 && bytes[0] === 0 && bytes[1] === 0 && typeNames.has(bytes[2]!) && bytes[3]! > 0;
  if (!isIdx) {
    const start = bytes.length === 0 ? 'an empty file' : `a file that starts with ${bytes.subarray(0, 4).toString('hex')}`;
    throw malformed(path, 'be an IDX file', start, 'check that it is the right file and fetch it again');
  }
  if (bytes[2] !== byteType) {
    throw malformed(path, 'hold unsigned bytes (IDX type 08)', `type 0${bytes[2]!.toString(16)}, ${typeNames.get(bytes[2]!)}`, 'convert it to bytes');
  }
  const headerBytes = 4 + 4 * bytes[3]!;
  if (fileBytes < headerBytes) {
    throw malformed(path, `have a header of ${headerBytes} bytes`, `${fileBytes} bytes in all`, 'the file is truncated: fetch it again');
  }
  const shape = Array.from({ length: bytes[3]! }, (_, axis) => bytes.readUInt32BE(4 + 4 * axis));
  if (shape.includes(0)) throw malformed(path, 'hold at least one row', `the dimensions ${shape.join(' x ')}`, 'give it data');
  const size = sizeOf(shape);
  const numbers = fileBytes - headerBytes;
  if (numbers !== size) {
    const product = shape.length > 1 ? `${shape.join(' x ')} = ${size}` : `${size}`;
    const trouble = numbers < size ? 'the file is truncated' : 'the file is longer than its header says';
    throw malformed(path, `hold ${product} bytes after its header`, `${numbers}`, `${trouble}: fetch it again`);
  }
  return { shape, start: headerBytes };
}

function isGzip(bytes: Buffer): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

function unzip(path: string, bytes: Buffer): Buffer {
  try {
    return gunzipSync(bytes);
  } catch (cause) {
    throw notGzip(path, cause);
  }
}

function notGzip(path: string, cause: unknown): LockstepError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const message = `Expected \`${path}\` to be a whole gzip file, got one that does not unpack (${reason}); the file is truncated or damaged: fetch it again.`;
  return new LockstepError('LOCKSTEP_DATA', message, { cause });
}

/** Numbers of a file that stay there; of a gzipped one in a file of `folder`. */
interface PlacedIdx {
  readonly shape: readonly number[];
  readonly path: string;
  readonly start: number;
}

async function placeIdx(path: string, what: string, mend: string | undefined, folder: RowFolder): Promise<PlacedIdx> {
  const plain = withFile(path, what, mend, (file) => (isGzip(headOf(file)) ? undefined : { path, ...idxHeader(path, headOf(file), file.size) }));
  if (plain) return plain;
  const unpacked = folder.newFile(`\`${path}\``);
  await unpackTo(`\`${path}\``, { path }, 'gzip', unpacked, (cause) => notGzip(path, cause));
  return withFile(unpacked, what, mend, (file) => ({ path: unpacked, ...idxHeader(path, headOf(file), file.size) }));
}

/** Rows of bytes without labels. */
export async function idxRows(
  path: string,
  { scale, streaming }: Pick<DataConfig, 'scale' | 'streaming'>,
  { folder: given }: Pick<OpenOptions, 'folder'> = {},
): Promise<DataSource> {
  const what = 'an image file';
  const folder = folderFor(streaming, given);
  const x = folder ? await placeIdx(path, what, undefined, folder) : readIdx(path, what);
  const [length = 0, ...inputShape] = x.shape;
  return sourceOf(x, { name: `\`${path}\``, length, inputShape, scale, labels: { kind: 'class', values: new Int32Array(length) } });
}

/** Images and their labels as one source of bytes. */
export function idxSource(options: IdxOptions): DataSource {
  return labelled(readIdx(options.images, 'an image file', options.mend, options.limit), options);
}

/** The same with images that stay on disk. */
export async function streamedIdxSource(options: IdxOptions, folder: RowFolder): Promise<DataSource> {
  return labelled(await placeIdx(options.images, 'an image file', options.mend, folder), options);
}

function labelled(x: IdxArray | PlacedIdx, { images, labels, scale, limit, mend }: IdxOptions): DataSource {
  const y = readIdx(labels, 'a label file', mend);
  const [rows = 0, ...inputShape] = x.shape;
  if (inputShape.length === 0) throw malformed(images, 'have at least two dimensions', 'one', 'check that it is the image file');
  if (y.shape.length !== 1) throw malformed(labels, 'have one dimension', `${y.shape.length}`, 'check that it is the label file');
  if (y.values.length !== rows) {
    throw malformed(labels, `hold a label for each of the ${rows} rows of \`${images}\``, `${y.values.length}`, 'check that the files belong together');
  }
  if (limit !== undefined && limit > rows) {
    const message = `Expected \`limit\` to be at most ${rows}, the rows of \`${images}\`, got \`${limit}\`; lower it or leave it out.`;
    throw new LockstepError('LOCKSTEP_DATA', message);
  }
  const taken = limit ?? rows;
  return sourceOf(x, {
    name: `\`${images}\``,
    length: taken,
    inputShape,
    scale,
    labels: { kind: 'class', values: Int32Array.from(y.values.subarray(0, taken)) },
  });
}

function sourceOf(x: IdxArray | PlacedIdx, description: Pick<DataSource, 'name' | 'length' | 'inputShape' | 'scale' | 'labels'>): DataSource {
  if ('start' in x) return fileSource(description, { path: x.path, offset: x.start, type: 'uint8' });
  return memorySource({ ...description, values: x.values.subarray(0, description.length * sizeOf(description.inputShape)) });
}
