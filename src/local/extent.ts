/**
 * Room: local (level 6). How long a run is.
 */
import { runDefaults } from '../config/defaults.ts';
import type { RunSettings } from '../config/run.ts';
import { stepsPerEpoch } from '../data/sampler.ts';
import { LockstepError } from '../errors.ts';

/** Steps are counted in int32 words of the arena. */
const mostSteps = 2 ** 31 - 1;

/** Of a run over `rows` rows. Throws LOCKSTEP_CONFIG when an epoch has no step, or there are more than can be counted. */
export function extentOf(
  { batchSize, dropRemainder, epochs, steps: limit }: Pick<RunSettings, 'batchSize' | 'dropRemainder' | 'epochs' | 'steps'>,
  rows: number,
): { readonly perEpoch: number; readonly steps: number } {
  const perEpoch = stepsPerEpoch(rows, batchSize, dropRemainder);
  if (perEpoch === 0) {
    throw new LockstepError(
      'LOCKSTEP_CONFIG',
      `Expected at least one full batch of ${batchSize} rows with dropRemainder, got ${rows} rows; use a smaller batchSize or keep the remainder.`,
    );
  }
  const ofEpochs = (epochs ?? (limit === undefined ? runDefaults.epochs : Number.POSITIVE_INFINITY)) * perEpoch;
  const steps = Math.min(limit ?? Number.POSITIVE_INFINITY, ofEpochs);
  if (steps > mostSteps) throw new LockstepError('LOCKSTEP_CONFIG', `Expected at most ${mostSteps} steps in a run, got ${steps}; use fewer epochs.`);
  return { perEpoch, steps };
}
