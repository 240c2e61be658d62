/**
 * Room: model (level 4). Which trained weights have penalties and constraints.
 */
import type { ResolvedConstraint } from '../config/regularizers.ts';
import type { Penalty } from '../layers/layer.ts';
import { type Vectors, vectorsOf } from '../layers/penalties.ts';
import type { RunPlan } from './plan.ts';

/** What a model asks for; both are empty for most. */
export interface Bounds {
  /** By tensor; undefined without any penalty. */
  readonly penalties: readonly (Penalty | undefined)[] | undefined;
  readonly constraints: readonly { readonly tensor: number; readonly offset: number; readonly vectors: Vectors; readonly constraint: ResolvedConstraint }[];
}

export function boundsOf({ tensors, topology: { weights } }: Pick<RunPlan, 'tensors' | 'topology'>): Bounds {
  const penalties = tensors.map(({ weight }) => weights[weight]!.definition.penalty);
  const constraints = tensors.flatMap(({ weight, offset }, tensor) => {
    const { constraint, shape } = weights[weight]!.definition;
    return constraint ? [{ tensor, offset, constraint, vectors: vectorsOf(shape, 'axis' in constraint && constraint.axis === 1 ? 1 : 0) }] : [];
  });
  return { penalties: penalties.some((penalty) => penalty !== undefined) ? penalties : undefined, constraints };
}
