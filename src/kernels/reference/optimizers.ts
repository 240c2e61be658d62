/**
 * Room: kernels (level 2). What the optimizers' updates mean, in plain TypeScript: float32, rounded after every operation
 * in the order the formulas are written, so a fast kernel can be compared bit for bit. Scalars are rounded to float32
 * first; only 1 - beta is taken from the float64 beta and rounded once, so that it agrees with the bias corrections.
 */
import type { Arena } from '../../memory/arena.ts';
import type { UpdateKernels } from '../updates.ts';

const f = Math.fround;

/** g' = clamp(g * scale, -limit, limit); a NaN stays a NaN. */
function clippedGradient(g: number, scale: number, limit: number): number {
  return Math.max(Math.min(f(g * scale), limit), -limit);
}

/** The sum of the squares of `count` numbers by four lanes: number i goes to lane i % 4. */
function squares(count: number, numberAt: (i: number) => number): number {
  const lanes: [number, number, number, number] = [0, 0, 0, 0];
  for (let i = 0; i < count; i++) {
    const value = numberAt(i);
    lanes[i % 4]! += value * value;
  }
  return lanes[0] + lanes[1] + (lanes[2] + lanes[3]);
}

/** The updates of the optimizers, over `arena`. */
export function optimizersReference(arena: Arena): UpdateKernels {
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

    adam(w, m, v, g, count, gradScale, gradLimit, learningRate, beta1, beta2, correction1, correction2, epsilon) {
      const [scale, limit, lr] = [f(gradScale), f(gradLimit), f(learningRate)];
      const [keep1, take1, unbias1] = [f(beta1), f(1 - beta1), f(correction1)];
      const [keep2, take2, unbias2] = [f(beta2), f(1 - beta2), f(correction2)];
      const floor = f(epsilon);
      for (let i = 0; i < count; i++) {
        const slope = clippedGradient(f32[(g >>> 2) + i]!, scale, limit);
        const first = f(f(keep1 * f32[(m >>> 2) + i]!) + f(take1 * slope));
        const second = f(f(keep2 * f32[(v >>> 2) + i]!) + f(take2 * f(slope * slope)));
        const spread = f(f(Math.sqrt(f(second / unbias2))) + floor);
        f32[(m >>> 2) + i] = first;
        f32[(v >>> 2) + i] = second;
        f32[(w >>> 2) + i] = f(f32[(w >>> 2) + i]! - f(f(lr * f(first / unbias1)) / spread));
      }
    },

    decay(w, count, share) {
      const part = f(share);
      for (let i = 0; i < count; i++) f32[(w >>> 2) + i] = f(f32[(w >>> 2) + i]! - f(part * f32[(w >>> 2) + i]!));
    },

    movingAverage(average, x, count, keep) {
      const [kept, taken] = [f(keep), f(1 - keep)];
      for (let i = 0; i < count; i++) f32[(average >>> 2) + i] = f(f(kept * f32[(average >>> 2) + i]!) + f(taken * f32[(x >>> 2) + i]!));
    },

    rmsprop(w, v, a, m, g, count, gradScale, gradLimit, learningRate, keep, take, momentum, epsilon) {
      const [scale, limit, lr, keeps, takes, inertia, floor] = [f(gradScale), f(gradLimit), f(learningRate), f(keep), f(take), f(momentum), f(epsilon)];
      for (let i = 0; i < count; i++) {
        const slope = clippedGradient(f32[(g >>> 2) + i]!, scale, limit);
        const second = f(f(keeps * f32[(v >>> 2) + i]!) + f(takes * f(slope * slope)));
        f32[(v >>> 2) + i] = second;
        let spread = second;
        if (a !== 0) {
          const mean = f(f(keeps * f32[(a >>> 2) + i]!) + f(takes * slope));
          f32[(a >>> 2) + i] = mean;
          spread = Math.max(f(second - f(mean * mean)), 0);
        }
        let step = f(f(lr * slope) / f(Math.sqrt(f(spread + floor))));
        if (inertia !== 0) {
          step = f(f(inertia * f32[(m >>> 2) + i]!) + step);
          f32[(m >>> 2) + i] = step;
        }
        f32[(w >>> 2) + i] = f(f32[(w >>> 2) + i]! - step);
      }
    },

    adadelta(w, a, d, g, count, gradScale, gradLimit, learningRate, rho, epsilon) {
      const [scale, limit, lr, keep, take, floor] = [f(gradScale), f(gradLimit), f(learningRate), f(rho), f(1 - rho), f(epsilon)];
      for (let i = 0; i < count; i++) {
        const slope = clippedGradient(f32[(g >>> 2) + i]!, scale, limit);
        const second = f(f(keep * f32[(a >>> 2) + i]!) + f(take * f(slope * slope)));
        const before = f32[(d >>> 2) + i]!;
        const step = f(f(f(Math.sqrt(f(before + floor))) * slope) / f(Math.sqrt(f(second + floor))));
        f32[(a >>> 2) + i] = second;
        f32[(d >>> 2) + i] = f(f(keep * before) + f(take * f(step * step)));
        f32[(w >>> 2) + i] = f(f32[(w >>> 2) + i]! - f(lr * step));
      }
    },

    adamax(w, m, u, g, count, gradScale, gradLimit, learningRate, beta1, beta2, epsilon) {
      const [scale, limit, lr, floor] = [f(gradScale), f(gradLimit), f(learningRate), f(epsilon)];
      const [keep1, take1, keep2] = [f(beta1), f(1 - beta1), f(beta2)];
      for (let i = 0; i < count; i++) {
        const slope = clippedGradient(f32[(g >>> 2) + i]!, scale, limit);
        const first = f(f(keep1 * f32[(m >>> 2) + i]!) + f(take1 * slope));
        const largest = Math.max(f(keep2 * f32[(u >>> 2) + i]!), Math.abs(slope));
        f32[(m >>> 2) + i] = first;
        f32[(u >>> 2) + i] = largest;
        f32[(w >>> 2) + i] = f(f32[(w >>> 2) + i]! - f(f(lr * first) / f(largest + floor)));
      }
    },

    nadam(w, m, v, g, count, gradScale, gradLimit, learningRate, beta1, beta2, meanFactor, gradFactor, correction2, epsilon) {
      const [scale, limit, lr, floor] = [f(gradScale), f(gradLimit), f(learningRate), f(epsilon)];
      const [keep1, take1, keep2, take2, unbias2] = [f(beta1), f(1 - beta1), f(beta2), f(1 - beta2), f(correction2)];
      const [mean, fresh] = [f(meanFactor), f(gradFactor)];
      for (let i = 0; i < count; i++) {
        const slope = clippedGradient(f32[(g >>> 2) + i]!, scale, limit);
        const first = f(f(keep1 * f32[(m >>> 2) + i]!) + f(take1 * slope));
        const second = f(f(keep2 * f32[(v >>> 2) + i]!) + f(take2 * f(slope * slope)));
        const ahead = f(f(mean * first) + f(fresh * slope));
        const spread = f(f(Math.sqrt(f(second / unbias2))) + floor);
        f32[(m >>> 2) + i] = first;
        f32[(v >>> 2) + i] = second;
        f32[(w >>> 2) + i] = f(f32[(w >>> 2) + i]! - f(f(lr * ahead) / spread));
      }
    },

    lion(w, m, g, count, gradScale, gradLimit, learningRate, beta1, beta2) {
      const [scale, limit, lr] = [f(gradScale), f(gradLimit), f(learningRate)];
      const [keep1, take1, keep2, take2] = [f(beta1), f(1 - beta1), f(beta2), f(1 - beta2)];
      for (let i = 0; i < count; i++) {
        const slope = clippedGradient(f32[(g >>> 2) + i]!, scale, limit);
        const mean = f32[(m >>> 2) + i]!;
        const direction = f(f(keep1 * mean) + f(take1 * slope));
        f32[(m >>> 2) + i] = f(f(keep2 * mean) + f(take2 * slope));
        f32[(w >>> 2) + i] = f(f32[(w >>> 2) + i]! - lr * Math.sign(direction));
      }
    },

    gradientSquares(g, count, gradScale, gradLimit, out) {
      const [scale, limit] = [f(gradScale), f(gradLimit)];
      arena.f64[out >>> 3] = squares(count, (i) => clippedGradient(f32[(g >>> 2) + i]!, scale, limit));
    },

    adamSquares(m, v, g, count, gradScale, gradLimit, beta1, beta2, correction1, correction2, epsilon, out) {
      const [scale, limit, floor] = [f(gradScale), f(gradLimit), f(epsilon)];
      const [keep1, take1, unbias1] = [f(beta1), f(1 - beta1), f(correction1)];
      const [keep2, take2, unbias2] = [f(beta2), f(1 - beta2), f(correction2)];
      arena.f64[out >>> 3] = squares(count, (i) => {
        const slope = clippedGradient(f32[(g >>> 2) + i]!, scale, limit);
        const first = f(f(keep1 * f32[(m >>> 2) + i]!) + f(take1 * slope));
        const second = f(f(keep2 * f32[(v >>> 2) + i]!) + f(take2 * f(slope * slope)));
        return f(f(first / unbias1) / f(f(Math.sqrt(f(second / unbias2))) + floor));
      });
    },
  };
}
