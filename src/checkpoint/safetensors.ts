/**
 * Room: checkpoint (level 3). safetensors, the file format of weights: a little-endian uint64 with the header's length,
 * a JSON header { name: { dtype, shape, data_offsets } }, then the numbers without gaps. It promises that every byte of a
 * file it accepts is accounted for, and that a file it writes is there whole or not at all. It reads and writes float32
 * only, and never trusts a length before it compared it with the file.
 */
import { z } from 'zod';
import { readUserFile } from '../config/file.ts';
import { LockstepError } from '../errors.ts';
import { sizeOf } from '../memory/shape.ts';
import { checkPlace, writeWhole } from './whole-file.ts';

/** A tensor of a weights file: row-major float32 numbers and their shape; [] is a single number. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export interface NamedTensor extends Tensor {
  readonly name: string;
}

/** What messages call a file that cannot be written. */
const weightsFile = 'the weights file';
const prefixBytes = 8;
const metadataKey = '__metadata__';

const size = z.int().min(0);
const entrySchema = z.object({ dtype: z.string(), shape: z.array(size), data_offsets: z.tuple([size, size]) });
const metadataSchema = z.record(z.string(), z.string());

function refuse(message: string, cause?: unknown): never {
  throw new LockstepError('LOCKSTEP_WEIGHTS', message, { cause });
}

/** A name from a file as messages show it: escaped, on one line. */
function quoted(name: string): string {
  return `\`${JSON.stringify(name).slice(1, -1)}\``;
}

/**
 * What stands before the data of a file with tensors of these names and shapes in the given order, without gaps: the length, and the
 * header padded with spaces, so that data starts at a multiple of 8.
 */
export function encodeHeader(tensors: Iterable<Pick<NamedTensor, 'name' | 'shape'>>, metadata?: Readonly<Record<string, string>>): Uint8Array {
  const entries = new Map<string, unknown>();
  if (metadata) entries.set(metadataKey, metadata);
  let end = 0;
  for (const { name, shape } of tensors) {
    if (name === metadataKey || entries.has(name)) refuse(`Expected tensors to have different names other than ${metadataKey}, got ${quoted(name)}; rename one.`);
    const start = end;
    end += 4 * sizeOf(shape);
    entries.set(name, { dtype: 'F32', shape, data_offsets: [start, end] });
  }
  const json = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const header = new Uint8Array(prefixBytes + headerBytes).fill(0x20, prefixBytes);
  new DataView(header.buffer).setBigUint64(0, BigInt(headerBytes), true);
  header.set(json, prefixBytes);
  return header;
}

/** A safetensors file of the tensors in the given order. */
export function encodeSafetensors(tensors: Iterable<NamedTensor>, metadata?: Readonly<Record<string, string>>): Uint8Array {
  const all = [...tensors];
  const header = encodeHeader(all, metadata);
  const file = new Uint8Array(all.reduce((bytes, { data }) => bytes + data.byteLength, header.length));
  file.set(header);
  let offset = header.length;
  for (const { name, shape, data } of all) {
    if (sizeOf(shape) !== data.length) refuse(`Expected tensor ${quoted(name)} to hold ${sizeOf(shape)} numbers of shape [${shape.join(', ')}], got ${data.length}.`);
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
    offset += data.byteLength;
  }
  return file;
}

/** The tensors of a safetensors file, in the order of their data; `what` names the file in messages. The data are copies. */
export function decodeSafetensors(bytes: Uint8Array, what = 'the safetensors file'): Map<string, Tensor> {
  const { entries, dataStart } = readHeader(bytes, what);
  const tensors = new Map<string, Tensor>();
  let end = 0;
  for (const {
    name,
    dtype,
    shape,
    data_offsets: [from, to],
  } of entries) {
    if (dtype !== 'F32') refuse(`Expected tensor ${quoted(name)} of ${what} to have dtype F32, got ${quoted(dtype)}; convert it.`);
    if (from !== end || to < from) {
      refuse(`Expected the data of tensor ${quoted(name)} of ${what} to start at byte ${end}, where the one before ends, got [${from}, ${to}]; the file is damaged.`);
    }
    if (to - from !== 4 * sizeOf(shape)) {
      refuse(`Expected tensor ${quoted(name)} of ${what} to hold ${4 * sizeOf(shape)} bytes for its shape [${shape.join(', ')}], got ${to - from}; the file is damaged.`);
    }
    if (dataStart + to > bytes.length) {
      refuse(`Expected ${what} to have ${dataStart + to} bytes or more for tensor ${quoted(name)}, got ${bytes.length}; the file is truncated.`);
    }
    tensors.set(name, { shape, data: new Float32Array(new Uint8Array(bytes.subarray(dataStart + from, dataStart + to)).buffer) });
    end = to;
  }
  if (dataStart + end !== bytes.length)
    refuse(`Expected ${what} to end with its last tensor at byte ${dataStart + end}, got ${bytes.length} bytes; the file is damaged.`);
  return tensors;
}

type Entry = z.output<typeof entrySchema> & { readonly name: string };

/** The metadata of a safetensors file: texts by name, none when it has no metadata. Throws LOCKSTEP_WEIGHTS as `decodeSafetensors` does. */
export function decodeMetadata(bytes: Uint8Array, what = 'the safetensors file'): Readonly<Record<string, string>> {
  return readHeader(bytes, what).metadata;
}

interface Header {
  readonly entries: Entry[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly dataStart: number;
}

function readHeader(bytes: Uint8Array, what: string): Header {
  if (bytes.length < prefixBytes) refuse(`Expected ${what} to start with 8 bytes of header length, got ${bytes.length} bytes in all; the file is truncated.`);
  const declared = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (declared > BigInt(bytes.length - prefixBytes)) {
    refuse(`Expected the header of ${what} to fit its ${bytes.length} bytes, got a header length of ${declared}; it is truncated or not a safetensors file.`);
  }
  const dataStart = prefixBytes + Number(declared);
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(prefixBytes, dataStart)));
  } catch (cause) {
    refuse(`Expected the header of ${what} to be JSON, got something else; it is damaged or not a safetensors file.`, cause);
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    return refuse(`Expected the header of ${what} to be an object, got other JSON; it is not a safetensors file.`);
  }
  const entries: Entry[] = [];
  let metadata: Header['metadata'] = {};
  for (const [name, value] of Object.entries(header)) {
    if (name === metadataKey) {
      const texts = metadataSchema.safeParse(value);
      if (!texts.success) return refuse(`Expected ${metadataKey} of ${what} to map texts to texts, got something else; the file is damaged.`);
      metadata = texts.data;
      continue;
    }
    const entry = entrySchema.safeParse(value);
    if (!entry.success) return refuse(`Expected tensor ${quoted(name)} of ${what} to have dtype, shape and data_offsets, got a malformed entry; the file is damaged.`);
    entries.push({ name, ...entry.data });
  }
  entries.sort((a, b) => a.data_offsets[0] - b.data_offsets[0] || a.data_offsets[1] - b.data_offsets[1]);
  return { entries, metadata, dataStart };
}

/** Reads a weights file. Throws LOCKSTEP_FILE when it cannot be read, LOCKSTEP_WEIGHTS when it is malformed. */
export function readSafetensors(path: string): Map<string, Tensor> {
  return decodeSafetensors(readUserFile(path, 'a weights file'), `\`${path}\``);
}

/** Throws now the LOCKSTEP_FILE that `writeSafetensors(path)` would throw after a long run. Leaves nothing behind. */
export function checkWritable(path: string): void {
  checkPlace(path, weightsFile);
}

/**
 * Writes a weights file that readers see whole or not at all. The tensors are copied before the first await, so they may change right after the call.
 */
export async function writeSafetensors(path: string, tensors: Iterable<NamedTensor>, metadata?: Readonly<Record<string, string>>): Promise<void> {
  await writeWhole(path, encodeSafetensors(tensors, metadata), weightsFile);
}
