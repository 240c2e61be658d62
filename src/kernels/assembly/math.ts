/**
 * Room: kernels, in AssemblyScript. Exponentials, logarithm and normal tail for the other kernels, on vectors of four
 * float32 or two float64, from exact operations only: the same bits on every machine, in every lane.
 * It promises that NaN stays NaN and that a lane's result depends on that lane alone. It never branches on data, never
 * touches memory except in `loadPart` and `storePart`, never uses a table, fused or relaxed operations.
 *
 * `pmin(x, c)` and `pmax(x, c)` are one instruction each and keep a NaN that stands first: c < x ? c : x, x < c ? c : x.
 * Polynomials are weighted minimax fits (Lawson) of (e^r - 1 - r) / r^2 on |r| <= ln2 / 2 and of what each line says.
 */

/** 2^-64: exponentials and quotients that may leave float32's range are computed at 2^64 or 2^-64 times their size. */
export const unlift: f32 = 5.421010862427522e-20;

/** c as four float32, x as two float64. */
// @ts-ignore: decorator
@inline
export function f4(c: f32): v128 {
  return f32x4.splat(c);
}
// @ts-ignore: decorator
@inline
export function d2(x: f64): v128 {
  return f64x2.splat(x);
}

/** The `lanes` (1 to 3) float32 at `address` in the low lanes, 0 in the others. */
// @ts-ignore: decorator
@inline
export function loadPart(address: usize, lanes: i32): v128 {
  if (lanes == 1) return v128.load32_zero(address);
  const pair = v128.load64_zero(address);
  return lanes == 2 ? pair : v128.load_lane<f32>(address, pair, 2, 8);
}

/** Stores the `lanes` (1 to 3) low float32 of v at `address`. */
// @ts-ignore: decorator
@inline
export function storePart(address: usize, v: v128, lanes: i32): void {
  if (lanes == 1) {
    v128.store_lane<f32>(address, v, 0);
  } else {
    v128.store_lane<f64>(address, v, 0);
    if (lanes == 3) v128.store_lane<f32>(address, v, 2, 8);
  }
}

/** The two low, the two high float32 of v as float64; and back. */
// @ts-ignore: decorator
@inline
export function low(v: v128): v128 {
  return f64x2.promote_low_f32x4(v);
}
// @ts-ignore: decorator
@inline
export function high(v: v128): v128 {
  return f64x2.promote_low_f32x4(v128.shuffle<f64>(v, v, 1, 0));
}
// @ts-ignore: decorator
@inline
export function narrow(lowHalf: v128, highHalf: v128): v128 {
  return v128.shuffle<f64>(f32x4.demote_f64x2_zero(lowHalf), f32x4.demote_f64x2_zero(highHalf), 0, 2);
}

/** e^r - 1 for |r| <= ln2 / 2, float32, error 2^-26 before rounding: r + r^2 q(r), q in pairs: short chains overlap better. */
// @ts-ignore: decorator
@inline
function expm1Reduced(r: v128): v128 {
  const r2 = f32x4.mul(r, r);
  const q0 = f32x4.add(f4(0.49999998), f32x4.mul(f4(0.16666543), r));
  const q2 = f32x4.add(f4(0.0416672), f32x4.mul(f4(0.00836658012), r));
  return f32x4.add(r, f32x4.mul(r2, f32x4.add(q0, f32x4.mul(r2, f32x4.add(q2, f32x4.mul(r2, f4(0.00138825097)))))));
}

/** x / ln2 rounded, as an integer in the low bits of a float32 near 1.5 * 2^23. */
// @ts-ignore: decorator
@inline
function shifted(x: v128): v128 {
  return f32x4.add(f32x4.mul(x, f4(1.44269504)), f4(12582912));
}

/** r = x - n ln2 with ln2 = 0.693359375 - 2.1219444e-4, for the integer n in `t`. */
// @ts-ignore: decorator
@inline
function reduced(x: v128, t: v128): v128 {
  const n = f32x4.sub(t, f4(12582912));
  return f32x4.add(f32x4.sub(x, f32x4.mul(n, f4(0.693359375))), f32x4.mul(n, f4(2.1219444e-4)));
}

/** e^x - 1 for x <= 0, float32: s (e^r - 1) + (s - 1) with s = 2^n. Lanes with x > 0 hold anything. */
// @ts-ignore: decorator
@inline
export function expm1(x: v128): v128 {
  const clamped = f32x4.pmax(x, f4(-30));
  const t = shifted(clamped);
  const s = i32x4.shl(i32x4.add(t, i32x4.splat(127)), 23);
  return f32x4.add(f32x4.mul(s, expm1Reduced(reduced(clamped, t))), f32x4.sub(s, f4(1)));
}

/** 2^64 e^(d + rest) for d <= 0 and |rest| below an ulp of d, float32; d counts as at least -120. */
// @ts-ignore: decorator
@inline
export function expScaled(d: v128, rest: v128): v128 {
  const clamped = f32x4.pmax(d, f4(-120));
  const t = shifted(clamped);
  const s = i32x4.shl(i32x4.add(t, i32x4.splat(127 + 64)), 23);
  return f32x4.mul(s, f32x4.add(expm1Reduced(f32x4.add(reduced(clamped, t), rest)), f4(1)));
}

/** 2^-64 (1 + e^-z), float32, as s + (2^-64 + s (e^r - 1)) with s = 2^(n - 64): z counts as at most 30 and at least -120. */
// @ts-ignore: decorator
@inline
export function logisticDenominator(z: v128): v128 {
  const d = f32x4.pmin(f32x4.pmax(f32x4.neg(z), f4(-30)), f4(120));
  const t = shifted(d);
  const s = i32x4.shl(i32x4.add(t, i32x4.splat(127 - 64)), 23);
  return f32x4.add(s, f32x4.add(f4(unlift), f32x4.mul(s, expm1Reduced(reduced(d, t)))));
}

/** 2^-64 e^d for -60 <= d <= 120, float32. */
// @ts-ignore: decorator
@inline
export function expLowered(d: v128): v128 {
  const t = shifted(d);
  const s = i32x4.shl(i32x4.add(t, i32x4.splat(127 - 64)), 23);
  return f32x4.add(s, f32x4.mul(s, expm1Reduced(reduced(d, t))));
}

/** 1 + e^d for 0 <= d, which counts as at most 30, float32. */
// @ts-ignore: decorator
@inline
export function onePlusExp(d: v128): v128 {
  const clamped = f32x4.pmin(d, f4(30));
  const t = shifted(clamped);
  const s = i32x4.shl(i32x4.add(t, i32x4.splat(127)), 23);
  return f32x4.add(f32x4.add(f4(1), s), f32x4.mul(s, expm1Reduced(reduced(clamped, t))));
}

/** e^d for -700 <= d <= 0, float64 with a relative error of 2^-31. */
// @ts-ignore: decorator
@inline
export function expWide(d: v128): v128 {
  const t = f64x2.add(f64x2.mul(d, d2(1.4426950408889634)), d2(6755399441055744));
  const r = f64x2.sub(d, f64x2.mul(f64x2.sub(t, d2(6755399441055744)), d2(0.6931471805599453)));
  const s = i64x2.shl(i64x2.add(t, i64x2.splat(1023)), 52);
  const r2 = f64x2.mul(r, r);
  const q0 = f64x2.add(d2(0.5000000044399929), f64x2.mul(d2(0.1666666636886194), r));
  const q2 = f64x2.add(d2(0.041666359818790966), f64x2.mul(d2(0.008333389571686617), r));
  const q4 = f64x2.add(d2(0.0013940720121051575), f64x2.mul(d2(0.00019845885452075585), r));
  const q = f64x2.add(q0, f64x2.mul(r2, f64x2.add(q2, f64x2.mul(r2, q4))));
  return f64x2.mul(s, f64x2.add(f64x2.add(r, f64x2.mul(r2, q)), d2(1)));
}

/** log(1 + e) for 0 <= e <= 1, float64 with a relative error of 2^-33: 2 atanh(w), w = e / (2 + e) <= 1/3. */
// @ts-ignore: decorator
@inline
export function log1pWide(e: v128): v128 {
  const w = f64x2.div(e, f64x2.add(e, d2(2)));
  const v = f64x2.mul(w, w);
  const v2 = f64x2.mul(v, v);
  const p0 = f64x2.add(d2(0.999999999904503007), f64x2.mul(d2(0.333333395132169848), v));
  const p2 = f64x2.add(d2(0.199993556234311658), f64x2.mul(d2(0.143101037042186192), v));
  const p4 = f64x2.add(d2(0.106992802533392716), f64x2.mul(d2(0.121969540420115125), v));
  return f64x2.mul(f64x2.add(w, w), f64x2.add(p0, f64x2.mul(v2, f64x2.add(p2, f64x2.mul(v2, p4)))));
}

/**
 * Phi(-a) e^(a^2 / 2) for a >= 0, Phi the normal distribution: erfc(a / sqrt2) e^(a^2 / 2) / 2, float64, as a rational
 * function with a relative error of 2^-33 for a <= 15, beyond which every product with e^(-a^2 / 2) is 0 in float32.
 */
// @ts-ignore: decorator
@inline
export function normalTail(a: v128): v128 {
  const a2 = f64x2.mul(a, a);
  const p0 = f64x2.add(d2(0.49999999995541167), f64x2.mul(d2(0.5083738188461321), a));
  const p2 = f64x2.add(d2(0.2513183520031252), f64x2.mul(d2(0.07162549274131759), a));
  const p4 = f64x2.add(d2(0.011714896689004451), f64x2.mul(d2(0.0008970211873704832), a));
  const q0 = f64x2.add(d2(1), f64x2.mul(d2(1.8146321899791993), a));
  const q2 = f64x2.add(d2(1.4505038425501031), f64x2.mul(d2(0.6592302491161427), a));
  const q4 = f64x2.add(d2(0.18179234117724422), f64x2.mul(d2(0.029364714465038112), a));
  const p = f64x2.add(p0, f64x2.mul(a2, f64x2.add(p2, f64x2.mul(a2, p4))));
  const q6 = f64x2.mul(a2, d2(0.0022485012644505873));
  return f64x2.div(p, f64x2.add(q0, f64x2.mul(a2, f64x2.add(q2, f64x2.mul(a2, f64x2.add(q4, q6))))));
}

/** log(x) of one finite float64 x >= 1, error under 2 ulp: n ln2 + 2 atanh((m - 1) / (m + 1)), m = x 2^-n in [sqrt(1/2), sqrt(2)). */
export function log(x: f64): f64 {
  const bits = reinterpret<u64>(x) + 0x00095f619980c433;
  const n = <f64>(<i64>(bits >> 52) - 1023);
  const m = reinterpret<f64>((bits & 0x000fffffffffffff) + 0x3fe6a09e667f3bcd);
  const f = m - 1;
  const w = f / (m + 1);
  const v = w * w;
  let p: f64 = 1.0 / 21.0;
  p = p * v + 1.0 / 19.0;
  p = p * v + 1.0 / 17.0;
  p = p * v + 1.0 / 15.0;
  p = p * v + 1.0 / 13.0;
  p = p * v + 1.0 / 11.0;
  p = p * v + 1.0 / 9.0;
  p = p * v + 1.0 / 7.0;
  p = p * v + 1.0 / 5.0;
  p = p * v + 1.0 / 3.0;
  const half = 0.5 * f * f;
  const tail = w * (half + 2 * v * p) + n * 1.9082149292705877e-10;
  return n * 0.6931471803691238 + (f - (half - tail));
}
