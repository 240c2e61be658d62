/**
 * Room: kernels (level 2), AssemblyScript. A scale and a shift of the inputs folded into a matrix W (rows, columns), and the
 * way back for gradients. `fold` goes down strips of columns, whose float64 sums stay in registers; `unfold` goes along rows,
 * four lanes a sum. Both read each matrix once, and the tail of a row goes through the same operations in the same order as
 * its body. Nothing is touched but the arguments.
 */

import { high, loadPart, low, narrow, storePart } from './math';

/** Columns that keep their float64 sums in registers at a time. */
const stripColumns: i32 = 8;

/** foldedW = gamma[row] * W; foldedBias = bias + sum over rows of beta[row] * W, in row order. */
export function fold(w: usize, bias: usize, gamma: usize, beta: usize, foldedW: usize, foldedBias: usize, rows: i32, columns: i32): void {
  const stride = <usize>columns << 2;
  const whole = <usize>(columns - columns % stripColumns) << 2;
  let column: usize = 0;
  for (; column < whole; column += 4 * stripColumns) foldStrip(w + column, bias == 0 ? 0 : bias + column, gamma, beta, foldedW + column, foldedBias + column, rows, stride);
  for (; column < stride; column += 4) foldColumn(w + column, bias == 0 ? 0 : bias + column, gamma, beta, foldedW + column, foldedBias + column, rows, stride);
}

function foldStrip(w: usize, bias: usize, gamma: usize, beta: usize, foldedW: usize, foldedBias: usize, rows: i32, stride: usize): void {
  let a = f32x4.splat(0);
  let b = f32x4.splat(0);
  if (bias != 0) {
    a = v128.load(bias);
    b = v128.load(bias, 16);
  }
  let s0 = low(a);
  let s1 = high(a);
  let s2 = low(b);
  let s3 = high(b);
  for (let row = 0; row < rows; row++) {
    a = v128.load(w);
    b = v128.load(w, 16);
    const scale = v128.load32_splat(gamma);
    v128.store(foldedW, f32x4.mul(a, scale));
    v128.store(foldedW, f32x4.mul(b, scale), 16);
    const shift = f64x2.splat(<f64>load<f32>(beta));
    s0 = addProduct(s0, wide(w), shift);
    s1 = addProduct(s1, wide(w + 8), shift);
    s2 = addProduct(s2, wide(w + 16), shift);
    s3 = addProduct(s3, wide(w + 24), shift);
    w += stride;
    foldedW += stride;
    gamma += 4;
    beta += 4;
  }
  v128.store(foldedBias, narrow(s0, s1));
  v128.store(foldedBias, narrow(s2, s3), 16);
}

function foldColumn(w: usize, bias: usize, gamma: usize, beta: usize, foldedW: usize, foldedBias: usize, rows: i32, stride: usize): void {
  let sum: f64 = bias == 0 ? 0 : <f64>load<f32>(bias);
  for (let row = 0; row < rows; row++) {
    const weight = load<f32>(w);
    store<f32>(foldedW, weight * load<f32>(gamma));
    sum += <f64>weight * <f64>load<f32>(beta);
    w += stride;
    foldedW += stride;
    gamma += 4;
    beta += 4;
  }
  store<f32>(foldedBias, <f32>sum);
}

/** dgamma = sum over columns of W * g, dbeta = sum over columns of W * db, then g = gamma[row] * g + beta[row] * db. */
export function unfold(w: usize, g: usize, db: usize, gamma: usize, beta: usize, dgamma: usize, dbeta: usize, rows: i32, columns: i32): void {
  const stride = <usize>columns << 2;
  const whole = stride & ~15;
  const part = columns & 3;
  for (let row: usize = 0, end = <usize>rows << 2; row < end; row += 4) {
    const scale = v128.load32_splat(gamma + row);
    const shift = v128.load32_splat(beta + row);
    let s0 = f64x2.splat(0);
    let s1 = f64x2.splat(0);
    let t0 = f64x2.splat(0);
    let t1 = f64x2.splat(0);
    let at: usize = 0;
    for (; at < whole; at += 16) {
      const slope = v128.load(g + at);
      const sum = v128.load(db + at);
      const w0 = wide(w + at);
      const w1 = wide(w + at + 8);
      s0 = addProduct(s0, w0, wide(g + at));
      s1 = addProduct(s1, w1, wide(g + at + 8));
      t0 = addProduct(t0, w0, wide(db + at));
      t1 = addProduct(t1, w1, wide(db + at + 8));
      v128.store(g + at, f32x4.add(f32x4.mul(slope, scale), f32x4.mul(sum, shift)));
    }
    if (part != 0) {
      // The other lanes are 0, so their sums stay what they are.
      const weight = loadPart(w + at, part);
      const slope = loadPart(g + at, part);
      const sum = loadPart(db + at, part);
      s0 = addProduct(s0, low(weight), low(slope));
      s1 = addProduct(s1, high(weight), high(slope));
      t0 = addProduct(t0, low(weight), low(sum));
      t1 = addProduct(t1, high(weight), high(sum));
      storePart(g + at, f32x4.add(f32x4.mul(slope, scale), f32x4.mul(sum, shift)), part);
    }
    store<f32>(dgamma + row, <f32>lanesSum(s0, s1));
    store<f32>(dbeta + row, <f32>lanesSum(t0, t1));
    w += stride;
    g += stride;
  }
}

/** (l0 + l1) + (l2 + l3). */
// @ts-ignore: decorator
@inline
function lanesSum(low: v128, high: v128): f64 {
  return f64x2.extract_lane(low, 0) + f64x2.extract_lane(low, 1) + (f64x2.extract_lane(high, 0) + f64x2.extract_lane(high, 1));
}

/** Two float32 as float64. Measured faster than taking the halves of a vector that is there already. */
// @ts-ignore: decorator
@inline
function wide(address: usize): v128 {
  return f64x2.promote_low_f32x4(v128.load64_zero(address));
}

/** total + x * y in float64; the product of two float32 is exact. */
// @ts-ignore: decorator
@inline
function addProduct(total: v128, x: v128, y: v128): v128 {
  return f64x2.add(total, f64x2.mul(x, y));
}
