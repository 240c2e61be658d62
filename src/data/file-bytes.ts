/**
 * Room: data (level 3). A file that is read piece by piece, so that one larger than a buffer may be is no trouble. It promises
 * exactly the bytes that were asked for, or an error that names the file; it never keeps any.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { demandFile } from '../config/file.ts';
import { LockstepError } from '../errors.ts';

/** What a read of the system takes at most, well under its limit of 2 GiB. */
const mostBytesAtOnce = 2 ** 30;

/** A LOCKSTEP_DATA about a file: the rule, what was received, the mend. */
export function malformed(path: string, expected: string, received: string, mend: string, options?: { cause?: unknown }): LockstepError {
  return new LockstepError('LOCKSTEP_DATA', `Expected \`${path}\` to ${expected}, got ${received}; ${mend}.`, options);
}

/** What an error of a library says, on one line. */
export function reasonOf(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).replaceAll(/\s+/g, ' ').replace(/[.;]$/, '');
}

export class FileBytes {
  readonly path: string;
  /** Bytes of the whole file. */
  readonly size: number;
  readonly #what: string;
  readonly #mend: string | undefined;
  readonly #handle: number;

  /** Throws LOCKSTEP_FILE as `readUserFile` does. */
  constructor(path: string, what: string, mend?: string) {
    this.path = path;
    this.#what = what;
    this.#mend = mend;
    this.#handle = demandFile(path, what, mend, () => openSync(path, 'r'));
    this.size = demandFile(path, what, mend, () => fstatSync(this.#handle).size);
  }

  /** Bytes [position, position + length). Throws LOCKSTEP_DATA when the file has not so many. */
  read(position: number, length: number): Buffer<ArrayBuffer> {
    if (position < 0 || length < 0 || position + length > this.size) throw this.#truncated(position + length, this.size);
    const bytes = Buffer.from(new ArrayBuffer(length));
    for (let done = 0; done < length; ) {
      const want = Math.min(length - done, mostBytesAtOnce);
      const count = demandFile(this.path, this.#what, this.#mend, () => readSync(this.#handle, bytes, done, want, position + done));
      if (count === 0) throw this.#truncated(position + length, position + done);
      done += count;
    }
    return bytes;
  }

  close(): void {
    closeSync(this.#handle);
  }

  #truncated(expected: number, received: number): LockstepError {
    return malformed(this.path, `have at least ${expected} bytes`, `${received}`, 'the file is truncated or damaged: fetch it again');
  }
}

/** As `withFile`, for what takes a while. */
export async function withFileAsync<T>(path: string, what: string, mend: string | undefined, use: (file: FileBytes) => Promise<T>): Promise<T> {
  const file = new FileBytes(path, what, mend);
  try {
    return await use(file);
  } finally {
    file.close();
  }
}

/** Opens, uses and closes a file. */
export function withFile<T>(path: string, what: string, mend: string | undefined, use: (file: FileBytes) => T): T {
  const file = new FileBytes(path, what, mend);
  try {
    return use(file);
  } finally {
    file.close();
  }
}
