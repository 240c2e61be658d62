/**
 * Room: local (level 6). The weights of the best epoch so far, kept in memory for the end of the run and in the run directory for a process that goes
 * on with it. The two newest files stay: the run may go on from before the epoch that the newest one is of.
 */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readSafetensors, writeSafetensors } from '../checkpoint/safetensors.ts';
import { isLockstepError } from '../errors.ts';
import type { Weights } from '../model/weights.ts';
import type { OpenedDirectory } from './checkpoint-options.ts';

const kept = 2;
const pattern = /^best-weights-\d{6,}\.safetensors$/;

function fileOf(epoch: number): string {
  return `best-weights-${String(epoch).padStart(6, '0')}.safetensors`;
}

/** Never ends the run: a system that refuses is told. */
export async function saveBest({ path }: OpenedDirectory, epoch: number, weights: Weights, onNews: (sentence: string) => void): Promise<void> {
  try {
    await writeSafetensors(join(path, fileOf(epoch)), weights, { format: 'lockstep', epoch: String(epoch) });
    const files = readdirSync(path).filter((name) => pattern.test(name));
    for (const name of files.toSorted().slice(0, -kept)) rmSync(join(path, name));
  } catch (error) {
    onNews(`the best weights so far, of epoch ${epoch + 1}, could not be written: ${(error as Error).message}`);
  }
}

/** Those of an epoch, if they are there. */
export function loadBest({ path }: OpenedDirectory, epoch: number): Weights | undefined {
  try {
    return [...readSafetensors(join(path, fileOf(epoch)))].map(([name, tensor]) => ({ name, ...tensor }));
  } catch (error) {
    if (isLockstepError(error)) return undefined;
    throw error;
  }
}
