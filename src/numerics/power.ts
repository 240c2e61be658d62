/**
 * Room: numerics (level 1). base^exponent for any exponent, from + - * / and bit patterns only. A logarithm in float64 would lose as many
 * bits as the exponent has; here it is carried in two float64, high and low, whose sum is exact to some 100 bits. Functions of such pairs return
 * the high part and leave the low one in `rest`, so that a step allocates nothing.
 */
import { exp, ln2High, ln2Low } from './elementary.ts';

const word = new DataView(new ArrayBuffer(8));

/** The low part of the last result. */
const rest = new Float64Array(1);

/** The sum of two numbers and what was lost of it (Knuth). */
function twoSum(a: number, b: number): number {
  const sum = a + b;
  const part = sum - a;
  rest[0] = a - (sum - part) + (b - part);
  return sum;
}

/** The product of two numbers and what was lost of it (Dekker, by halves of 26 bits). */
function twoProduct(a: number, b: number): number {
  const aHigh = upperHalf(a);
  const bHigh = upperHalf(b);
  const aLow = a - aHigh;
  const bLow = b - bHigh;
  const product = a * b;
  rest[0] = aHigh * bHigh - product + aHigh * bLow + aLow * bHigh + aLow * bLow;
  return product;
}

function upperHalf(x: number): number {
  const scaled = 134217729 * x;
  return scaled - (scaled - x);
}

function add(a: number, aLow: number, b: number, bLow: number): number {
  const sum = twoSum(a, b);
  return twoSum(sum, rest[0]! + aLow + bLow);
}

function multiply(a: number, aLow: number, b: number, bLow: number): number {
  const product = twoProduct(a, b);
  return twoSum(product, rest[0]! + (a * bLow + aLow * b));
}

/** a / b for a number a. */
function quotient(a: number, b: number, bLow: number): number {
  const first = a / b;
  const product = twoProduct(first, b);
  return twoSum(first, (a - product - rest[0]! - first * bLow) / b);
}

/** 1/3, 1/5, ..., 1/31, high and low: the series of log((1 + w) / (1 - w)) = 2 w (1 + w^2/3 + w^4/5 + ...), whose rest is under 2^-80 for |w| < 0.172. */
const oddInverses = new Float64Array(30);
for (let k = 0; k < 15; k++) {
  oddInverses[2 * k] = quotient(1, 2 * k + 3, 0);
  oddInverses[2 * k + 1] = rest[0]!;
}

/** log(x) for 0 < x < Infinity: with x = 2^n m, sqrt(1/2) <= m < sqrt(2), and w = (m - 1) / (m + 1) it is n ln2 + log((1 + w) / (1 - w)). */
function logarithm(x: number): number {
  const isTiny = x < 2.2250738585072014e-308;
  word.setFloat64(0, isTiny ? x * 2 ** 54 : x);
  const bits = word.getInt32(0);
  const exponent = ((bits + 0x00095f62) >> 20) - 1023;
  word.setInt32(0, bits - (exponent << 20));
  const m = word.getFloat64(0);
  const below = twoSum(1, m);
  const w = quotient(m - 1, below, rest[0]!);
  const wLow = rest[0]!;
  const square = multiply(w, wLow, w, wLow);
  const squareLow = rest[0]!;
  let sum = 0;
  let sumLow = 0;
  for (let k = 28; k >= 0; k -= 2) {
    sum = add(oddInverses[k]!, oddInverses[k + 1]!, sum, sumLow);
    sum = multiply(sum, rest[0]!, square, squareLow);
    sumLow = rest[0]!;
  }
  sum = add(1, 0, sum, sumLow);
  const half = multiply(w, wLow, sum, rest[0]!);
  const halfLow = rest[0]!;
  const n = isTiny ? exponent - 54 : exponent;
  const whole = twoSum(n * ln2High, n * ln2Low);
  return add(whole, rest[0]!, 2 * half, 2 * halfLow);
}

/** base^exponent for base >= 0 and a finite exponent, at most 2 ulp from exact while the result is normal; NaN for other arguments. */
export function power(base: number, exponent: number): number {
  if (!(base >= 0) || !Number.isFinite(exponent)) return Number.NaN;
  if (exponent === 0 || base === 1) return 1;
  if (base === 0 || base === Number.POSITIVE_INFINITY) return (base === 0) === exponent > 0 ? 0 : Number.POSITIVE_INFINITY;
  const log = logarithm(base);
  const estimate = log * exponent;
  if (Math.abs(estimate) > 800) return estimate > 0 ? Number.POSITIVE_INFINITY : 0;
  const high = multiply(log, rest[0]!, exponent, 0);
  const low = rest[0]!;
  const result = exp(high);
  return result === Number.POSITIVE_INFINITY ? result : result + result * low;
}
