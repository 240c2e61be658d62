/**
 * Room: cluster (level 7), data. Data sets that a host has fetched before: `<folder>/<sha256 of the data set>/<index>.chunk`, a
 * file a chunk. A chunk counts only when its bytes have the hash that the manifest says, whatever happened to its file; it comes
 * into place by a rename, so that processes that share the folder see whole chunks or none. There is nothing else in the folder to
 * be trusted or to get out of step. The cache never fails a run: what it cannot do it says in a sentence, once, and does no more.
 */
import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LockstepError } from '../../src/errors.ts';
import { type Manifest, shortHash, verifyChunk } from './manifest.ts';

export interface CacheOptions {
  /** The folder of all cached data sets; made when it is missing. */
  readonly folder: string;
  readonly manifest: Manifest;
  /** Told in a sentence what is wrong with the cache; the run goes on. */
  readonly onWarning: (sentence: string) => void;
}

/** The end of the name of a file that is being written. */
const unfinished = '.part';

/** Unfinished files that nobody has touched for this long belong to a process that was killed. */
const abandonedAfterMs = 24 * 60 * 60 * 1000;

/** Opens the part of the cache that is for one data set. Never rejects for what the file system does. */
export async function openCache(options: CacheOptions): Promise<DataCache> {
  const { folder, manifest } = options;
  if (!/^[0-9a-f]{64}$/.test(manifest.sha256)) {
    // It becomes the name of a folder.
    throw new LockstepError('LOCKSTEP_PROTOCOL', 'Expected the hash of a data set to be 64 hex digits, got another text; use the same version of Lockstep everywhere.');
  }
  const cache = new DataCache(join(folder, manifest.sha256), options);
  await cache.prepare();
  return cache;
}

export class DataCache {
  readonly #own: string;
  readonly #options: CacheOptions;
  /** True once something failed that is likely to fail again: from then on nothing is read, written or said. */
  #gaveUp = false;

  /** Use `openCache`. `own` is the folder of this data set. */
  constructor(own: string, options: CacheOptions) {
    this.#own = own;
    this.#options = options;
  }

  /** Makes the folder and removes what killed processes left there. */
  async prepare(): Promise<void> {
    try {
      await mkdir(this.#own, { recursive: true });
      for (const name of await readdir(this.#own)) if (name.endsWith(unfinished)) await removeAbandoned(join(this.#own, name));
    } catch (error) {
      this.#giveUp(error);
    }
  }

  /**
   * Reads chunk `index` into `views`, which together are as long as the chunk. True when it was there and verified; otherwise the
   * views may hold anything. A chunk that is not what it was is told, and written anew by the next `write`.
   */
  async read(index: number, views: readonly Uint8Array[]): Promise<boolean> {
    if (this.#gaveUp) return false;
    const path = this.#path(index);
    let whole: boolean;
    try {
      const file = await open(path);
      try {
        whole = await fill(file, views);
      } finally {
        await file.close();
      }
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') this.#giveUp(error);
      return false;
    }
    if (whole && verifyChunk(this.#options.manifest, index, views)) return true;
    this.#options.onWarning(
      `Expected \`${path}\` to be chunk ${index} of the data set ${shortHash(this.#options.manifest.sha256)}, got other bytes; the chunk is fetched anew.`,
    );
    return false;
  }

  /** Keeps chunk `index`, which the caller has verified. Nothing is copied: the views must not change meanwhile. */
  async write(index: number, views: readonly Uint8Array[]): Promise<void> {
    if (this.#gaveUp) return;
    const path = this.#path(index);
    const part = `${path}.${randomUUID()}${unfinished}`;
    try {
      // No fsync: after a loss of power a chunk may be anything, and then it does not verify.
      await writeFile(part, views, { flag: 'wx' });
      await rename(part, path);
    } catch (error) {
      this.#giveUp(error);
      await rm(part, { force: true }).catch(() => {});
    }
  }

  #path(index: number): string {
    return join(this.#own, `${index}.chunk`);
  }

  #giveUp(error: unknown): void {
    if (this.#gaveUp) return;
    this.#gaveUp = true;
    const { folder, onWarning } = this.#options;
    onWarning(
      `Expected the cache folder \`${folder}\` to be readable and writable, got ${codeOf(error)}; the run goes on without it: free space there or choose another folder.`,
    );
  }
}

/** Reads the file into `views`. False when it is not exactly as long as they are. */
async function fill(file: FileHandle, views: readonly Uint8Array[]): Promise<boolean> {
  const { size } = await file.stat();
  if (size !== views.reduce((sum, view) => sum + view.length, 0)) return false;
  let position = 0;
  for (const view of views) {
    for (let done = 0; done < view.length; ) {
      const { bytesRead } = await file.read(view, done, view.length - done, position);
      if (bytesRead === 0) return false;
      done += bytesRead;
      position += bytesRead;
    }
  }
  return true;
}

/** Does what it can: the file may belong to another process or user, or be gone already. */
async function removeAbandoned(path: string): Promise<void> {
  try {
    const { mtimeMs } = await stat(path);
    if (Date.now() - mtimeMs > abandonedAfterMs) await rm(path, { force: true });
  } catch {
    // It takes room and does no harm.
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
