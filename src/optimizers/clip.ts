/**
 * Room: optimizers (level 3). Clipping as a link in front of every update rule: from square sums of the global mean gradient
 * to what each gradient is multiplied with and limited to. It happens once a step, from numbers that are the same for
 * everybody. No epsilon: a gradient at or under the threshold is multiplied by exactly 1. Clipping unit by unit is in
 * adaptive-clip.ts, by a percentile of norms in percentile-clip.ts.
 *
 *   clipvalue:       g' = min(max(g, -limit), limit), elementwise
 *   clipnorm:        g' = g * min(1, clipnorm / norm(g)), tensor by tensor
 *   globalClipnorm:  g' = g * min(1, globalClipnorm / norm of all gradients)
 *
 * Source: Keras' optimizers; Pascanu, Mikolov and Bengio (2013).
 */
import type { OptimizerConfig } from '../config/optimizers.ts';
import type { Blocks } from '../numerics/norm.ts';

/** What a step's clip came to. Made once and written anew each step. */
export interface ClipOutcome {
  /** The norm of the whole gradient before clipping. */
  gradNorm: number;
  /** The factor of the whole gradient; with `clipnorm` the smallest of the tensors', with `adaptiveClip`, from the update on, of the units'; 1 when nothing was clipped. */
  clipScale: number;
  /** The factor of each tensor. */
  readonly tensorScale: Float64Array;
  /** The elementwise limit, Infinity for none. */
  readonly limit: number;
}

/** How a gradient is clipped: at most one of the three is set. */
export type ClipConfig = Pick<OptimizerConfig, 'clipvalue' | 'clipnorm' | 'globalClipnorm'>;

export function clipOutcome(config: ClipConfig, tensors: number): ClipOutcome {
  return { gradNorm: 0, clipScale: 1, tensorScale: new Float64Array(tensors).fill(1), limit: config.clipvalue || Infinity };
}

function scaleFor(threshold: number, norm: number): number {
  return norm > threshold ? threshold / norm : 1;
}

/** Fills `outcome` from the blocks' square sums: `squareSums[first + i]` is block i's. */
export function clip(outcome: ClipOutcome, config: ClipConfig, blocks: Blocks, squareSums: Float64Array, first: number): void {
  let total = 0;
  for (let i = 0; i < blocks.count; i++) total += squareSums[first + i]!;
  outcome.gradNorm = Math.sqrt(total);
  outcome.clipScale = 1;
  if (config.globalClipnorm) {
    outcome.clipScale = scaleFor(config.globalClipnorm, outcome.gradNorm);
    outcome.tensorScale.fill(outcome.clipScale);
  } else if (config.clipnorm) {
    let block = 0;
    for (let t = 0; t < outcome.tensorScale.length; t++) {
      let sum = 0;
      while (block < blocks.count && blocks.tensor[block] === t) sum += squareSums[first + block++]!;
      const scale = scaleFor(config.clipnorm, Math.sqrt(sum));
      outcome.tensorScale[t] = scale;
      if (scale < outcome.clipScale) outcome.clipScale = scale;
    }
  }
}
