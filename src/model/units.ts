/**
 * Room: model (level 4). Room for clipping unit by unit: what each unit of every trained tensor is multiplied with, and for each rank a block of
 * gradients that were.
 */
import { vectorsOf } from '../layers/penalties.ts';
import type { Address } from '../memory/arena.ts';
import type { MemoryPlan } from '../memory/plan.ts';
import type { Shape } from '../memory/shape.ts';
import { blockLength } from '../numerics/norm.ts';
import type { UnitGrid } from '../optimizers/adaptive-clip.ts';

/** A tensor's units: f64[factors >>> 3] is the first one's factor, f64[sums >>> 3] its square sum of gradients. */
export interface TensorUnits extends UnitGrid {
  readonly factors: Address;
  readonly sums: Address;
}

export interface UnitPlan {
  readonly tensors: readonly TensorUnits[];
  /** By rank: float32, one block. */
  readonly clipped: readonly Address[];
}

/** For tensors of these shapes, in order. */
export function planUnits(memory: MemoryPlan, shapes: readonly Shape[], ranks: number): UnitPlan {
  const grids = shapes.map((shape) => vectorsOf(shape, 0));
  const all = grids.reduce((sum, { count }) => sum + count, 0);
  const first = memory.reserve('gradients', 2 * 8 * all);
  let before = 0;
  const tensors = grids.map(({ count, length }): TensorUnits => {
    const factors = first + 8 * before;
    before += count;
    return { rows: length, columns: count, factors, sums: factors + 8 * all };
  });
  return { tensors, clipped: Array.from({ length: ranks }, () => memory.reserve('gradients', 4 * blockLength)) };
}
