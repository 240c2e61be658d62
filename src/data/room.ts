/**
 * Room: data (level 3). Room for the numbers of a data set before it has a place in an arena: what can never fit one is refused
 * before it fills the machine's memory.
 */
import { LockstepError } from '../errors.ts';
import { arenaLimitBytes } from '../memory/arena.ts';
import { gibibytes } from '../memory/plan.ts';

/** Numbers of float32 that an arena holds. */
export const mostNumbers = arenaLimitBytes / 4;

/** Throws LOCKSTEP_MEMORY when inputs of `bytes` bytes, or at least so many, do not fit an arena. `name` is what messages call the data. */
export function checkFitsArena(name: string, bytes: number): void {
  if (bytes <= arenaLimitBytes) return;
  throw new LockstepError(
    'LOCKSTEP_MEMORY',
    `Expected the rows of ${name} to fit the ${gibibytes(arenaLimitBytes)} of a host's arena, got at least ${gibibytes(bytes)}; set \`limit\` or \`streaming: true\` on the data, or take fewer columns or smaller pictures.`,
  );
}
