/**
 * Room: kernels, in AssemblyScript. Softmax by rows, and the exponentials that the losses share with it.
 * It promises sums in float64 in a fixed order that depends on the number of columns only: column c goes to lane c % 4,
 * then (l0 + l2) + (l1 + l3). A NaN or +Infinity in a row makes the whole row NaN. It writes only its outputs.
 */
import { expScaled, f4, high, loadPart, low, narrow, storePart, unlift } from './math';

/** The largest of `columns` numbers; anything when one of them is NaN. */
// @ts-ignore: decorator
@inline
export function rowMaximum(x: usize, columns: i32): f32 {
  const part = columns & 3;
  const whole = <usize>(columns - part) << 2;
  let top = f4(-Infinity);
  for (let at: usize = 0; at < whole; at += 16) top = f32x4.pmax(top, v128.load(x + at));
  top = f32x4.pmax(top, v128.shuffle<f64>(top, top, 1, 0));
  let maximum = max(f32x4.extract_lane(top, 0), f32x4.extract_lane(top, 1));
  for (let lane = 0; lane < part; lane++) maximum = max(maximum, load<f32>(x + whole + (<usize>lane << 2)));
  return maximum;
}

/** e^(x - m) for x <= m, float32: the rounding error of d = x - m is carried along, so that the result is within 2 ulp. */
// @ts-ignore: decorator
@inline
function expDifference(x: v128, m: v128): v128 {
  const d = f32x4.sub(x, m);
  const back = f32x4.sub(d, x);
  const rest = f32x4.sub(f32x4.sub(x, f32x4.sub(d, back)), f32x4.add(m, back));
  const e = f32x4.mul(expScaled(d, rest), f4(unlift));
  return v128.andnot(e, f32x4.lt(d, f4(-104)));
}

/** The sum of e^(x - m) over one row, float64; the exponentials are stored to y unless it is 0. */
// @ts-ignore: decorator
@inline
export function expSum(x: usize, y: usize, columns: i32, maximum: f32): f64 {
  const m = f4(maximum);
  const part = columns & 3;
  const whole = <usize>(columns - part) << 2;
  let sums = f64x2.splat(0);
  let sumsHigh = f64x2.splat(0);
  for (let at: usize = 0; at < whole; at += 16) {
    const e = expDifference(v128.load(x + at), m);
    if (y != 0) v128.store(y + at, e);
    sums = f64x2.add(sums, low(e));
    sumsHigh = f64x2.add(sumsHigh, high(e));
  }
  if (part != 0) {
    const unused = i32x4.ge_s(i32x4(0, 1, 2, 3), i32x4.splat(part));
    const e = v128.andnot(expDifference(loadPart(x + whole, part), m), unused);
    if (y != 0) storePart(y + whole, e, part);
    sums = f64x2.add(sums, low(e));
    sumsHigh = f64x2.add(sumsHigh, high(e));
  }
  sums = f64x2.add(sums, sumsHigh);
  return f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1);
}

/** y *= factor, `columns` numbers, products in float64. */
// @ts-ignore: decorator
@inline
export function scaleRow(y: usize, columns: i32, factor: f64): void {
  const f = f64x2.splat(factor);
  const part = columns & 3;
  const whole = <usize>(columns - part) << 2;
  for (let at: usize = 0; at < whole; at += 16) {
    const e = v128.load(y + at);
    v128.store(y + at, narrow(f64x2.mul(low(e), f), f64x2.mul(high(e), f)));
  }
  if (part != 0) {
    const e = loadPart(y + whole, part);
    storePart(y + whole, narrow(f64x2.mul(low(e), f), f64x2.mul(high(e), f)), part);
  }
}

/** y = e^(x - m) / sum e^(x - m), m the largest of its row; in place allowed. */
export function softmax(x: usize, y: usize, rows: i32, columns: i32): void {
  if (columns <= 0) return;
  const bytes = <usize>columns << 2;
  for (let row = 0; row < rows; row++) {
    const sum = expSum(x, y, columns, rowMaximum(x, columns));
    scaleRow(y, columns, 1 / sum);
    x += bytes;
    y += bytes;
  }
}

/** dx = y (dy - sum(dy y)), the sum in float64; in place allowed (dx = dy). */
export function softmaxBackward(dy: usize, y: usize, dx: usize, rows: i32, columns: i32): void {
  if (columns <= 0) return;
  const part = columns & 3;
  const bytes = <usize>columns << 2;
  const whole = bytes - (<usize>part << 2);
  for (let row = 0; row < rows; row++) {
    let sums = f64x2.splat(0);
    let sumsHigh = f64x2.splat(0);
    for (let at: usize = 0; at < whole; at += 16) {
      const g = v128.load(dy + at);
      const p = v128.load(y + at);
      sums = f64x2.add(sums, f64x2.mul(low(g), low(p)));
      sumsHigh = f64x2.add(sumsHigh, f64x2.mul(high(g), high(p)));
    }
    if (part != 0) {
      const g = loadPart(dy + whole, part);
      const p = loadPart(y + whole, part);
      sums = f64x2.add(sums, f64x2.mul(low(g), low(p)));
      sumsHigh = f64x2.add(sumsHigh, f64x2.mul(high(g), high(p)));
    }
    sums = f64x2.add(sums, sumsHigh);
    const inner = f64x2.splat(f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1));
    for (let at: usize = 0; at < whole; at += 16) v128.store(dx + at, slope(v128.load(dy + at), v128.load(y + at), inner));
    if (part != 0) storePart(dx + whole, slope(loadPart(dy + whole, part), loadPart(y + whole, part), inner), part);
    dy += bytes;
    y += bytes;
    dx += bytes;
  }
}

/** y (dy - inner), difference and product in float64. */
// @ts-ignore: decorator
@inline
function slope(dy: v128, y: v128, inner: v128): v128 {
  const lowHalf = f64x2.mul(low(y), f64x2.sub(low(dy), inner));
  const highHalf = f64x2.mul(high(y), f64x2.sub(high(dy), inner));
  return narrow(lowHalf, highHalf);
}
