/**
 * Room: scripts (level 8). The value of `--minutes`.
 */
import { InvalidArgumentError } from 'commander';

/** Throws what commander tells. */
export function minutes(text: string): number {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || value <= 0) throw new InvalidArgumentError('Expected a number > 0.');
  return value;
}
