/**
 * Room: optimizers (level 3). Clipping by a percentile of recent norms: the threshold of a step is that percentile of the norms of the gradients of the last
 * `clipHistory` updates, the step's own included,
 *
 *   g' = g * min(1, threshold / norm of all gradients)
 *
 * Source: Seetharaman, Wichern, Pardo and Le Roux (2020), "AutoClip: Adaptive Gradient Clipping for Source Separation Networks", who remember all norms.
 * The norms are the state of a run (model/standing.ts): the one of update u, from 1, stands at place (u - 1) % clipHistory. A step that is judged twice
 * counts once, as its own norm takes the place that it will have, whatever stands there.
 */
import { percentile } from '../numerics/percentile.ts';
import type { ClipOutcome } from './clip.ts';

export class PercentileClip {
  readonly #percent: number;
  /** Room for norms out of their order. */
  readonly #norms: Float64Array;

  constructor(percent: number, history: number) {
    this.#percent = percent;
    this.#norms = new Float64Array(history);
  }

  /** Sets the factors of a step after `updates` updates, whose norm `outcome` has already. The norms of those before are from f64[first] on. */
  clip(outcome: ClipOutcome, f64: Float64Array, first: number, updates: number): void {
    const norms = this.#norms;
    const { gradNorm } = outcome;
    outcome.clipScale = 1;
    // A step that is not finite is skipped, and will be none of them.
    if (Number.isFinite(gradNorm)) {
      const count = Math.min(updates + 1, norms.length);
      for (let i = 0; i < count; i++) norms[i] = f64[first + i]!;
      norms[updates % norms.length] = gradNorm;
      const threshold = percentile(norms, count, this.#percent);
      if (gradNorm > threshold) outcome.clipScale = threshold / gradNorm;
    }
    outcome.tensorScale.fill(outcome.clipScale);
  }
}
