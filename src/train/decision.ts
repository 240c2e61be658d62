/**
 * Room: train (level 5). The one decision of a step: apply the update, skip it, or end the run. A pure function of numbers
 * that are the same for everybody.
 */

/** What was decided; written anew by every `decide`. */
export const decision = { apply: true, halt: false };

export interface NonFinitePolicy {
  readonly onNonFinite: 'halt' | 'skip';
  readonly haltAfterSkipped: number;
}

/**
 * A step is applied when the loss and the norm of its gradient are finite. Otherwise it is skipped; with `halt`, the
 * `haltAfterSkipped`-th skipped step in a row ends the run. `skippedInARow` counts the steps skipped before this one.
 */
export function decide(loss: number, gradNorm: number, skippedInARow: number, policy: NonFinitePolicy): void {
  decision.apply = Number.isFinite(loss) && Number.isFinite(gradNorm);
  decision.halt = !decision.apply && policy.onNonFinite === 'halt' && skippedInARow + 1 >= policy.haltAfterSkipped;
}
