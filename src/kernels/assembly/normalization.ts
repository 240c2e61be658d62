/**
 * Room: kernels (level 2), AssemblyScript. Batch normalisation's elementwise passes over x (rows, channels), float32 in the
 * order of the contract's formulas; its sums over rows are in `moments.ts`. Rows go by in groups of four, so that the
 * per-channel vectors are loaded once per group. `group` (4 or 1) and `whole` are constants at every call. Nothing is
 * touched but the arguments.
 */
import { loadFloats, storeFloats } from './lanes';

export { moments, normalizeSums } from './moments';

/** y = ((x - meanHi) - meanLo) * scale + beta; without beta, -0 is added, which changes no number. */
export function normalize(x: usize, y: usize, meanHi: usize, meanLo: usize, scale: usize, beta: usize, rows: i32, channels: i32): void {
  const stride = <usize>channels << 2;
  let row: usize = 0;
  for (let left = rows >> 2; left > 0; left--, row += stride << 2) normalizeRows(x + row, y + row, stride, meanHi, meanLo, scale, beta, 4);
  for (let left = rows & 3; left > 0; left--, row += stride) normalizeRows(x + row, y + row, stride, meanHi, meanLo, scale, beta, 1);
}

// @ts-ignore: decorator
@inline
function normalizeRows(x: usize, y: usize, stride: usize, meanHi: usize, meanLo: usize, scale: usize, beta: usize, group: i32): void {
  const wide = stride & ~15;
  for (let at: usize = 0; at < wide; at += 16) normalizeAt(x, y, stride, meanHi, meanLo, scale, beta, at, group, true);
  for (let at = wide; at < stride; at += 4) normalizeAt(x, y, stride, meanHi, meanLo, scale, beta, at, group, false);
}

// @ts-ignore: decorator
@inline
function normalizeAt(x: usize, y: usize, stride: usize, meanHi: usize, meanLo: usize, scale: usize, beta: usize, at: usize, group: i32, whole: bool): void {
  const hi = loadFloats(meanHi + at, whole);
  const lo = loadFloats(meanLo + at, whole);
  const factor = loadFloats(scale + at, whole);
  const shift = beta != 0 ? loadFloats(beta + at, whole) : f32x4.splat(-0.0);
  normalizeFloats(x + at, y + at, hi, lo, factor, shift, whole);
  if (group == 4) {
    normalizeFloats(x + at + stride, y + at + stride, hi, lo, factor, shift, whole);
    normalizeFloats(x + at + 2 * stride, y + at + 2 * stride, hi, lo, factor, shift, whole);
    normalizeFloats(x + at + 3 * stride, y + at + 3 * stride, hi, lo, factor, shift, whole);
  }
}

// @ts-ignore: decorator
@inline
function normalizeFloats(x: usize, y: usize, hi: v128, lo: v128, factor: v128, shift: v128, whole: bool): void {
  const centred = f32x4.sub(f32x4.sub(loadFloats(x, whole), hi), lo);
  storeFloats(y, f32x4.add(f32x4.mul(centred, factor), shift), whole);
}

/** dx = scale * ((dy - a) - ((x - meanHi) - meanLo) * b). */
export function normalizeBackward(dy: usize, x: usize, dx: usize, meanHi: usize, meanLo: usize, scale: usize, a: usize, b: usize, rows: i32, channels: i32): void {
  const stride = <usize>channels << 2;
  let row: usize = 0;
  for (let left = rows >> 2; left > 0; left--, row += stride << 2) backwardRows(dy + row, x + row, dx + row, stride, meanHi, meanLo, scale, a, b, 4);
  for (let left = rows & 3; left > 0; left--, row += stride) backwardRows(dy + row, x + row, dx + row, stride, meanHi, meanLo, scale, a, b, 1);
}

// @ts-ignore: decorator
@inline
function backwardRows(dy: usize, x: usize, dx: usize, stride: usize, meanHi: usize, meanLo: usize, scale: usize, a: usize, b: usize, group: i32): void {
  const wide = stride & ~15;
  for (let at: usize = 0; at < wide; at += 16) backwardAt(dy, x, dx, stride, meanHi, meanLo, scale, a, b, at, group, true);
  for (let at = wide; at < stride; at += 4) backwardAt(dy, x, dx, stride, meanHi, meanLo, scale, a, b, at, group, false);
}

// @ts-ignore: decorator
@inline
function backwardAt(
  dy: usize, x: usize, dx: usize, stride: usize, meanHi: usize, meanLo: usize, scale: usize, a: usize, b: usize, at: usize,
  group: i32, whole: bool,
): void {
  const hi = loadFloats(meanHi + at, whole);
  const lo = loadFloats(meanLo + at, whole);
  const factor = loadFloats(scale + at, whole);
  const meanDy = loadFloats(a + at, whole);
  const slope = loadFloats(b + at, whole);
  backwardFloats(dy + at, x + at, dx + at, hi, lo, factor, meanDy, slope, whole);
  if (group == 4) {
    backwardFloats(dy + at + stride, x + at + stride, dx + at + stride, hi, lo, factor, meanDy, slope, whole);
    backwardFloats(dy + at + 2 * stride, x + at + 2 * stride, dx + at + 2 * stride, hi, lo, factor, meanDy, slope, whole);
    backwardFloats(dy + at + 3 * stride, x + at + 3 * stride, dx + at + 3 * stride, hi, lo, factor, meanDy, slope, whole);
  }
}

// @ts-ignore: decorator
@inline
function backwardFloats(dy: usize, x: usize, dx: usize, hi: v128, lo: v128, factor: v128, meanDy: v128, slope: v128, whole: bool): void {
  const centred = f32x4.sub(f32x4.sub(loadFloats(x, whole), hi), lo);
  const rest = f32x4.sub(f32x4.sub(loadFloats(dy, whole), meanDy), f32x4.mul(centred, slope));
  storeFloats(dx, f32x4.mul(factor, rest), whole);
}
