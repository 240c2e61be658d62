/**
 * Room: train (level 5). Clipping unit by unit, after the verdict and before anything changes: each rank measures its share of the units of every
 * tensor over the whole global gradient, then all meet. A unit's numbers lie in blocks of several ranks, so whoever measures it adds all of them itself, row
 * by row. The gradient stays as it is: a block is clipped on its way into the update, and factors stay in the arena until the next step. Ranks that finish
 * a step which others began (train/complete.ts), when weights have changed already, have the same numbers.
 */
import type { Address } from '../memory/arena.ts';
import { measureUnits, scaleByUnit } from '../optimizers/adaptive-clip.ts';
import type { Rank } from './rank.ts';

/** Between the verdict and the first look at a clipped gradient. `isBegun` says that ranks before these have met already. */
export function settleUnits(rank: Rank, isBegun: boolean): void {
  const { runtime, spec, units, clip, frozen, meeting, arena } = rank;
  if (!units) return;
  const { plan, context } = runtime;
  if (!isBegun) {
    for (let t = 0; t < units.tensors.length; t++) {
      const tensor = units.tensors[t];
      // Nobody made a gradient of what is frozen.
      if (!tensor || frozen[t] === 1) continue;
      const from = Math.floor((tensor.columns * context.rank) / context.ranks);
      const to = Math.floor((tensor.columns * (context.rank + 1)) / context.ranks);
      const { offset } = plan.tensors[t]!;
      const w = (plan.parameters + offset) >>> 2;
      const g = (plan.gradients.global + offset) >>> 2;
      measureUnits(arena, spec.optimizer, tensor, from, to, w, g, tensor.factors >>> 3, tensor.sums >>> 3);
    }
    meeting.meet();
  }
  for (let t = 0; t < units.tensors.length; t++) {
    const tensor = units.tensors[t];
    let smallest = 1;
    if (tensor && frozen[t] !== 1) {
      const first = tensor.factors >>> 3;
      for (let unit = first; unit < first + tensor.columns; unit++) if (arena.f64[unit]! < smallest) smallest = arena.f64[unit]!;
    }
    units.smallest[t] = smallest;
    if (smallest < clip.clipScale) clip.clipScale = smallest;
  }
}

/** Where the update of a block reads its gradient, which is `gradient` if no unit of its tensor was clipped. Valid until the next call. */
export function clippedGradient({ runtime: { plan }, units, arena }: Rank, block: number, gradient: Address): Address {
  const t = plan.blocks.tensor[block]!;
  const tensor = units?.tensors[t];
  if (!units || !tensor || units.smallest[t] === 1) return gradient;
  scaleByUnit(arena, tensor, plan.blocks.start[block]!, plan.blocks.length[block]!, gradient >>> 2, tensor.factors >>> 3, units.clipped >>> 2);
  return units.clipped;
}
