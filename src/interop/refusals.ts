/**
 * Room: interop (level 4). How files of other libraries are refused: which rule, what was received, the mend.
 */
import { LockstepError } from '../errors.ts';

/** A LOCKSTEP_FILE about a file that is damaged, or none of the kind it is taken for. */
export function malformed(what: string, expected: string, received: string, mend: string, options?: { cause?: unknown }): LockstepError {
  return new LockstepError('LOCKSTEP_FILE', `Expected ${what} to ${expected}, got ${received}; ${mend}.`, options);
}

/** A LOCKSTEP_CONFIG about something that is whole, but has no counterpart here or there. */
export function unsupported(what: string, expected: string, received: string, mend: string): LockstepError {
  return new LockstepError('LOCKSTEP_CONFIG', `Expected ${what} to ${expected}, got ${received}; ${mend}.`);
}

/** What an error of a library says, on one line. */
export function reasonOf(cause: unknown): string {
  const [first = ''] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
  return first.replace(/[.;:]$/, '');
}

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object that JSON text holds. Throws LOCKSTEP_FILE; `what` names where the text is. */
export function parseObject(text: string, what: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw malformed(what, 'be JSON', `a mistake in it (${reasonOf(cause)})`, 'it is damaged', { cause });
  }
  if (!isObject(value)) throw malformed(what, 'be a JSON object', 'other JSON', 'it is no model');
  return value;
}
