/**
 * Room: kernels (level 2). The part of the contract that changes weights: one step of `count` parameters w along their gradient g,
 * which is never written. Everywhere g' = clamp(g * gradScale, -gradLimit, gradLimit); `gradLimit` may be Infinity. All tensors
 * are float32 (count), the arithmetic is float32 in the order written, bit-exact on every set. Scalars come as float64 and are rounded once.
 */
import type { Address } from '../memory/arena.ts';

export interface UpdateKernels {
  /**
   * momentum 0: w -= lr g'. Else v = momentum v - lr g'; w += v, or with nesterov w += momentum v - lr g'.
   * v is address 0 when momentum is 0.
   */
  sgd(w: Address, v: Address, g: Address, count: number, gradScale: number, gradLimit: number, learningRate: number, momentum: number, nesterov: 0 | 1): void;

  /** w -= share * w: weight decay that is no part of the gradient. */
  decay(w: Address, count: number, share: number): void;

  /** average = keep * average + (1 - keep) * x, both `count` numbers. */
  movingAverage(average: Address, x: Address, count: number, keep: number): void;

  /**
   * Adam: m = beta1 m + (1 - beta1) g'; v = beta2 v + (1 - beta2) g'^2;
   * w -= learningRate * (m / correction1) / (sqrt(v / correction2) + epsilon). `correctionK` = 1 - betaK^step.
   */
  adam(
    w: Address,
    m: Address,
    v: Address,
    g: Address,
    count: number,
    gradScale: number,
    gradLimit: number,
    learningRate: number,
    beta1: number,
    beta2: number,
    correction1: number,
    correction2: number,
    epsilon: number,
  ): void;

  /**
   * RMSprop, and with keep = take = 1 Adagrad: v = keep v + take g'^2; with an address a, a = keep a + take g' and
   * d = max(v - a^2, 0) + epsilon, else d = v + epsilon; s = learningRate * g' / sqrt(d).
   * momentum 0: w -= s. Else m = momentum m + s; w -= m. a is address 0 for none, m when momentum is 0.
   */
  rmsprop(
    w: Address,
    v: Address,
    a: Address,
    m: Address,
    g: Address,
    count: number,
    gradScale: number,
    gradLimit: number,
    learningRate: number,
    keep: number,
    take: number,
    momentum: number,
    epsilon: number,
  ): void;

  /**
   * a = rho a + (1 - rho) g'^2; s = sqrt(d + epsilon) * g' / sqrt(a + epsilon); d = rho d + (1 - rho) s^2; w -= learningRate * s,
   * with the d before this step in s.
   */
  adadelta(w: Address, a: Address, d: Address, g: Address, count: number, gradScale: number, gradLimit: number, learningRate: number, rho: number, epsilon: number): void;

  /** m = beta1 m + (1 - beta1) g'; u = max(beta2 u, |g'|); w -= learningRate * m / (u + epsilon). */
  adamax(
    w: Address,
    m: Address,
    u: Address,
    g: Address,
    count: number,
    gradScale: number,
    gradLimit: number,
    learningRate: number,
    beta1: number,
    beta2: number,
    epsilon: number,
  ): void;

  /**
   * m and v as in `adam`; w -= learningRate * (meanFactor m + gradFactor g') / (sqrt(v / correction2) + epsilon).
   */
  nadam(
    w: Address,
    m: Address,
    v: Address,
    g: Address,
    count: number,
    gradScale: number,
    gradLimit: number,
    learningRate: number,
    beta1: number,
    beta2: number,
    meanFactor: number,
    gradFactor: number,
    correction2: number,
    epsilon: number,
  ): void;

  /** w -= learningRate * sign(beta1 m + (1 - beta1) g'), sign(0) = 0; then m = beta2 m + (1 - beta2) g'. */
  lion(w: Address, m: Address, g: Address, count: number, gradScale: number, gradLimit: number, learningRate: number, beta1: number, beta2: number): void;

  /** out (1 float64) = sum of g'[i]^2 in float64: element i goes to lane i % 4 in index order, then (l0+l1)+(l2+l3). Changes nothing else. */
  gradientSquares(g: Address, count: number, gradScale: number, gradLimit: number, out: Address): void;

  /**
   * out (1 float64) = sum of s[i]^2 as in `gradientSquares`, of what `adam` would move each parameter by at a learning rate of 1:
   * s = (m / correction1) / (sqrt(v / correction2) + epsilon) with the m and v after the step, which are not written.
   */
  adamSquares(
    m: Address,
    v: Address,
    g: Address,
    count: number,
    gradScale: number,
    gradLimit: number,
    beta1: number,
    beta2: number,
    correction1: number,
    correction2: number,
    epsilon: number,
    out: Address,
  ): void;
}
