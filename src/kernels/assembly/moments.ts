/**
 * Room: kernels (level 2), AssemblyScript. Batch normalisation's sums over rows, in row order and float64. The output
 * vectors are their own accumulators (they stay in L1), and rows go by in groups of four, so that an accumulator is loaded
 * once per group and memory is read in order; sweeping tiles of channels with accumulators in registers measured the same.
 * Grouping changes no order of additions, so the bits are those of a plain loop. `group` (4 or 1) and `whole` are constants
 * at every call. Nothing is touched but the arguments.
 */
import { loadDoubles, loadPair, storeDoubles } from './lanes';

/** Per channel: mean = sum of x / rows, then m2 = sum of (x - mean)^2; both float64 (channels). */
export function moments(x: usize, mean: usize, m2: usize, rows: i32, channels: i32): void {
  const stride = <usize>channels << 2;
  memory.fill(mean, 0, <usize>channels << 3);
  memory.fill(m2, 0, <usize>channels << 3);
  if (rows == 0) return;
  const end = x + <usize>rows * stride;
  let row = x;
  for (let left = rows >> 2; left > 0; left--, row += stride << 2) sumRows(row, stride, mean, 4);
  for (; row < end; row += stride) sumRows(row, stride, mean, 1);
  for (let at = mean, last = mean + <usize>channels * 8; at < last; at += 8) store<f64>(at, load<f64>(at) / <f64>rows);
  row = x;
  for (let left = rows >> 2; left > 0; left--, row += stride << 2) squareRows(row, stride, mean, m2, 4);
  for (; row < end; row += stride) squareRows(row, stride, mean, m2, 1);
}

/** sum += x, for `group` rows (4 or 1) in order. */
// @ts-ignore: decorator
@inline
function sumRows(row: usize, stride: usize, sum: usize, group: i32): void {
  const end = row + stride;
  for (const wide = row + (stride & ~7); row < wide; row += 8, sum += 16) sumPair(row, stride, sum, group, true);
  if (row < end) sumPair(row, stride, sum, group, false);
}

// @ts-ignore: decorator
@inline
function sumPair(at: usize, stride: usize, sum: usize, group: i32, whole: bool): void {
  let total = f64x2.add(loadDoubles(sum, whole), f64x2.promote_low_f32x4(loadPair(at, whole)));
  if (group == 4) {
    total = f64x2.add(total, f64x2.promote_low_f32x4(loadPair(at + stride, whole)));
    total = f64x2.add(total, f64x2.promote_low_f32x4(loadPair(at + 2 * stride, whole)));
    total = f64x2.add(total, f64x2.promote_low_f32x4(loadPair(at + 3 * stride, whole)));
  }
  storeDoubles(sum, total, whole);
}

/** sum += (x - mean)^2, for `group` rows (4 or 1) in order. */
// @ts-ignore: decorator
@inline
function squareRows(row: usize, stride: usize, mean: usize, sum: usize, group: i32): void {
  const end = row + stride;
  for (const wide = row + (stride & ~7); row < wide; row += 8, mean += 16, sum += 16) squarePair(row, stride, mean, sum, group, true);
  if (row < end) squarePair(row, stride, mean, sum, group, false);
}

// @ts-ignore: decorator
@inline
function squarePair(at: usize, stride: usize, mean: usize, sum: usize, group: i32, whole: bool): void {
  const centre = loadDoubles(mean, whole);
  let total = addSquare(loadDoubles(sum, whole), loadPair(at, whole), centre);
  if (group == 4) {
    total = addSquare(total, loadPair(at + stride, whole), centre);
    total = addSquare(total, loadPair(at + 2 * stride, whole), centre);
    total = addSquare(total, loadPair(at + 3 * stride, whole), centre);
  }
  storeDoubles(sum, total, whole);
}

// @ts-ignore: decorator
@inline
function addSquare(total: v128, x: v128, centre: v128): v128 {
  const d = f64x2.sub(f64x2.promote_low_f32x4(x), centre);
  return f64x2.add(total, f64x2.mul(d, d));
}

/** Per channel, float64: sumDy = sum of dy; sumDyX = sum of dy * ((x - meanHi) - meanLo), the centred x in float32. */
export function normalizeSums(dy: usize, x: usize, meanHi: usize, meanLo: usize, sumDy: usize, sumDyX: usize, rows: i32, channels: i32): void {
  const stride = <usize>channels << 2;
  memory.fill(sumDy, 0, <usize>channels << 3);
  memory.fill(sumDyX, 0, <usize>channels << 3);
  let row: usize = 0;
  for (let left = rows >> 2; left > 0; left--, row += stride << 2) productRows(dy + row, x + row, stride, meanHi, meanLo, sumDy, sumDyX, 4);
  for (let left = rows & 3; left > 0; left--, row += stride) productRows(dy + row, x + row, stride, meanHi, meanLo, sumDy, sumDyX, 1);
}

// @ts-ignore: decorator
@inline
function productRows(dy: usize, x: usize, stride: usize, meanHi: usize, meanLo: usize, sumDy: usize, sumDyX: usize, group: i32): void {
  const wide = stride & ~7;
  for (let at: usize = 0; at < wide; at += 8) {
    productPair(dy + at, x + at, stride, meanHi + at, meanLo + at, sumDy + 2 * at, sumDyX + 2 * at, group, true);
  }
  if (wide < stride) {
    productPair(dy + wide, x + wide, stride, meanHi + wide, meanLo + wide, sumDy + 2 * wide, sumDyX + 2 * wide, group, false);
  }
}

// @ts-ignore: decorator
@inline
function productPair(dy: usize, x: usize, stride: usize, meanHi: usize, meanLo: usize, sumDy: usize, sumDyX: usize, group: i32, whole: bool): void {
  const hi = loadPair(meanHi, whole);
  const lo = loadPair(meanLo, whole);
  let d = f64x2.promote_low_f32x4(loadPair(dy, whole));
  let sum = f64x2.add(loadDoubles(sumDy, whole), d);
  let product = addProduct(loadDoubles(sumDyX, whole), d, loadPair(x, whole), hi, lo);
  if (group == 4) {
    d = f64x2.promote_low_f32x4(loadPair(dy + stride, whole));
    sum = f64x2.add(sum, d);
    product = addProduct(product, d, loadPair(x + stride, whole), hi, lo);
    d = f64x2.promote_low_f32x4(loadPair(dy + 2 * stride, whole));
    sum = f64x2.add(sum, d);
    product = addProduct(product, d, loadPair(x + 2 * stride, whole), hi, lo);
    d = f64x2.promote_low_f32x4(loadPair(dy + 3 * stride, whole));
    sum = f64x2.add(sum, d);
    product = addProduct(product, d, loadPair(x + 3 * stride, whole), hi, lo);
  }
  storeDoubles(sumDy, sum, whole);
  storeDoubles(sumDyX, product, whole);
}

// @ts-ignore: decorator
@inline
function addProduct(total: v128, d: v128, x: v128, hi: v128, lo: v128): v128 {
  return f64x2.add(total, f64x2.mul(d, f64x2.promote_low_f32x4(f32x4.sub(f32x4.sub(x, hi), lo))));
}
