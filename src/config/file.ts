/**
 * Room: config (level 1). Files that the user named: reading them, with a sentence when that fails, and the config file
 * itself. It never guesses another path than the one it was given.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { LockstepError } from '../errors.ts';
import { type DataConfig, withPaths } from './data.ts';
import { jsonMistake } from './json.ts';
import { parseRunConfig } from './parse.ts';
import type { RunConfig } from './run.ts';

/**
 * All bytes of a file. Throws LOCKSTEP_FILE naming the path: `what` is what the file should be ("the weights file"),
 * `mend` what to do when it is missing.
 */
export function readUserFile(path: string, what: string, mend?: string): Buffer {
  return demandFile(path, what, mend, () => readFileSync(path));
}

/** Does what needs a file of the user; what the system says against it becomes a LOCKSTEP_FILE as in `readUserFile`. */
export function demandFile<T>(path: string, what: string, mend: string | undefined, act: () => T): T {
  try {
    return act();
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    const reason = code === 'ENOENT' || code === 'ENOTDIR' ? 'but there is none' : `but it cannot be read (${code})`;
    throw new LockstepError('LOCKSTEP_FILE', `Expected ${what} at \`${path}\`, ${reason}; ${mend ?? 'check the path'}.`, { cause });
  }
}

/** Reads and checks a config file (JSON). Relative paths of its data are taken from the folder of the file. */
export function readRunConfig(path: string): RunConfig {
  return runConfigOf(readConfigValue(path), path);
}

/** The value that a config file (JSON) holds, before any check. */
export function readConfigValue(path: string): unknown {
  const text = readUserFile(path, 'a config file')
    .toString('utf8')
    .replace(/^\uFEFF/, '');
  try {
    return JSON.parse(text);
  } catch (cause) {
    const { line, column, expected } = jsonMistake(text);
    const message = `Expected the config file \`${path}\` to be JSON, got a mistake at line ${line}, column ${column}: ${expected} belongs there.`;
    throw new LockstepError('LOCKSTEP_CONFIG', message, { cause });
  }
}

/** Checks the value of the config file at `path`, or what was made of it, and takes relative paths of its data from that folder. */
export function runConfigOf(value: unknown, path: string): RunConfig {
  const run = parseRunConfig(value);
  const folder = dirname(resolve(path));
  const { train, validation } = run.data;
  const data = { train: atFolder(train, folder), ...(validation && { validation: atFolder(validation, folder) }) };
  return { ...run, data };
}

function atFolder(data: DataConfig, folder: string): DataConfig {
  if ('format' in data) return withPaths(data, (path) => resolve(folder, path));
  return data.folder === undefined ? data : { ...data, folder: resolve(folder, data.folder) };
}
