/**
 * Room: kernels (level 2). What the optimizers' updates mean, in plain TypeScript: float32, rounded after every operation
 * in the order the formulas are written, so a fast kernel can be compared bit for bit. Scalars are rounded to float32
 * first; only 1 - beta is taken from the float64 beta and rounded once, so that it agrees with the bias corrections.
 */
import type { Arena } from '../../memory/arena.ts';
import type { Kernels } from '../contract.ts';

const f = Math.fround;

/** g' = clamp(g * scale, -limit, limit); a NaN stays a NaN. */
function clippedGradient(g: number, scale: number, limit: number): number {
  return Math.max(Math.min(f(g * scale), limit), -limit);
}

/** The updates of the optimizers, over `arena`. */
export function optimizersReference(arena: Arena): Pick<Kernels, 'sgd' | 'adam'> {
  const { f32 } = arena;

  return {
    sgd(w, v, g, count, gradScale, gradLimit, learningRate, momentum, nesterov) {
      const [scale, limit, lr, inertia] = [f(gradScale), f(gradLimit), f(learningRate), f(momentum)];
      for (let i = 0; i < count; i++) {
        const step = f(lr * clippedGradient(f32[(g >>> 2) + i]!, scale, limit));
        const weight = f32[(w >>> 2) + i]!;
        if (inertia === 0) {
          f32[(w >>> 2) + i] = f(weight - step);
        } else {
          const velocity = f(f(inertia * f32[(v >>> 2) + i]!) - step);
          f32[(v >>> 2) + i] = velocity;
          f32[(w >>> 2) + i] = f(weight + (nesterov ? f(f(inertia * velocity) - step) : velocity));
        }
      }
    },

    adam(w, m, v, g, count, gradScale, gradLimit, learningRate, beta1, beta2, correction1, correction2, epsilon, decay) {
      const [scale, limit, lr, shrink] = [f(gradScale), f(gradLimit), f(learningRate), f(f(learningRate) * f(decay))];
      const [keep1, take1, unbias1] = [f(beta1), f(1 - beta1), f(correction1)];
      const [keep2, take2, unbias2] = [f(beta2), f(1 - beta2), f(correction2)];
      const floor = f(epsilon);
      for (let i = 0; i < count; i++) {
        const slope = clippedGradient(f32[(g >>> 2) + i]!, scale, limit);
        let weight = f32[(w >>> 2) + i]!;
        if (decay > 0) weight = f(weight - f(shrink * weight));
        const first = f(f(keep1 * f32[(m >>> 2) + i]!) + f(take1 * slope));
        const second = f(f(keep2 * f32[(v >>> 2) + i]!) + f(take2 * f(slope * slope)));
        const spread = f(f(Math.sqrt(f(second / unbias2))) + floor);
        f32[(m >>> 2) + i] = first;
        f32[(v >>> 2) + i] = second;
        f32[(w >>> 2) + i] = f(weight - f(f(lr * f(first / unbias1)) / spread));
      }
    },
  };
}
