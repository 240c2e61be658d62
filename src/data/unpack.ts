/**
 * Room: data (level 3). Packed files as files of their own, and checksums of what is not packed: piece by piece, whatever their size.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32, createGunzip, createInflateRaw } from 'node:zlib';
import type { FileBytes } from './file-bytes.ts';
import { noRoom } from './row-folder.ts';

/** Part of a file: bytes [start, start + length); all when absent. */
export interface Packed {
  readonly path: string;
  readonly start?: number;
  readonly length?: number;
}

interface Unpacked {
  readonly bytes: number;
  readonly crc: number;
}

/** Read at a time. */
const pieceBytes = 2 ** 22;

/**
 * Unpacks to the file `to`. Whatever the packed bytes are wrong with is what `broken` makes an error of; rows of `name` that the disk
 * has no room for end in LOCKSTEP_FILE.
 */
export async function unpackTo(
  name: string,
  { path, start = 0, length }: Packed,
  method: 'gzip' | 'deflate',
  to: string,
  broken: (cause: unknown) => Error,
): Promise<Unpacked> {
  let bytes = 0;
  let crc = 0;
  const counter = new Transform({
    transform(piece: Buffer, _, done) {
      bytes += piece.length;
      crc = crc32(piece, crc);
      done(null, piece);
    },
  });
  const part = length === undefined ? { start } : { start, end: start + length - 1 };
  try {
    await pipeline(createReadStream(path, part), method === 'gzip' ? createGunzip() : createInflateRaw(), counter, createWriteStream(to));
  } catch (cause) {
    if (isOfWriting(cause, to)) throw noRoom(name, to, cause);
    throw broken(cause);
  }
  return { bytes, crc };
}

/** Whether the system would not open `to` for writing, or would not write: by what it says, as some versions of Node end all streams of a pipeline with the same error. */
function isOfWriting(cause: unknown, to: string): boolean {
  const { syscall, path } = (cause ?? {}) as { readonly syscall?: string; readonly path?: string };
  return syscall !== undefined && (path === to || syscall === 'write');
}

/** The checksum of bytes [start, start + length) of a file. */
export function crcOf(file: FileBytes, start: number, length: number): number {
  let crc = 0;
  for (let done = 0; done < length; done += pieceBytes) crc = crc32(file.read(start + done, Math.min(pieceBytes, length - done)), crc);
  return crc;
}
