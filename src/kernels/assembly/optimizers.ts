/**
 * Room: kernels (level 2), AssemblyScript. The updates of SGD and Adam, weight decay and moving average over flat vectors of `count` float32, fused with
 * the gradient's scale and clamp: one pass over memory. float32 operations in the order of the contract's formulas. It
 * never writes the gradient.
 */
import { gradient } from './gradient';
import { loadFloats, storeFloats } from './lanes';

/** w -= lr g'; or v = momentum v - lr g' and w += v; or, with nesterov, w += momentum v - lr g'. */
export function sgd(w: usize, v: usize, g: usize, count: i32, gradScale: f32, gradLimit: f32, learningRate: f32, momentum: f32, nesterov: i32): void {
  const scale = f32x4.splat(gradScale);
  const limit = f32x4.splat(gradLimit);
  const rate = f32x4.splat(learningRate);
  const inertia = f32x4.splat(momentum);
  const size = <usize>count << 2;
  const wide = size & ~15;
  if (momentum == 0) {
    for (let at: usize = 0; at < wide; at += 16) plainAt(w + at, g + at, scale, limit, rate, true);
    for (let at = wide; at < size; at += 4) plainAt(w + at, g + at, scale, limit, rate, false);
  } else if (nesterov == 0) {
    for (let at: usize = 0; at < wide; at += 16) momentumAt(w + at, v + at, g + at, scale, limit, rate, inertia, false, true);
    for (let at = wide; at < size; at += 4) momentumAt(w + at, v + at, g + at, scale, limit, rate, inertia, false, false);
  } else {
    for (let at: usize = 0; at < wide; at += 16) momentumAt(w + at, v + at, g + at, scale, limit, rate, inertia, true, true);
    for (let at = wide; at < size; at += 4) momentumAt(w + at, v + at, g + at, scale, limit, rate, inertia, true, false);
  }
}

// @ts-ignore: decorator
@inline
function plainAt(w: usize, g: usize, scale: v128, limit: v128, rate: v128, whole: bool): void {
  const step = f32x4.mul(rate, gradient(g, scale, limit, whole));
  storeFloats(w, f32x4.sub(loadFloats(w, whole), step), whole);
}

// @ts-ignore: decorator
@inline
function momentumAt(w: usize, v: usize, g: usize, scale: v128, limit: v128, rate: v128, inertia: v128, nesterov: bool, whole: bool): void {
  const step = f32x4.mul(rate, gradient(g, scale, limit, whole));
  const velocity = f32x4.sub(f32x4.mul(inertia, loadFloats(v, whole)), step);
  storeFloats(v, velocity, whole);
  const move = nesterov ? f32x4.sub(f32x4.mul(inertia, velocity), step) : velocity;
  storeFloats(w, f32x4.add(loadFloats(w, whole), move), whole);
}

/**
 * m = beta1 m + (1 - beta1) g'; v = beta2 v + (1 - beta2) g'^2;
 * w -= lr (m / correction1) / (sqrt(v / correction2) + epsilon). The betas come as float64, so that 1 - beta is rounded
 * once and agrees with the corrections.
 */
export function adam(
  w: usize, m: usize, v: usize, g: usize, count: i32, gradScale: f32, gradLimit: f32,
  learningRate: f32, beta1: f64, beta2: f64, correction1: f32, correction2: f32, epsilon: f32,
): void {
  const scale = f32x4.splat(gradScale);
  const limit = f32x4.splat(gradLimit);
  const rate = f32x4.splat(learningRate);
  const keep1 = f32x4.splat(<f32>beta1);
  const take1 = f32x4.splat(<f32>(1 - beta1));
  const keep2 = f32x4.splat(<f32>beta2);
  const take2 = f32x4.splat(<f32>(1 - beta2));
  const unbias1 = f32x4.splat(correction1);
  const unbias2 = f32x4.splat(correction2);
  const floor = f32x4.splat(epsilon);
  const size = <usize>count << 2;
  const wide = size & ~15;
  for (let at: usize = 0; at < wide; at += 16) {
    adamAt(w + at, m + at, v + at, g + at, scale, limit, rate, keep1, take1, keep2, take2, unbias1, unbias2, floor, true);
  }
  for (let at = wide; at < size; at += 4) {
    adamAt(w + at, m + at, v + at, g + at, scale, limit, rate, keep1, take1, keep2, take2, unbias1, unbias2, floor, false);
  }
}

// @ts-ignore: decorator
@inline
function adamAt(
  w: usize, m: usize, v: usize, g: usize, scale: v128, limit: v128, rate: v128, keep1: v128, take1: v128,
  keep2: v128, take2: v128, unbias1: v128, unbias2: v128, floor: v128, whole: bool,
): void {
  const slope = gradient(g, scale, limit, whole);
  const first = f32x4.add(f32x4.mul(keep1, loadFloats(m, whole)), f32x4.mul(take1, slope));
  const second = f32x4.add(f32x4.mul(keep2, loadFloats(v, whole)), f32x4.mul(take2, f32x4.mul(slope, slope)));
  storeFloats(m, first, whole);
  storeFloats(v, second, whole);
  const spread = f32x4.add(f32x4.sqrt(f32x4.div(second, unbias2)), floor);
  const step = f32x4.div(f32x4.mul(rate, f32x4.div(first, unbias1)), spread);
  storeFloats(w, f32x4.sub(loadFloats(w, whole), step), whole);
}

/** w -= share w. */
export function decay(w: usize, count: i32, share: f32): void {
  const part = f32x4.splat(share);
  const size = <usize>count << 2;
  const wide = size & ~15;
  for (let at: usize = 0; at < wide; at += 16) decayAt(w + at, part, true);
  for (let at = wide; at < size; at += 4) decayAt(w + at, part, false);
}

// @ts-ignore: decorator
@inline
function decayAt(w: usize, part: v128, whole: bool): void {
  const weight = loadFloats(w, whole);
  storeFloats(w, f32x4.sub(weight, f32x4.mul(part, weight)), whole);
}

/** average = keep average + (1 - keep) x. */
export function movingAverage(average: usize, x: usize, count: i32, keep: f64): void {
  const kept = f32x4.splat(<f32>keep);
  const taken = f32x4.splat(<f32>(1 - keep));
  const size = <usize>count << 2;
  const wide = size & ~15;
  for (let at: usize = 0; at < wide; at += 16) movingAverageAt(average + at, x + at, kept, taken, true);
  for (let at = wide; at < size; at += 4) movingAverageAt(average + at, x + at, kept, taken, false);
}

// @ts-ignore: decorator
@inline
function movingAverageAt(average: usize, x: usize, kept: v128, taken: v128, whole: bool): void {
  storeFloats(average, f32x4.add(f32x4.mul(kept, loadFloats(average, whole)), f32x4.mul(taken, loadFloats(x, whole))), whole);
}
