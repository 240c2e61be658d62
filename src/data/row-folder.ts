/**
 * Room: data (level 3). Rows on their way to a file, for data that must be converted before they can be read from disk: in pieces, so
 * that memory holds no more than one of them. The files are this process's own: whoever made the folder removes it, and the end of
 * the process does where nobody did.
 */
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LockstepError } from '../errors.ts';
import type { NumberSink } from './growing.ts';

/** Numbers that are written at a time. */
const blockNumbers = 2 ** 18;

/** Makes a folder when the first file is asked for. */
export class RowFolder {
  #folder: string | undefined;
  #files = 0;
  readonly #atExit = (): void => this.remove();

  /** The path of a file that is not there yet, for rows of the data called `name`. */
  newFile(name: string): string {
    if (this.#folder === undefined) {
      this.#folder = demandRoom(name, tmpdir(), () => mkdtempSync(join(tmpdir(), 'lockstep-rows-')));
      process.once('exit', this.#atExit);
    }
    return join(this.#folder, `rows-${this.#files++}`);
  }

  /** Removes all files; more may follow. */
  remove(): void {
    if (this.#folder === undefined) return;
    process.off('exit', this.#atExit);
    rmSync(this.#folder, { recursive: true, force: true });
    this.#folder = undefined;
  }
}

/** Calls `use` with a folder, which goes with whatever comes of it. */
export async function withRowFolder<T>(use: (folder: RowFolder) => Promise<T>): Promise<T> {
  const folder = new RowFolder();
  try {
    return await use(folder);
  } finally {
    folder.remove();
  }
}

/** Where rows go that are to stay on disk; undefined when they are not. Without a folder of the caller they stay until the process ends. */
export function folderFor(streaming: boolean, folder: RowFolder | undefined): RowFolder | undefined {
  return streaming ? (folder ?? new RowFolder()) : undefined;
}

/** Does what writes to the disk; what the system says against it becomes a LOCKSTEP_FILE. */
export function demandRoom<T>(name: string, path: string, act: () => T): T {
  try {
    return act();
  } catch (cause) {
    throw noRoom(name, path, cause);
  }
}

/** The system would not write the rows of `name` to `path`. */
export function noRoom(name: string, path: string, cause: unknown): LockstepError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  return new LockstepError(
    'LOCKSTEP_FILE',
    `Expected to write the rows of ${name} to \`${path}\`, but the system refused (${code}); free room there, or set TMPDIR to a folder of a disk with more.`,
    { cause },
  );
}

/** Adds bytes to the end of a file. Throws LOCKSTEP_FILE. */
export function appendRows(name: string, path: string, values: Float32Array): void {
  demandRoom(name, path, () => appendFileSync(path, new Uint8Array(values.buffer, values.byteOffset, values.byteLength)));
}

/** Numbers whose count is not known before they are read, as `Growing` has them, but in a file. */
export class Spill implements NumberSink {
  readonly path: string;
  values = new Float32Array(blockNumbers);
  length = 0;
  readonly #name: string;

  constructor(name: string, folder: RowFolder) {
    this.#name = name;
    this.path = folder.newFile(name);
  }

  reserve(count: number): void {
    if (this.length + count <= this.values.length) return;
    this.flush();
    if (count > this.values.length) this.values = new Float32Array(count);
  }

  /** Writes what is in memory still. */
  flush(): void {
    appendRows(this.#name, this.path, this.values.subarray(0, this.length));
    this.length = 0;
  }
}
