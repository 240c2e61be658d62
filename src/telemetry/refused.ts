/**
 * Room: telemetry (level 2). What is said when the system refuses to let a run write down what it tells: one sentence for logs, event files
 * and traces, all under LOCKSTEP_FILE.
 */
import { accessSync, constants, existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { LockstepError } from '../errors.ts';

export const openMend = 'check that its folder exists and can be written';

/** `what` is what was to be written: `the log`. `cause` is the system's error, or words for it. */
export function refused(what: string, path: string, cause: unknown, mend: string): LockstepError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  return new LockstepError('LOCKSTEP_FILE', `Expected to write ${what} \`${path}\`, but the system refused (${code}); ${mend}.`, { cause });
}

/** Makes sure, as far as that can be seen without touching the file, that it can be opened there. Throws LOCKSTEP_FILE as opening it does. */
export function checkWritable(what: string, path: string): void {
  try {
    accessSync(existsSync(path) ? path : dirname(path), constants.W_OK);
  } catch (cause) {
    throw refused(what, path, cause, openMend);
  }
}
