/**
 * Room: train (level 5). Which tensors of a run are clipped unit by unit, and where a rank has what that needs (train/units.ts).
 */
import type { OptimizerConfig } from '../config/optimizers.ts';
import { LockstepError } from '../errors.ts';
import type { Address } from '../memory/arena.ts';
import type { RunPlan } from '../model/plan.ts';
import { trainedNames } from '../model/topology.ts';
import type { TensorUnits } from '../model/units.ts';
import { adaptivelyClipped } from '../optimizers/selection.ts';

export interface UnitClip {
  /** By tensor; undefined for those that are left alone. */
  readonly tensors: readonly (TensorUnits | undefined)[];
  /** By tensor: the smallest factor of the step. */
  readonly smallest: Float64Array;
  /** This rank's block of gradients that were clipped. */
  readonly clipped: Address;
}

export function unitClip({ units, topology }: RunPlan, optimizer: OptimizerConfig, rank: number): UnitClip | undefined {
  if (!units) {
    // A gradient that is not clipped although it was asked for would be told by no number.
    if (!optimizer.adaptiveClip) return undefined;
    throw new LockstepError('LOCKSTEP_INTERNAL', 'Expected a plan with room for units as the optimizer has `adaptiveClip`, got one without; report it.');
  }
  const isClipped = adaptivelyClipped(optimizer, trainedNames(topology));
  return {
    tensors: units.tensors.map((tensor, t) => (isClipped[t] ? tensor : undefined)),
    smallest: new Float64Array(units.tensors.length).fill(1),
    clipped: units.clipped[rank]!,
  };
}
