/**
 * Room: data (level 3). Zip archives, as far as npz files need them: members stored or deflated, sizes beyond 4 GiB (zip64) included.
 * It promises the bytes of a member as its checksum says, or an error that names the archive.
 */
import { crc32, inflateRawSync } from 'node:zlib';
import { type FileBytes, malformed, reasonOf } from './file-bytes.ts';

export interface Member {
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  /** Of its local header. */
  readonly position: number;
}

const endSignature = 0x06054b50;
const end64Signature = 0x06064b50;
const memberSignature = 0x02014b50;
const localSignature = 0x04034b50;
const escape32 = 0xffffffff;
/** The end record and the longest comment. */
const mostEndBytes = 22 + 65_535;

/** The members of an archive by name. Throws LOCKSTEP_DATA. */
export function zipMembers(file: FileBytes): Map<string, Member> {
  const broken = (received: string) => malformed(file.path, 'be a whole zip archive', received, 'the file is truncated or damaged, or no npz file: fetch it again');
  const tailStart = Math.max(0, file.size - mostEndBytes);
  const tail = file.read(tailStart, file.size - tailStart);
  let end = tail.length - 22;
  while (end >= 0 && tail.readUInt32LE(end) !== endSignature) end--;
  if (end < 0) throw broken(file.size === 0 ? 'an empty file' : 'one without its directory');

  let [count, size, start] = [tail.readUInt16LE(end + 10), tail.readUInt32LE(end + 12), tail.readUInt32LE(end + 16)];
  if (end >= 20 && (count === 0xffff || size === escape32 || start === escape32)) {
    const end64 = file.read(number64(tail, end - 20 + 8), 56);
    if (end64.readUInt32LE(0) !== end64Signature) throw broken('one without its large directory');
    [count, size, start] = [number64(end64, 32), number64(end64, 40), number64(end64, 48)];
  }
  const directory = file.read(start, size);
  const members = new Map<string, Member>();
  for (let at = 0; count > 0; count--) {
    if (at + 46 > size || directory.readUInt32LE(at) !== memberSignature) throw broken('a damaged directory');
    const [nameBytes, extraBytes, commentBytes] = [directory.readUInt16LE(at + 28), directory.readUInt16LE(at + 30), directory.readUInt16LE(at + 32)];
    const extra = at + 46 + nameBytes;
    const next = extra + extraBytes + commentBytes;
    if (next > size) throw broken('a damaged directory');
    const sizes = largeSizes(
      [directory.readUInt32LE(at + 24), directory.readUInt32LE(at + 20), directory.readUInt32LE(at + 42)],
      directory.subarray(extra, extra + extraBytes),
    );
    if (!sizes) throw broken('a damaged directory');
    const isPlain = (directory.readUInt16LE(at + 8) & 1) === 0;
    members.set(directory.toString('utf8', at + 46, extra), {
      method: isPlain ? directory.readUInt16LE(at + 10) : -1,
      crc: directory.readUInt32LE(at + 16),
      size: sizes[0],
      packed: sizes[1],
      position: sizes[2],
    });
    at = next;
  }
  return members;
}

/** The bytes of a member. Throws LOCKSTEP_DATA. */
export function unzipMember(file: FileBytes, name: string, member: Member): Buffer {
  const { method, packed, size } = member;
  const bytes = file.read(memberStart(file, name, member), packed);
  let unpacked: Buffer = bytes;
  if (method === 8) {
    try {
      unpacked = inflateRawSync(bytes, { maxOutputLength: Math.max(1, size) });
    } catch (cause) {
      throw brokenMember(file, name, cause);
    }
  }
  checkMember(file, name, member, { bytes: unpacked.length, crc: crc32(unpacked) });
  return unpacked;
}

/** Makes sure that the unpacked bytes of a member are what the directory says. Throws LOCKSTEP_DATA. */
export function checkMember(file: FileBytes, name: string, { size, crc }: Member, found: { readonly bytes: number; readonly crc: number }): void {
  if (found.bytes !== size) throw notWhole(file, name, `${found.bytes} of ${size} bytes`);
  if (found.crc !== crc) throw notWhole(file, name, 'other bytes than its checksum says');
}

/** A member that does not unpack. */
export function brokenMember(file: FileBytes, name: string, cause: unknown): Error {
  return notWhole(file, name, `one that does not unpack (${reasonOf(cause)})`, cause);
}

function notWhole({ path }: FileBytes, name: string, received: string, cause?: unknown): Error {
  return malformed(path, `hold the member \`${name}\` whole`, received, 'the file is damaged: fetch it again', cause === undefined ? {} : { cause });
}

/** Where the packed bytes of a member, stored or deflated, begin in the archive. Throws LOCKSTEP_DATA. */
export function memberStart(file: FileBytes, name: string, { method, position }: Member): number {
  if (method !== 0 && method !== 8) {
    throw malformed(file.path, `hold the member \`${name}\` stored or deflated`, method === -1 ? 'an encrypted one' : `method ${method}`, 'save it with np.savez');
  }
  const header = file.read(position, 30);
  if (header.readUInt32LE(0) !== localSignature) throw notWhole(file, name, 'none where the directory says');
  return position + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
}

/** Those of [size, packed size, position] that do not fit 32 bits stand in the zip64 field of `extra`, in this order. */
function largeSizes(sizes: [size: number, packed: number, position: number], extra: Buffer): [number, number, number] | undefined {
  if (!sizes.includes(escape32)) return sizes;
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    const end = Math.min(extra.length, at + 4 + extra.readUInt16LE(at + 2));
    let field = at + 4;
    for (let index = 0; index < sizes.length; index++) {
      if (sizes[index] !== escape32) continue;
      if (field + 8 > end) return undefined;
      sizes[index] = number64(extra, field);
      field += 8;
    }
    return sizes;
  }
  return undefined;
}

/** A count beyond 2^53 is none that a file can have; as a position it is beyond every end. */
function number64(bytes: Buffer, at: number): number {
  return Number(bytes.readBigUInt64LE(at));
}
