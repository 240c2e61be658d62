/**
 * Room: kernels (level 2), AssemblyScript. Square sums of what an update would do, for rules that fit the step of a tensor to its norm.
 * float32 operations in the order of the updates' formulas, squares and sums in float64 by the contract's four lanes. Nothing but the sum is written.
 */
import { gradient } from './gradient';
import { loadFloats } from './lanes';

/** out (1 float64) = sum of g'^2. */
export function gradientSquares(g: usize, count: i32, gradScale: f32, gradLimit: f32, out: usize): void {
  const scale = f32x4.splat(gradScale);
  const limit = f32x4.splat(gradLimit);
  const size = <usize>count << 2;
  const wide = size & ~15;
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  for (let at: usize = 0; at < wide; at += 16) {
    const x = gradient(g + at, scale, limit, true);
    low = addSquares(low, x);
    high = addSquares(high, i64x2.shuffle(x, x, 1, 1));
  }
  const left = size - wide;
  if (left > 0) low = addFirst(low, gradient(g + wide, scale, limit, false));
  if (left > 4) low = addSecond(low, gradient(g + wide + 4, scale, limit, false));
  if (left > 8) high = addFirst(high, gradient(g + wide + 8, scale, limit, false));
  storeSum(out, low, high);
}

/** out (1 float64) = sum of ((m / correction1) / (sqrt(v / correction2) + epsilon))^2, m and v as adam would leave them. */
export function adamSquares(
  m: usize, v: usize, g: usize, count: i32, gradScale: f32, gradLimit: f32,
  beta1: f64, beta2: f64, correction1: f32, correction2: f32, epsilon: f32, out: usize,
): void {
  const scale = f32x4.splat(gradScale);
  const limit = f32x4.splat(gradLimit);
  const keep1 = f32x4.splat(<f32>beta1);
  const take1 = f32x4.splat(<f32>(1 - beta1));
  const keep2 = f32x4.splat(<f32>beta2);
  const take2 = f32x4.splat(<f32>(1 - beta2));
  const unbias1 = f32x4.splat(correction1);
  const unbias2 = f32x4.splat(correction2);
  const floor = f32x4.splat(epsilon);
  const size = <usize>count << 2;
  const wide = size & ~15;
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  for (let at: usize = 0; at < wide; at += 16) {
    const x = stepAt(m + at, v + at, g + at, scale, limit, keep1, take1, keep2, take2, unbias1, unbias2, floor, true);
    low = addSquares(low, x);
    high = addSquares(high, i64x2.shuffle(x, x, 1, 1));
  }
  for (let at = wide; at < size; at += 4) {
    const x = stepAt(m + at, v + at, g + at, scale, limit, keep1, take1, keep2, take2, unbias1, unbias2, floor, false);
    if (at == wide) low = addFirst(low, x);
    else if (at == wide + 4) low = addSecond(low, x);
    else high = addFirst(high, x);
  }
  storeSum(out, low, high);
}

// @ts-ignore: decorator
@inline
function stepAt(
  m: usize, v: usize, g: usize, scale: v128, limit: v128, keep1: v128, take1: v128, keep2: v128, take2: v128,
  unbias1: v128, unbias2: v128, floor: v128, whole: bool,
): v128 {
  const slope = gradient(g, scale, limit, whole);
  const first = f32x4.add(f32x4.mul(keep1, loadFloats(m, whole)), f32x4.mul(take1, slope));
  const second = f32x4.add(f32x4.mul(keep2, loadFloats(v, whole)), f32x4.mul(take2, f32x4.mul(slope, slope)));
  return f32x4.div(f32x4.div(first, unbias1), f32x4.add(f32x4.sqrt(f32x4.div(second, unbias2)), floor));
}

/** sums plus the squares of the first two numbers of x. */
// @ts-ignore: decorator
@inline
function addSquares(sums: v128, x: v128): v128 {
  const wide = f64x2.promote_low_f32x4(x);
  return f64x2.add(sums, f64x2.mul(wide, wide));
}

/** The square of the first number of x to the first sum. */
// @ts-ignore: decorator
@inline
function addFirst(sums: v128, x: v128): v128 {
  const value = <f64>f32x4.extract_lane(x, 0);
  return f64x2.replace_lane(sums, 0, f64x2.extract_lane(sums, 0) + value * value);
}

/** The square of the first number of x to the second sum. */
// @ts-ignore: decorator
@inline
function addSecond(sums: v128, x: v128): v128 {
  const value = <f64>f32x4.extract_lane(x, 0);
  return f64x2.replace_lane(sums, 1, f64x2.extract_lane(sums, 1) + value * value);
}

/** (l0+l1)+(l2+l3). */
// @ts-ignore: decorator
@inline
function storeSum(out: usize, low: v128, high: v128): void {
  f64.store(out, f64x2.extract_lane(low, 0) + f64x2.extract_lane(low, 1) + (f64x2.extract_lane(high, 0) + f64x2.extract_lane(high, 1)));
}
