/**
 * Room: data (level 3). NumPy's npy format: a magic text, a version, a header that is a Python dictionary (type, order, shape), then the
 * numbers. Bytes and float32 stay what they are, float64 is rounded to float32, integers are read for labels. It promises that a file
 * is exactly as long as its header says, and refuses Fortran's order and every other type by name.
 */
import { sizeOf } from '../memory/shape.ts';
import { malformed } from './file-bytes.ts';
import { checkFitsArena } from './room.ts';

export interface NpyArray {
  readonly shape: readonly number[];
  readonly values: Uint8Array | Float32Array | Int32Array | BigInt64Array;
}

/** What an npy array is read from: a file, or a member of an archive. */
export interface NpyBytes {
  /** What messages call it. */
  readonly name: string;
  readonly size: number;
  read(position: number, length: number): Buffer;
}

const magic = Buffer.from('\x93NUMPY', 'latin1');
/** The types that are read, as NumPy writes them; a byte has no order. */
const types = { '|u1': 'uint8', '|b1': 'bool', '<i4': 'int32', '<i8': 'int64', '<f4': 'float32', '<f8': 'float64' } as const;
type Type = keyof typeof types;

/** What an npy file says of its array. */
export interface NpyHeader {
  readonly shape: readonly number[];
  readonly type: (typeof types)[Type];
  /** Where its numbers begin, and their bytes. */
  readonly start: number;
  readonly bytes: number;
}

/** Reads an array, of which only the first `limit` rows when that is given. Throws LOCKSTEP_DATA. */
export function readNpy(file: NpyBytes, limit: number = Number.POSITIVE_INFINITY): NpyArray {
  const header = npyHeader(file);
  const { shape, type, start } = header;
  const rows = shape[0]!;
  const bytes = (header.bytes / rows) * Math.min(limit, rows);
  // A number of float64 takes half as much when it is read.
  checkFitsArena(`\`${file.name}\``, type === 'float64' ? bytes / 2 : bytes);
  return { shape, values: valuesOf(file.read(start, bytes), type) };
}

/** Reads all but the numbers, of which there are as many as the header says. Throws LOCKSTEP_DATA. */
export function npyHeader(file: NpyBytes): NpyHeader {
  const { name } = file;
  const start = file.read(0, Math.min(file.size, 12));
  if (start.length < 10 || !start.subarray(0, 6).equals(magic)) {
    const received = start.length === 0 ? 'an empty file' : `one that starts with ${start.subarray(0, 6).toString('hex')}`;
    throw malformed(name, 'be an npy file', received, 'check that it is the right file and fetch it again');
  }
  const isFirst = start[6] === 1;
  if (!isFirst && start[6] !== 2 && start[6] !== 3) throw malformed(name, 'be of version 1, 2 or 3 of the npy format', `version ${start[6]}`, 'save it with np.save');
  const headerStart = isFirst ? 10 : 12;
  const headerBytes = start.length < headerStart ? file.size : isFirst ? start.readUInt16LE(8) : start.readUInt32LE(8);
  const dataStart = headerStart + headerBytes;
  if (dataStart > file.size) throw malformed(name, `have a header of ${headerBytes} bytes`, `${file.size} bytes in all`, 'the file is truncated: fetch it again');
  const { type, shape } = parseHeader(name, file.read(headerStart, headerBytes).toString('latin1'));
  const count = sizeOf(shape);
  const bytes = count * Number(type[2]);
  if (file.size - dataStart !== bytes) {
    const trouble = file.size - dataStart < bytes ? 'the file is truncated' : 'the file is longer than its header says';
    throw malformed(
      name,
      `hold ${shape.join(' x ')} numbers of ${types[type]} = ${bytes} bytes after its header`,
      `${file.size - dataStart}`,
      `${trouble}: fetch it again`,
    );
  }
  return { shape, type: types[type], start: dataStart, bytes };
}

/** An npy file of float32 numbers, row-major; its data begin at a multiple of 64 bytes, as NumPy's do. */
export function encodeNpy(shape: readonly number[], values: Float32Array): Uint8Array {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${sizes}), }`;
  const length = Math.ceil((10 + header.length + 1) / 64) * 64;
  const file = Buffer.alloc(length + values.byteLength, ' ');
  magic.copy(file);
  file[6] = 1;
  file[7] = 0;
  file.writeUInt16LE(length - 10, 8);
  file.write(header, 10, 'latin1');
  file[length - 1] = 0x0a;
  file.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), length);
  return file;
}

/** The header as NumPy writes it: `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`. */
function parseHeader(name: string, header: string): { readonly type: Type; readonly shape: readonly number[] } {
  const descr = /'descr'\s*:\s*('[^']*'|[^,]*)/.exec(header)?.[1];
  const fortran = /'fortran_order'\s*:\s*(True|False)/.exec(header)?.[1];
  const sizes = /'shape'\s*:\s*\(([\d\s,]*)\)/.exec(header)?.[1];
  if (descr === undefined || fortran === undefined || sizes === undefined) {
    throw malformed(name, 'have a header with descr, fortran_order and shape', 'another', 'save it with np.save');
  }
  const type = descr.replaceAll("'", '').replace(/^[<>=](?=[ui]1|b1)/, '|');
  if (!Object.hasOwn(types, type)) {
    throw malformed(name, `hold ${Object.values(types).join(', ')}, little-endian`, `the type ${descr}`, "convert it: array.astype('float32')");
  }
  const shape = sizes.split(',').flatMap((size) => (size.trim() === '' ? [] : [Number(size)]));
  if (fortran === 'True' && shape.length > 1) {
    throw malformed(name, 'hold its numbers row by row (C order)', 'Fortran order', 'save np.ascontiguousarray(array)');
  }
  if (shape.length === 0 || !shape.every((size) => size >= 1) || !Number.isSafeInteger(8 * sizeOf(shape))) {
    throw malformed(name, 'hold at least one row', `the shape (${shape.join(', ')})`, 'give it data');
  }
  return { type: type as Type, shape };
}

/** Machines that Lockstep runs on are little-endian. `bytes` begin at a buffer of their own, so they are aligned. */
function valuesOf(bytes: Buffer, type: NpyHeader['type']): NpyArray['values'] {
  const { buffer, byteOffset, length } = byteOffset0(bytes);
  switch (type) {
    case 'uint8':
    case 'bool':
      return new Uint8Array(buffer, byteOffset, length);
    case 'int32':
      return new Int32Array(buffer, byteOffset, length / 4);
    case 'int64':
      return new BigInt64Array(buffer, byteOffset, length / 8);
    case 'float32':
      return new Float32Array(buffer, byteOffset, length / 4);
    case 'float64':
      return Float32Array.from(new Float64Array(buffer, byteOffset, length / 8));
    default:
      return type satisfies never;
  }
}

/** The bytes where their address is a multiple of 8. */
function byteOffset0(bytes: Buffer): Buffer {
  return bytes.byteOffset % 8 === 0 ? bytes : Buffer.from(new Uint8Array(bytes).buffer);
}
