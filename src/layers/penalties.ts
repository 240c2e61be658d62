/**
 * Room: layers (level 3). Penalties on weights and outputs: l1 sum |w| + l2 sum w^2 and its gradient l1 sign(w) + 2 l2 w; and bounds that weights are brought
 * back into. Source: Keras' regularizers and constraints.
 */
import type { ConstraintConfig, RegularizerConfig, ResolvedConstraint } from '../config/regularizers.ts';
import { resolveConstraint, resolveRegularizer } from '../config/resolve.ts';
import type { Shape } from '../memory/shape.ts';
import type { LayerDefinition, Penalty, WeightDefinition } from './layer.ts';

/** What regularizer and constraint of a config come to, for a weight's definition. */
export function bounded(regularizer: RegularizerConfig | undefined, constraint: ConstraintConfig | undefined): Pick<WeightDefinition, 'penalty' | 'constraint'> {
  return { ...(regularizer && { penalty: resolveRegularizer(regularizer) }), ...(constraint && { constraint: resolveConstraint(constraint) }) };
}

/** The same for a layer whose outputs are penalized. */
export function activityPenalty(regularizer: RegularizerConfig | undefined): Pick<LayerDefinition, 'activityPenalty'> {
  return regularizer ? { activityPenalty: resolveRegularizer(regularizer) } : {};
}

/** The penalty on `count` weights from index `at` on: float64 sums in index order. */
export function penaltyOf(f32: Float32Array, at: number, count: number, { l1, l2 }: Penalty): number {
  let [sum, squares] = [0, 0];
  for (let i = at; i < at + count; i++) {
    const w = f32[i]!;
    sum += w < 0 ? -w : w;
    squares += w * w;
  }
  return l1 * sum + l2 * squares;
}

/** Adds `scale` times the penalty's gradient at `count` numbers from index `w` on to the gradient from index `g` on. */
export function addPenaltyGradient(f32: Float32Array, w: number, g: number, count: number, { l1, l2 }: Penalty, scale = 1): void {
  for (let i = 0; i < count; i++) {
    const value = f32[w + i]!;
    const sign = value > 0 ? l1 : value < 0 ? -l1 : 0;
    f32[g + i] = f32[g + i]! + scale * (sign + 2 * l2 * value);
  }
}

/** The vectors of a weight whose norms a constraint looks at: `count` of them, `length` numbers each. */
export interface Vectors {
  readonly count: number;
  readonly length: number;
  /** From one vector to the next, and from one number of a vector to the next. */
  readonly step: number;
  readonly stride: number;
}

/** Of a weight of `shape`; its dimensions after the first count as one. */
export function vectorsOf(shape: Shape, axis: 0 | 1): Vectors {
  const rows = shape[0] ?? 1;
  const columns = shape.slice(1).reduce((product, dimension) => product * dimension, 1);
  return axis === 0 ? { count: columns, length: rows, step: 1, stride: columns } : { count: rows, length: columns, step: columns, stride: 1 };
}

/** What Keras adds to norms before it divides by them. */
const epsilon = 1e-7;

/** Brings the vectors [from, to) of the weight at index `at` back into their bounds. */
export function constrainVectors(f32: Float32Array, at: number, { length, step, stride }: Vectors, from: number, to: number, constraint: ResolvedConstraint): void {
  for (let vector = from; vector < to; vector++) {
    const start = at + vector * step;
    const end = start + length * stride;
    if (constraint.type === 'nonNeg') {
      for (let i = start; i < end; i += stride) if (f32[i]! < 0) f32[i] = 0;
      continue;
    }
    let squares = 0;
    for (let i = start; i < end; i += stride) squares += f32[i]! * f32[i]!;
    const norm = Math.sqrt(squares);
    const factor = wanted(norm, constraint) / (epsilon + norm);
    for (let i = start; i < end; i += stride) f32[i] = f32[i]! * factor;
  }
}

function wanted(norm: number, constraint: Exclude<ResolvedConstraint, { type: 'nonNeg' }>): number {
  if (constraint.type === 'unitNorm') return 1;
  if (constraint.type === 'maxNorm') return Math.min(norm, constraint.maxValue);
  const { minValue, maxValue, rate } = constraint;
  return rate * Math.min(Math.max(norm, minValue), maxValue) + (1 - rate) * norm;
}
