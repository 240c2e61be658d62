/**
 * Room: optimizers (level 3). What an optimizer needs room for beside the parameters.
 */
import { optimizerDefaults } from '../config/defaults.ts';
import type { OptimizerConfig } from '../config/optimizers.ts';
import { slotsOf } from './rule.ts';

/** Plain data: part of what a plan is made from. */
export interface OptimizerRoom {
  /** Vectors as long as the parameters that the optimizer keeps. */
  readonly optimizerSlots: number;
  /** True when gradients are clipped unit by unit. */
  readonly clipUnits?: boolean;
  /** Of how many updates the norm of the gradient is remembered; absent: of none. */
  readonly clipHistory?: number;
}

export function roomOf(optimizer: OptimizerConfig): OptimizerRoom {
  const { adaptiveClip, clipPercentile, clipHistory = optimizerDefaults.clipHistory } = optimizer;
  return { optimizerSlots: slotsOf(optimizer).length, ...(adaptiveClip && { clipUnits: true }), ...(clipPercentile && { clipHistory }) };
}
