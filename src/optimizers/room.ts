/**
 * Room: optimizers (level 3). What an optimizer needs room for beside the parameters.
 */
import type { OptimizerConfig } from '../config/optimizers.ts';
import { slotsOf } from './rule.ts';

/** Plain data: part of what a plan is made from. */
export interface OptimizerRoom {
  /** Vectors as long as the parameters that the optimizer keeps. */
  readonly optimizerSlots: number;
  /** True when gradients are clipped unit by unit. */
  readonly clipUnits?: boolean;
}

export function roomOf(optimizer: OptimizerConfig): OptimizerRoom {
  return { optimizerSlots: slotsOf(optimizer).length, ...(optimizer.adaptiveClip && { clipUnits: true }) };
}
