/**
 * Room: model (level 4). The weights that come of a training: those of the arena, or their moving averages where the optimizer keeps them.
 * The state itself goes on with the weights that were trained.
 */
import type { OptimizerConfig } from '../config/optimizers.ts';
import type { Arena } from '../memory/arena.ts';
import { averageSlotOf } from '../optimizers/rule.ts';
import type { RunPlan } from './plan.ts';
import { readStanding } from './standing.ts';
import { loadWeights, type Weights } from './weights.ts';

/** Only while no rank is in a step. Before the first update there is no average. */
export function resultingWeights(plan: RunPlan, arena: Arena, optimizer: OptimizerConfig): Weights {
  const { topology, weights, tensors, optimizerSlots } = plan;
  const slot = averageSlotOf(optimizer);
  const places = [...weights];
  if (slot !== -1 && readStanding(arena, plan).updates > 0) for (const { weight, offset } of tensors) places[weight] = optimizerSlots[slot]! + offset;
  return loadWeights(topology, places, arena);
}
