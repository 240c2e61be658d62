/**
 * Room: numerics (level 1). Elementary functions in float64 from + - * / sqrt and bit patterns only, so that every number
 * that reaches a weight has the same bits on every engine: the last bit of `Math.exp` and its kin may change between
 * versions. It never calls them and keeps no state. Errors are in units of the result's last place (ulp), measured
 * against mpmath in `test/numerics/elementary.test.ts`.
 */

const word = new DataView(new ArrayBuffer(8));

/** ln2 in two parts, of which the first ends in 21 zero bits: n * ln2High is exact for |n| < 2^21. */
export const ln2High = 0.6931471803691238;
export const ln2Low = 1.9082149292705877e-10;

/** c[0] + c[1] x + c[2] x^2 + ... */
function polynomial(c: readonly number[], x: number): number {
  let sum = 0;
  for (let i = c.length - 1; i >= 0; i--) sum = sum * x + c[i]!;
  return sum;
}

/** 2^n for -1022 <= n <= 1023. */
function powerOfTwo(n: number): number {
  word.setInt32(0, (n + 1023) << 20);
  word.setInt32(4, 0);
  return word.getFloat64(0);
}

/** 1/2!, 1/3!, ..., 1/13!: factorials up to 18! are exact, so each quotient is rounded once. */
const inverseFactorials = [2, 6, 24, 120, 720, 5040, 40320, 362880, 3628800, 39916800, 479001600, 6227020800].map((f) => 1 / f);

/** e^r - 1 = r + r^2/2! + ... + r^13/13! for |r| <= ln2 / 2; the rest is under 2^-57. */
function expm1Reduced(r: number): number {
  return r + r * r * polynomial(inverseFactorials, r);
}

/** e^x, under 1 ulp. With n = round(x / ln2), r = x - n ln2: e^x = 2^n e^r. */
export function exp(x: number): number {
  if (x > 709.782712893384) return Infinity;
  if (x < -745.1332191019412) return 0;
  if (Number.isNaN(x)) return x;
  const n = Math.round(x * Math.LOG2E);
  const r = x - n * ln2High - n * ln2Low;
  const half = n >> 1;
  return (1 + expm1Reduced(r)) * powerOfTwo(half) * powerOfTwo(n - half);
}

/** e^x - 1, under 1.5 ulp, also near 0: with s = 2^n it is s (e^r - 1) + (s - 1). */
export function expm1(x: number): number {
  if (Number.isNaN(x) || x === 0) return x;
  if (x < -40) return -1;
  if (x > 60) return exp(x);
  const n = Math.round(x * Math.LOG2E);
  const high = x - n * ln2High;
  const r = high - n * ln2Low;
  const lost = high - r - n * ln2Low;
  const p = expm1Reduced(r);
  const s = powerOfTwo(n);
  return s * (p + (lost + lost * p)) + (s - 1);
}

/** 2/3, 2/5, ..., 2/23: the series of log((1 + w) / (1 - w)) = 2 w + w^3 2/3 + w^5 2/5 + ... */
const oddInverses = [3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23].map((k) => 2 / k);

/** log(1 + f) for -0.3 < f < 0.42: with w = f / (2 + f) it is f - (f^2/2 - w (f^2/2 + R(w^2))). */
function log1pReduced(f: number, rest: number): number {
  const w = f / (2 + f);
  const v = w * w;
  const half = 0.5 * f * f;
  return f - (half - (w * (half + v * polynomial(oddInverses, v)) + rest));
}

/** log(u + c) for u > 0 normal and |c| below an ulp of u: u = 2^n m, sqrt(1/2) <= m < sqrt(2), n ln2 + log(m). */
function logSum(u: number, c: number): number {
  word.setFloat64(0, u);
  const bits = word.getInt32(0);
  const n = (bits + 0x00095f62) >> 20;
  word.setInt32(0, bits - ((n - 1023) << 20));
  const e = n - 1023;
  return e * ln2High + log1pReduced(word.getFloat64(0) - 1, e * ln2Low + c / u);
}

/** log(x), under 1 ulp; NaN for x < 0, -Infinity for 0. */
export function log(x: number): number {
  if (x > 0 && x < Infinity) return x < 2.2250738585072014e-308 ? logSum(x * 2 ** 54, 0) - 54 * Math.LN2 : logSum(x, 0);
  return x === 0 ? -Infinity : x < 0 ? NaN : x;
}

/** log(1 + x), under 1 ulp, also near 0: the rounding error of u = 1 + x is carried as c. */
export function log1p(x: number): number {
  if (x > -0.29 && x < 0.41) return x === 0 ? x : log1pReduced(x, 0);
  if (x <= -1) return x === -1 ? -Infinity : NaN;
  if (!(x < Infinity)) return x;
  const u = 1 + x;
  return logSum(u, x < 1 ? x - (u - 1) : 1 - (u - x));
}

/** (e^x - e^-x) / (e^x + e^-x), under 2 ulp: t / (t + 2) with t = e^2|x| - 1, from 1 on as 1 - 2 / (t + 2). */
export function tanh(x: number): number {
  if (Number.isNaN(x) || x === 0) return x;
  const a = Math.abs(x);
  const t = expm1(2 * Math.min(a, 22));
  const y = a < 1 ? t / (t + 2) : 1 - 2 / (t + 2);
  return x < 0 ? -y : y;
}

/** (-1)^n / (n! (2n + 1)) for n = 0..15: the series of erf(x) sqrt(pi) / (2 x) in x^2. */
const erfSeries: number[] = [];
for (let n = 0, factorial = 1; n <= 15; n++, factorial *= -n) erfSeries.push(1 / (factorial * (2 * n + 1)));

/** Chebyshev series of (1 + 2a) e^(a^2) erfc(a) in (a - 3) / (a + 3), for 0.5 <= a <= 28 (fitted with mpmath at 50 digits). */
const erfcSeries = [
  2.446551775547747, -0.059852608489178595, -0.028412712737120566, 0.017031503492578544, -0.005147889380443857, 0.001024695541168935, -0.00012737885388214903,
  5.130457209853139e-6, 1.2998673081335992e-6, -2.1362528448958494e-7, -6.426017857735834e-9, 4.5036454062111905e-9, -7.40109298660481e-11, -9.514961707153514e-11,
  3.3979883030591013e-12, 2.248695655468793e-12, -7.182088696854332e-14, -5.933539963885316e-14, 3.6213425728164197e-16, 1.6593563159117904e-15, 6.399876434880405e-17,
  -4.5545709835584233e-17, -4.741453119973089e-18,
];

/** erfc(a) for 0.5 <= a < 28: e^(-a^2) times the fit, by Clenshaw; a^2 is split so that e^(-a^2) keeps its last bits. */
function erfcFar(a: number): number {
  const from = -5 / 7;
  const to = 25 / 31;
  const v = (2 * ((a - 3) / (a + 3)) - from - to) / (to - from);
  let b1 = 0;
  let b2 = 0;
  for (let i = erfcSeries.length - 1; i > 0; i--) [b1, b2] = [2 * v * b1 - b2 + erfcSeries[i]!, b1];
  const fit = v * b1 - b2 + 0.5 * erfcSeries[0]!;
  const high = Math.fround(a);
  return (exp(-high * high) * exp((high - a) * (high + a)) * fit) / (1 + 2 * a);
}

/** erf(x) = 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x, under 2 ulp. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a < 0.75) return 1.1283791670955126 * x * polynomial(erfSeries, x * x);
  if (Number.isNaN(x)) return x;
  const y = a < 6 ? 1 - erfcFar(a) : 1;
  return x < 0 ? -y : y;
}

/** 1 - erf(x) without cancellation, under 4 ulp (under 2 for x < 0.5) while the result is normal. */
export function erfc(x: number): number {
  if (Number.isNaN(x)) return x;
  if (x < 0.5) return 1 - erf(x);
  return x < 28 ? erfcFar(x) : 0;
}

/** 1/k! for the even k up to 18 and the odd k up to 19, signs alternating: cos(y), and sin(y) / y, in y^2. */
const cosSeries: number[] = [];
const sinSeries: number[] = [];
for (let k = 0, factorial = 1; k <= 9; k++, factorial *= -(2 * k - 1) * 2 * k) {
  cosSeries.push(1 / factorial);
  sinSeries.push(1 / (factorial * (2 * k + 1)));
}

/** cos(2 pi x) for 0 <= x < 1, under 2 ulp: x is reduced exactly to a quarter turn and a rest r of at most 1/8. */
export function cosTwoPi(x: number): number {
  return quarterTurns(x, 0);
}

/** sin(2 pi x) for 0 <= x < 1, as `cosTwoPi`. */
export function sinTwoPi(x: number): number {
  return quarterTurns(x, 3);
}

/** cos(2 pi (x + quarters / 4)). */
function quarterTurns(x: number, quarters: number): number {
  const nearest = Math.round(4 * x);
  const r = x - nearest / 4;
  const y = 6.283185307179586 * r;
  const v = y * y;
  const turn = (nearest + quarters) & 3;
  const value = turn & 1 ? y * polynomial(sinSeries, v) : polynomial(cosSeries, v);
  return turn === 1 || turn === 2 ? -value : value;
}

/**
 * base^exponent for an integer exponent, by squaring: exact whenever every intermediate product is; otherwise a relative
 * error of at most about |exponent| 2^-53.
 */
export function integerPower(base: number, exponent: number): number {
  let result = 1;
  let factor = base;
  for (let n = Math.abs(exponent); n > 0; n = Math.floor(n / 2)) {
    if (n % 2 === 1) result *= factor;
    factor *= factor;
  }
  return exponent < 0 ? 1 / result : result;
}
