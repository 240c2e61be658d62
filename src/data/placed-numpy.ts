/**
 * Room: data (level 3). NumPy's arrays where they lie: inputs that stay on disk. Bytes and float32 are read in place, in an npy file as
 * in a member that an npz file stores; what is packed, and float64, is written once in the type that rows have.
 */
import { rmSync } from 'node:fs';
import { sizeOf } from '../memory/shape.ts';
import { type FileBytes, malformed, withFile } from './file-bytes.ts';
import { checkFiniteRows, fileSource, notFinite } from './file-source.ts';
import { type NpyBytes, type NpyHeader, npyHeader } from './npy.ts';
import { appendRows, type RowFolder } from './row-folder.ts';
import type { DataSource } from './source.ts';
import { crcOf, unpackTo } from './unpack.ts';
import { brokenMember, checkMember, type Member, memberStart, zipMembers } from './zip.ts';

/** An array on disk: what its header says, and the file and byte where its numbers begin. */
export interface PlacedArray extends Pick<NpyHeader, 'shape' | 'type'> {
  /** What messages call it. */
  readonly name: string;
  readonly path: string;
  readonly offset: number;
  /** True when the file was made for it: it goes when it is converted once more. */
  readonly isTemporary: boolean;
}

/** Numbers of float64 that are converted at a time. */
const blockNumbers = 2 ** 18;

/** All of a file, as npy files are read. */
export function whole(file: FileBytes): Omit<NpyBytes, 'name'> {
  return { size: file.size, read: (position, length) => file.read(position, length) };
}

/** The array of an npy file. Throws LOCKSTEP_DATA. */
export function placedNpy(file: FileBytes, name = file.path, isTemporary = false): PlacedArray {
  const { shape, type, start } = npyHeader({ name, ...whole(file) });
  return { name, shape, type, path: file.path, offset: start, isTemporary };
}

/** The array `name` of an npz file. Throws LOCKSTEP_DATA. */
export async function placedMember(file: FileBytes, name: string, folder: RowFolder): Promise<PlacedArray> {
  const member = findMember(file, name);
  const called = memberName(file, name);
  const start = memberStart(file, name, member);
  if (member.method === 8) {
    const path = folder.newFile(called);
    const found = await unpackTo(called, { path: file.path, start, length: member.packed }, 'deflate', path, (cause) => brokenMember(file, name, cause));
    checkMember(file, name, member, found);
    return withFile(path, 'an unpacked array', undefined, (unpacked) => placedNpy(unpacked, called, true));
  }
  checkMember(file, name, member, { bytes: member.packed, crc: crcOf(file, start, member.packed) });
  const header = npyHeader({ name: called, size: member.size, read: (position, length) => file.read(start + position, length) });
  return { name: called, shape: header.shape, type: header.type, path: file.path, offset: start + header.start, isTemporary: false };
}

export function memberName({ path }: FileBytes, name: string): string {
  return `${path}: ${name}`;
}

/** The member of an npz file that holds the array `name`. Throws LOCKSTEP_DATA. */
export function findMember(file: FileBytes, name: string): Member {
  const members = zipMembers(file);
  const member = members.get(`${name}.npy`);
  if (member) return member;
  const names = [...members.keys()].map((key) => key.replace(/\.npy$/, '')).slice(0, 8);
  throw malformed(file.path, `hold an array \`${name}\``, names.length === 0 ? 'none' : `the arrays ${names.join(', ')}`, 'name them with `inputs` and `labels`');
}

/** The source of an array's first rows: finite numbers, or LOCKSTEP_DATA names the row. */
export function placedSource(
  array: PlacedArray,
  description: Omit<DataSource, 'inputType' | 'readRows' | 'readAll' | 'rowFile' | 'normalization'>,
  folder: RowFolder,
): DataSource {
  const { name, path, offset, type } = array;
  if (type === 'float64') return fileSource(description, { path: rounded(array, description, folder), offset: 0, type: 'float32' });
  const source = fileSource(description, { path, offset, type: type === 'float32' ? 'float32' : 'uint8' });
  checkFiniteRows(source, name);
  return source;
}

/** The file of the first `length` rows of float64 numbers as float32. */
function rounded({ name, path, offset, isTemporary }: PlacedArray, { length, inputShape }: Pick<DataSource, 'length' | 'inputShape'>, folder: RowFolder): string {
  const size = sizeOf(inputShape);
  const to = folder.newFile(name);
  withFile(path, 'a file of rows', undefined, (file) => {
    for (let done = 0; done < length * size; done += blockNumbers) {
      const count = Math.min(blockNumbers, length * size - done);
      const values = Float32Array.from(new Float64Array(file.read(offset + 8 * done, 8 * count).buffer));
      const bad = values.findIndex((value) => !Number.isFinite(value));
      if (bad !== -1) throw notFinite(name, values[bad]!, Math.floor((done + bad) / size));
      appendRows(name, to, values);
    }
  });
  if (isTemporary) rmSync(path);
  return to;
}
