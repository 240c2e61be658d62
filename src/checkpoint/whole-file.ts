/**
 * Room: checkpoint (level 3). Files that are there whole or not at all: written through a temporary file beside them, synced and renamed,
 * so that readers see the old file or the new one.
 */
import { closeSync, openSync, rmSync, statSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { LockstepError } from '../errors.ts';

let written = 0;

function temporaryBeside(path: string): string {
  return `${path}.${process.pid}-${written++}.tmp`;
}

function unwritable(path: string, what: string, cause: unknown): LockstepError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  const message = `Expected to write ${what} \`${path}\`, but the system refused (${code}); check that its folder exists and can be written.`;
  return new LockstepError('LOCKSTEP_FILE', message, { cause });
}

/** Throws now the LOCKSTEP_FILE that `writeWhole(path)` would throw later. Leaves nothing behind. */
export function checkPlace(path: string, what: string): void {
  const temporary = temporaryBeside(path);
  try {
    closeSync(openSync(temporary, 'w'));
    rmSync(temporary);
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw Object.assign(new Error('a folder has this name'), { code: 'EISDIR' });
  } catch (cause) {
    throw unwritable(path, what, cause);
  }
}

/** Writes `bytes` to `path`; `what` names the file in messages: "the weights file". Throws LOCKSTEP_FILE when the system refuses. */
export async function writeWhole(path: string, bytes: Uint8Array, what: string): Promise<void> {
  const temporary = temporaryBeside(path);
  try {
    const file = await open(temporary, 'w');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw unwritable(path, what, cause);
  }
}
