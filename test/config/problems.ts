/** Room: tests of config. The lines of a LOCKSTEP_CONFIG error. */
import { LockstepError } from '../../src/errors.ts';

export function problems(parse: () => unknown): string[] {
  try {
    parse();
  } catch (error) {
    if (error instanceof LockstepError && error.code === 'LOCKSTEP_CONFIG') return error.message.split('\n');
    throw error;
  }
  return [];
}
