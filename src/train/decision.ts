/**
 * Room: train (level 5). The one decision of a step: apply the update, skip it, or end the run. A pure function of numbers
 * that are the same for everybody.
 */
export type Decision = 'apply' | 'skip' | 'halt';

export interface NonFinitePolicy {
  readonly onNonFinite: 'halt' | 'skip';
  readonly haltAfterSkipped: number;
}

/**
 * A step is applied when the loss and the norm of its gradient are finite. Otherwise it is skipped; with the policy `halt`,
 * the `haltAfterSkipped`-th skipped step in a row ends the run. `skippedInARow` counts the steps skipped before this one.
 */
export function decide(loss: number, gradNorm: number, skippedInARow: number, policy: NonFinitePolicy): Decision {
  if (Number.isFinite(loss) && Number.isFinite(gradNorm)) return 'apply';
  return policy.onNonFinite === 'halt' && skippedInARow + 1 >= policy.haltAfterSkipped ? 'halt' : 'skip';
}
