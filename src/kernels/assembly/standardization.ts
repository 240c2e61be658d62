/**
 * Room: kernels (level 2), AssemblyScript. Layer normalisation's kernels: each row by its own mean and variance. Sums are float64 in four lanes,
 * number c of a row in lane c % 4, then (l0 + l1) + (l2 + l3), so the bits depend on nothing but the row. Nothing is touched but the arguments.
 */
import { loadFloats, storeFloats } from './lanes';

/** xhat = ((x - meanHi) - meanLo) * invStd by rows, invStd = 1 / sqrt(variance + epsilon). */
export function standardizeRows(x: usize, xhat: usize, invStds: usize, rows: i32, columns: i32, epsilon: f64): void {
  const stride = <usize>columns << 2;
  const wide = stride & ~15;
  for (let left = rows; left > 0; left--, x += stride, xhat += stride, invStds += 4) {
    const mean = rowSum(x, stride) / <f64>columns;
    const variance = squaredDistances(x, stride, mean) / <f64>columns;
    const invStd = <f32>(1 / sqrt(variance + epsilon));
    store<f32>(invStds, invStd);
    const hi = f32x4.splat(<f32>mean);
    const lo = f32x4.splat(<f32>(mean - <f64>(<f32>mean)));
    const factor = f32x4.splat(invStd);
    for (let at: usize = 0; at < wide; at += 16) standardizeAt(x + at, xhat + at, hi, lo, factor, true);
    for (let at = wide; at < stride; at += 4) standardizeAt(x + at, xhat + at, hi, lo, factor, false);
  }
}

// @ts-ignore: decorator
@inline
function standardizeAt(x: usize, xhat: usize, hi: v128, lo: v128, factor: v128, whole: bool): void {
  storeFloats(xhat, f32x4.mul(f32x4.sub(f32x4.sub(loadFloats(x, whole), hi), lo), factor), whole);
}

/** dx = invStd * ((g - mean(g)) - xhat * mean(g * xhat)) by rows. */
export function standardizeRowsBackward(g: usize, xhat: usize, invStds: usize, dx: usize, rows: i32, columns: i32): void {
  const stride = <usize>columns << 2;
  const wide = stride & ~15;
  for (let left = rows; left > 0; left--, g += stride, xhat += stride, dx += stride, invStds += 4) {
    const meanG = f32x4.splat(<f32>(rowSum(g, stride) / <f64>columns));
    const slope = f32x4.splat(<f32>(products(g, xhat, stride) / <f64>columns));
    const factor = f32x4.splat(load<f32>(invStds));
    for (let at: usize = 0; at < wide; at += 16) backwardAt(g + at, xhat + at, dx + at, meanG, slope, factor, true);
    for (let at = wide; at < stride; at += 4) backwardAt(g + at, xhat + at, dx + at, meanG, slope, factor, false);
  }
}

// @ts-ignore: decorator
@inline
function backwardAt(g: usize, xhat: usize, dx: usize, meanG: v128, slope: v128, factor: v128, whole: bool): void {
  const rest = f32x4.sub(f32x4.sub(loadFloats(g, whole), meanG), f32x4.mul(loadFloats(xhat, whole), slope));
  storeFloats(dx, f32x4.mul(factor, rest), whole);
}

/** The upper two of four float32, as float64. */
// @ts-ignore: decorator
@inline
function upper(x: v128): v128 {
  return f64x2.promote_low_f32x4(i8x16.shuffle(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15));
}

/** (l0 + l1) + (l2 + l3), with the numbers of a last, incomplete group in their lanes. */
// @ts-ignore: decorator
@inline
function total(low: v128, high: v128): f64 {
  return f64x2.extract_lane(low, 0) + f64x2.extract_lane(low, 1) + (f64x2.extract_lane(high, 0) + f64x2.extract_lane(high, 1));
}

/** Up to three float32 from `address`, and zeros. */
// @ts-ignore: decorator
@inline
function loadRest(address: usize, bytes: usize): v128 {
  let x = v128.load32_zero(address);
  if (bytes > 4) x = f32x4.replace_lane(x, 1, load<f32>(address + 4));
  if (bytes > 8) x = f32x4.replace_lane(x, 2, load<f32>(address + 8));
  return x;
}

function rowSum(x: usize, stride: usize): f64 {
  const wide = stride & ~15;
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  for (let at: usize = 0; at < wide; at += 16) {
    const v = v128.load(x + at);
    low = f64x2.add(low, f64x2.promote_low_f32x4(v));
    high = f64x2.add(high, upper(v));
  }
  if (wide < stride) {
    const v = loadRest(x + wide, stride - wide);
    low = f64x2.add(low, f64x2.promote_low_f32x4(v));
    high = f64x2.add(high, upper(v));
  }
  return total(low, high);
}

function squaredDistances(x: usize, stride: usize, mean: f64): f64 {
  const wide = stride & ~15;
  const centre = f64x2.splat(mean);
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  for (let at: usize = 0; at < wide; at += 16) {
    const v = v128.load(x + at);
    low = addSquare(low, f64x2.sub(f64x2.promote_low_f32x4(v), centre));
    high = addSquare(high, f64x2.sub(upper(v), centre));
  }
  const rest = (stride - wide) >> 2;
  if (rest > 0) {
    const v = loadRest(x + wide, stride - wide);
    const d = f64x2.sub(f64x2.promote_low_f32x4(v), centre);
    low = addSquare(low, rest > 1 ? d : f64x2.replace_lane(d, 1, 0));
    if (rest > 2) high = addSquare(high, f64x2.replace_lane(f64x2.sub(upper(v), centre), 1, 0));
  }
  return total(low, high);
}

// @ts-ignore: decorator
@inline
function addSquare(sum: v128, d: v128): v128 {
  return f64x2.add(sum, f64x2.mul(d, d));
}

function products(a: usize, b: usize, stride: usize): f64 {
  const wide = stride & ~15;
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  for (let at: usize = 0; at < wide; at += 16) {
    const x = v128.load(a + at);
    const y = v128.load(b + at);
    low = f64x2.add(low, f64x2.mul(f64x2.promote_low_f32x4(x), f64x2.promote_low_f32x4(y)));
    high = f64x2.add(high, f64x2.mul(upper(x), upper(y)));
  }
  if (wide < stride) {
    const x = loadRest(a + wide, stride - wide);
    const y = loadRest(b + wide, stride - wide);
    low = f64x2.add(low, f64x2.mul(f64x2.promote_low_f32x4(x), f64x2.promote_low_f32x4(y)));
    high = f64x2.add(high, f64x2.mul(upper(x), upper(y)));
  }
  return total(low, high);
}
