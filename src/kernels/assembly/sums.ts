/**
 * Room: kernels/assembly (level 2). Sums over rows and over everything, and x += y. It promises the order of additions
 * that the contract states, in float64 where it says so, with vectors only across independent sums. It never reorders
 * by size.
 */

/** Columns that keep their float64 sums in registers at a time. */
const stripColumns: i32 = 8;

/** out (columns) = sum of x (rows, columns) over rows, float64 accumulators in row order, rounded once. */
export function columnSums(x: usize, out: usize, rows: i32, columns: i32): void {
  const stride = <usize>columns << 2;
  let column = 0;
  for (; column + stripColumns <= columns; column += stripColumns) {
    let s0 = f64x2.splat(0);
    let s1 = f64x2.splat(0);
    let s2 = f64x2.splat(0);
    let s3 = f64x2.splat(0);
    let at = x + (<usize>column << 2);
    for (let row = 0; row < rows; row++) {
      const low = v128.load(at);
      const high = v128.load(at, 16);
      s0 = f64x2.add(s0, f64x2.promote_low_f32x4(low));
      s1 = f64x2.add(s1, f64x2.promote_low_f32x4(upper(low)));
      s2 = f64x2.add(s2, f64x2.promote_low_f32x4(high));
      s3 = f64x2.add(s3, f64x2.promote_low_f32x4(upper(high)));
      at += stride;
    }
    const to = out + (<usize>column << 2);
    v128.store(to, i64x2.shuffle(f32x4.demote_f64x2_zero(s0), f32x4.demote_f64x2_zero(s1), 0, 2));
    v128.store(to, i64x2.shuffle(f32x4.demote_f64x2_zero(s2), f32x4.demote_f64x2_zero(s3), 0, 2), 16);
  }
  for (; column < columns; column++) {
    let sum: f64 = 0;
    let at = x + (<usize>column << 2);
    for (let row = 0; row < rows; row++) {
      sum += <f64>f32.load(at);
      at += stride;
    }
    f32.store(out + (<usize>column << 2), <f32>sum);
  }
}

/** Lanes 2 and 3 in the place of 0 and 1. */
// @ts-ignore: decorator
@inline
function upper(x: v128): v128 {
  return i64x2.shuffle(x, x, 1, 1);
}

/** x += y, `count` numbers. */
export function add(x: usize, y: usize, count: i32): void {
  let left = count;
  for (; left >= 8; left -= 8) {
    const low = f32x4.add(v128.load(x), v128.load(y));
    const high = f32x4.add(v128.load(x, 16), v128.load(y, 16));
    v128.store(x, low);
    v128.store(x, high, 16);
    x += 32;
    y += 32;
  }
  for (; left > 0; left--) {
    f32.store(x, f32.load(x) + f32.load(y));
    x += 4;
    y += 4;
  }
}

/** out (1 float64) = sum of x[i]^2: element i goes to lane i % 8, then ((l0+l1)+(l2+l3))+((l4+l5)+(l6+l7)). */
export function squareSum(x: usize, count: i32, out: usize): void {
  let s0 = f64x2.splat(0);
  let s1 = f64x2.splat(0);
  let s2 = f64x2.splat(0);
  let s3 = f64x2.splat(0);
  let left = count;
  for (; left >= 8; left -= 8) {
    const low = v128.load(x);
    const high = v128.load(x, 16);
    const p0 = f64x2.promote_low_f32x4(low);
    const p1 = f64x2.promote_low_f32x4(upper(low));
    const p2 = f64x2.promote_low_f32x4(high);
    const p3 = f64x2.promote_low_f32x4(upper(high));
    s0 = f64x2.add(s0, f64x2.mul(p0, p0));
    s1 = f64x2.add(s1, f64x2.mul(p1, p1));
    s2 = f64x2.add(s2, f64x2.mul(p2, p2));
    s3 = f64x2.add(s3, f64x2.mul(p3, p3));
    x += 32;
  }
  let l0 = f64x2.extract_lane(s0, 0);
  let l1 = f64x2.extract_lane(s0, 1);
  let l2 = f64x2.extract_lane(s1, 0);
  let l3 = f64x2.extract_lane(s1, 1);
  let l4 = f64x2.extract_lane(s2, 0);
  let l5 = f64x2.extract_lane(s2, 1);
  let l6 = f64x2.extract_lane(s3, 0);
  const l7 = f64x2.extract_lane(s3, 1);
  if (left > 0) l0 += square(x);
  if (left > 1) l1 += square(x + 4);
  if (left > 2) l2 += square(x + 8);
  if (left > 3) l3 += square(x + 12);
  if (left > 4) l4 += square(x + 16);
  if (left > 5) l5 += square(x + 20);
  if (left > 6) l6 += square(x + 24);
  f64.store(out, l0 + l1 + (l2 + l3) + (l4 + l5 + (l6 + l7)));
}

/** The square of the number at x, in float64. */
// @ts-ignore: decorator
@inline
function square(x: usize): f64 {
  const value = <f64>f32.load(x);
  return value * value;
}
