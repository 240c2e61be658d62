/**
 * Room: numerics (level 1). base^exponent for any exponent, from + - * / and bit patterns only. A logarithm in float64 would lose as many
 * bits as the exponent has; here it is carried in two float64 whose sum is exact to some 100 bits. Not for hot paths.
 */
import { exp, ln2High, ln2Low } from './elementary.ts';

/** high + low, |low| at most half an ulp of high. */
type Pair = readonly [high: number, low: number];

const word = new DataView(new ArrayBuffer(8));

/** The sum of two numbers and what was lost of it (Knuth). */
function twoSum(a: number, b: number): Pair {
  const sum = a + b;
  const rest = sum - a;
  return [sum, a - (sum - rest) + (b - rest)];
}

/** The product of two numbers and what was lost of it (Dekker, by halves of 26 bits). */
function twoProduct(a: number, b: number): Pair {
  const [aHigh, bHigh] = [upperHalf(a), upperHalf(b)];
  const [aLow, bLow] = [a - aHigh, b - bHigh];
  const product = a * b;
  return [product, aHigh * bHigh - product + aHigh * bLow + aLow * bHigh + aLow * bLow];
}

function upperHalf(x: number): number {
  const scaled = 134217729 * x;
  return scaled - (scaled - x);
}

function add([a, aLow]: Pair, [b, bLow]: Pair): Pair {
  const [sum, lost] = twoSum(a, b);
  return twoSum(sum, lost + aLow + bLow);
}

function multiply([a, aLow]: Pair, [b, bLow]: Pair): Pair {
  const [product, lost] = twoProduct(a, b);
  return twoSum(product, lost + (a * bLow + aLow * b));
}

/** a / b for a number a. */
function quotient(a: number, [b, bLow]: Pair): Pair {
  const first = a / b;
  const [product, lost] = twoProduct(first, b);
  return twoSum(first, (a - product - lost - first * bLow) / b);
}

/** 1/3, 1/5, ..., 1/31: the series of log((1 + w) / (1 - w)) = 2 w (1 + w^2/3 + w^4/5 + ...), whose rest is under 2^-80 for |w| < 0.172. */
const oddInverses = Array.from({ length: 15 }, (_, k) => quotient(1, [2 * k + 3, 0]));

/** log(x) for 0 < x < Infinity. */
function logarithm(x: number): Pair {
  const isTiny = x < 2.2250738585072014e-308;
  word.setFloat64(0, isTiny ? x * 2 ** 54 : x);
  const bits = word.getInt32(0);
  const biased = (bits + 0x00095f62) >> 20;
  word.setInt32(0, bits - ((biased - 1023) << 20));
  const n = biased - 1023 - (isTiny ? 54 : 0);
  const m = word.getFloat64(0);
  const w = quotient(m - 1, twoSum(1, m));
  const square = multiply(w, w);
  let sum: Pair = [0, 0];
  for (let k = oddInverses.length - 1; k >= 0; k--) sum = multiply(add(oddInverses[k]!, sum), square);
  const [high, low] = multiply(w, add([1, 0], sum));
  return add(twoSum(n * ln2High, n * ln2Low), [2 * high, 2 * low]);
}

/** base^exponent for base >= 0 and a finite exponent, at most 2 ulp from exact while the result is normal; NaN for other arguments. */
export function power(base: number, exponent: number): number {
  if (!(base >= 0) || !Number.isFinite(exponent)) return Number.NaN;
  if (exponent === 0 || base === 1) return 1;
  if (base === 0 || base === Number.POSITIVE_INFINITY) return (base === 0) === exponent > 0 ? 0 : Number.POSITIVE_INFINITY;
  const log = logarithm(base);
  const estimate = log[0] * exponent;
  if (Math.abs(estimate) > 800) return estimate > 0 ? Number.POSITIVE_INFINITY : 0;
  const [high, low] = multiply(log, [exponent, 0]);
  const result = exp(high);
  return result === Number.POSITIVE_INFINITY ? result : result + result * low;
}
