/**
 * Room: kernels (level 2), AssemblyScript. The updates that fit their step to each parameter's past gradients, beside Adam, and
 * Lion's: one pass over flat vectors of `count` float32, fused with the gradient's scale and clamp. float32 operations in the
 * order of the contract's formulas. It never writes the gradient.
 */
import { gradient } from './gradient';
import { loadFloats, storeFloats } from './lanes';

/** v = keep v + take g'^2; d = v + epsilon, centred max(v - a^2, 0) + epsilon; s = lr g' / sqrt(d); w -= s, or m = momentum m + s; w -= m. */
export function rmsprop(
  w: usize, v: usize, a: usize, m: usize, g: usize, count: i32, gradScale: f32, gradLimit: f32,
  learningRate: f32, keep: f32, take: f32, momentum: f32, epsilon: f32,
): void {
  const scale = f32x4.splat(gradScale);
  const limit = f32x4.splat(gradLimit);
  const rate = f32x4.splat(learningRate);
  const keeps = f32x4.splat(keep);
  const takes = f32x4.splat(take);
  const inertia = f32x4.splat(momentum);
  const floor = f32x4.splat(epsilon);
  const size = <usize>count << 2;
  if (a == 0) {
    if (momentum == 0) rmspropOver(w, v, a, m, g, size, scale, limit, rate, keeps, takes, inertia, floor, false, false);
    else rmspropOver(w, v, a, m, g, size, scale, limit, rate, keeps, takes, inertia, floor, false, true);
  } else {
    if (momentum == 0) rmspropOver(w, v, a, m, g, size, scale, limit, rate, keeps, takes, inertia, floor, true, false);
    else rmspropOver(w, v, a, m, g, size, scale, limit, rate, keeps, takes, inertia, floor, true, true);
  }
}

// @ts-ignore: decorator
@inline
function rmspropOver(
  w: usize, v: usize, a: usize, m: usize, g: usize, size: usize, scale: v128, limit: v128, rate: v128,
  keep: v128, take: v128, inertia: v128, floor: v128, centered: bool, moves: bool,
): void {
  const wide = size & ~15;
  for (let at: usize = 0; at < wide; at += 16) {
    rmspropAt(w + at, v + at, a + at, m + at, g + at, scale, limit, rate, keep, take, inertia, floor, centered, moves, true);
  }
  for (let at = wide; at < size; at += 4) {
    rmspropAt(w + at, v + at, a + at, m + at, g + at, scale, limit, rate, keep, take, inertia, floor, centered, moves, false);
  }
}

// @ts-ignore: decorator
@inline
function rmspropAt(
  w: usize, v: usize, a: usize, m: usize, g: usize, scale: v128, limit: v128, rate: v128,
  keep: v128, take: v128, inertia: v128, floor: v128, centered: bool, moves: bool, whole: bool,
): void {
  const slope = gradient(g, scale, limit, whole);
  const second = f32x4.add(f32x4.mul(keep, loadFloats(v, whole)), f32x4.mul(take, f32x4.mul(slope, slope)));
  storeFloats(v, second, whole);
  let spread = second;
  if (centered) {
    const mean = f32x4.add(f32x4.mul(keep, loadFloats(a, whole)), f32x4.mul(take, slope));
    storeFloats(a, mean, whole);
    spread = f32x4.max(f32x4.sub(second, f32x4.mul(mean, mean)), f32x4.splat(0));
  }
  let step = f32x4.div(f32x4.mul(rate, slope), f32x4.sqrt(f32x4.add(spread, floor)));
  if (moves) {
    step = f32x4.add(f32x4.mul(inertia, loadFloats(m, whole)), step);
    storeFloats(m, step, whole);
  }
  storeFloats(w, f32x4.sub(loadFloats(w, whole), step), whole);
}

/** a = rho a + (1 - rho) g'^2; s = sqrt(d + epsilon) g' / sqrt(a + epsilon); d = rho d + (1 - rho) s^2; w -= lr s. */
export function adadelta(
  w: usize, a: usize, d: usize, g: usize, count: i32, gradScale: f32, gradLimit: f32, learningRate: f32, rho: f64, epsilon: f32,
): void {
  const scale = f32x4.splat(gradScale);
  const limit = f32x4.splat(gradLimit);
  const rate = f32x4.splat(learningRate);
  const keep = f32x4.splat(<f32>rho);
  const take = f32x4.splat(<f32>(1 - rho));
  const floor = f32x4.splat(epsilon);
  const size = <usize>count << 2;
  const wide = size & ~15;
  for (let at: usize = 0; at < wide; at += 16) adadeltaAt(w + at, a + at, d + at, g + at, scale, limit, rate, keep, take, floor, true);
  for (let at = wide; at < size; at += 4) adadeltaAt(w + at, a + at, d + at, g + at, scale, limit, rate, keep, take, floor, false);
}

// @ts-ignore: decorator
@inline
function adadeltaAt(
  w: usize, a: usize, d: usize, g: usize, scale: v128, limit: v128, rate: v128, keep: v128, take: v128, floor: v128, whole: bool,
): void {
  const slope = gradient(g, scale, limit, whole);
  const second = f32x4.add(f32x4.mul(keep, loadFloats(a, whole)), f32x4.mul(take, f32x4.mul(slope, slope)));
  const before = loadFloats(d, whole);
  const step = f32x4.div(f32x4.mul(f32x4.sqrt(f32x4.add(before, floor)), slope), f32x4.sqrt(f32x4.add(second, floor)));
  storeFloats(a, second, whole);
  storeFloats(d, f32x4.add(f32x4.mul(keep, before), f32x4.mul(take, f32x4.mul(step, step))), whole);
  storeFloats(w, f32x4.sub(loadFloats(w, whole), f32x4.mul(rate, step)), whole);
}

/** m = beta1 m + (1 - beta1) g'; u = max(beta2 u, |g'|); w -= lr m / (u + epsilon). */
export function adamax(
  w: usize, m: usize, u: usize, g: usize, count: i32, gradScale: f32, gradLimit: f32, learningRate: f32, beta1: f64, beta2: f32, epsilon: f32,
): void {
  const scale = f32x4.splat(gradScale);
  const limit = f32x4.splat(gradLimit);
  const rate = f32x4.splat(learningRate);
  const keep1 = f32x4.splat(<f32>beta1);
  const take1 = f32x4.splat(<f32>(1 - beta1));
  const keep2 = f32x4.splat(beta2);
  const floor = f32x4.splat(epsilon);
  const size = <usize>count << 2;
  const wide = size & ~15;
  for (let at: usize = 0; at < wide; at += 16) adamaxAt(w + at, m + at, u + at, g + at, scale, limit, rate, keep1, take1, keep2, floor, true);
  for (let at = wide; at < size; at += 4) adamaxAt(w + at, m + at, u + at, g + at, scale, limit, rate, keep1, take1, keep2, floor, false);
}

// @ts-ignore: decorator
@inline
function adamaxAt(
  w: usize, m: usize, u: usize, g: usize, scale: v128, limit: v128, rate: v128, keep1: v128, take1: v128, keep2: v128, floor: v128, whole: bool,
): void {
  const slope = gradient(g, scale, limit, whole);
  const first = f32x4.add(f32x4.mul(keep1, loadFloats(m, whole)), f32x4.mul(take1, slope));
  const largest = f32x4.max(f32x4.mul(keep2, loadFloats(u, whole)), f32x4.abs(slope));
  storeFloats(m, first, whole);
  storeFloats(u, largest, whole);
  const step = f32x4.div(f32x4.mul(rate, first), f32x4.add(largest, floor));
  storeFloats(w, f32x4.sub(loadFloats(w, whole), step), whole);
}

/** m and v as in adam; w -= lr (meanFactor m + gradFactor g') / (sqrt(v / correction2) + epsilon). */
export function nadam(
  w: usize, m: usize, v: usize, g: usize, count: i32, gradScale: f32, gradLimit: f32,
  learningRate: f32, beta1: f64, beta2: f64, meanFactor: f32, gradFactor: f32, correction2: f32, epsilon: f32,
): void {
  const scale = f32x4.splat(gradScale);
  const limit = f32x4.splat(gradLimit);
  const rate = f32x4.splat(learningRate);
  const keep1 = f32x4.splat(<f32>beta1);
  const take1 = f32x4.splat(<f32>(1 - beta1));
  const keep2 = f32x4.splat(<f32>beta2);
  const take2 = f32x4.splat(<f32>(1 - beta2));
  const mean = f32x4.splat(meanFactor);
  const fresh = f32x4.splat(gradFactor);
  const unbias2 = f32x4.splat(correction2);
  const floor = f32x4.splat(epsilon);
  const size = <usize>count << 2;
  const wide = size & ~15;
  for (let at: usize = 0; at < wide; at += 16) {
    nadamAt(w + at, m + at, v + at, g + at, scale, limit, rate, keep1, take1, keep2, take2, mean, fresh, unbias2, floor, true);
  }
  for (let at = wide; at < size; at += 4) {
    nadamAt(w + at, m + at, v + at, g + at, scale, limit, rate, keep1, take1, keep2, take2, mean, fresh, unbias2, floor, false);
  }
}

// @ts-ignore: decorator
@inline
function nadamAt(
  w: usize, m: usize, v: usize, g: usize, scale: v128, limit: v128, rate: v128, keep1: v128, take1: v128, keep2: v128, take2: v128,
  mean: v128, fresh: v128, unbias2: v128, floor: v128, whole: bool,
): void {
  const slope = gradient(g, scale, limit, whole);
  const first = f32x4.add(f32x4.mul(keep1, loadFloats(m, whole)), f32x4.mul(take1, slope));
  const second = f32x4.add(f32x4.mul(keep2, loadFloats(v, whole)), f32x4.mul(take2, f32x4.mul(slope, slope)));
  storeFloats(m, first, whole);
  storeFloats(v, second, whole);
  const ahead = f32x4.add(f32x4.mul(mean, first), f32x4.mul(fresh, slope));
  const spread = f32x4.add(f32x4.sqrt(f32x4.div(second, unbias2)), floor);
  storeFloats(w, f32x4.sub(loadFloats(w, whole), f32x4.div(f32x4.mul(rate, ahead), spread)), whole);
}

/** w -= lr sign(beta1 m + (1 - beta1) g'); m = beta2 m + (1 - beta2) g'. */
export function lion(
  w: usize, m: usize, g: usize, count: i32, gradScale: f32, gradLimit: f32, learningRate: f32, beta1: f64, beta2: f64,
): void {
  const scale = f32x4.splat(gradScale);
  const limit = f32x4.splat(gradLimit);
  const rate = f32x4.splat(learningRate);
  const keep1 = f32x4.splat(<f32>beta1);
  const take1 = f32x4.splat(<f32>(1 - beta1));
  const keep2 = f32x4.splat(<f32>beta2);
  const take2 = f32x4.splat(<f32>(1 - beta2));
  const size = <usize>count << 2;
  const wide = size & ~15;
  for (let at: usize = 0; at < wide; at += 16) lionAt(w + at, m + at, g + at, scale, limit, rate, keep1, take1, keep2, take2, true);
  for (let at = wide; at < size; at += 4) lionAt(w + at, m + at, g + at, scale, limit, rate, keep1, take1, keep2, take2, false);
}

// @ts-ignore: decorator
@inline
function lionAt(
  w: usize, m: usize, g: usize, scale: v128, limit: v128, rate: v128, keep1: v128, take1: v128, keep2: v128, take2: v128, whole: bool,
): void {
  const slope = gradient(g, scale, limit, whole);
  const mean = loadFloats(m, whole);
  const direction = f32x4.add(f32x4.mul(keep1, mean), f32x4.mul(take1, slope));
  storeFloats(m, f32x4.add(f32x4.mul(keep2, mean), f32x4.mul(take2, slope)), whole);
  // The rate with the direction's sign, 0 for 0, and a NaN for a NaN.
  const signed = v128.or(rate, v128.and(direction, i32x4.splat(0x80000000)));
  const step = v128.bitselect(signed, direction, v128.or(f32x4.gt(direction, f32x4.splat(0)), f32x4.lt(direction, f32x4.splat(0))));
  storeFloats(w, f32x4.sub(loadFloats(w, whole), step), whole);
}
