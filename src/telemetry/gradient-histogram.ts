/**
 * Room: telemetry (level 2). Histograms of gradients: float32 numbers counted into buckets by sign, exponent and the first two bits of the
 * mantissa, read from their int32 bits. Counting takes no logarithm and allocates nothing, and the same bits give the same counts anywhere.
 * Four buckets an octave from 2^-40 to 2^24; smaller numbers count as zero, larger ones to the outermost buckets.
 */
import type { Histogram } from './event-file.ts';

const leastExponent = -40;
const largestExponent = 24;
/** Buckets of one sign between zero and the outermost one. */
const fineBuckets = 4 * (largestExponent - leastExponent);
/** Index of the bucket of zero; negative numbers are below it, rising like the numbers themselves. */
const zero = fineBuckets + 1;
/** Index of the counter of what is infinite or no number. */
const nonFinite = 2 * zero + 1;

/** Length of an array of counts. */
export const gradientCounters = nonFinite + 1;

/** By the upper 11 bits of a float32 (sign, exponent, two of the mantissa): its counter. */
const counterOf = Uint16Array.from({ length: 2048 }, (_, bits) => {
  const magnitude = bits & 1023;
  if (magnitude >= 255 * 4) return nonFinite;
  const steps = Math.min(Math.max(magnitude - 4 * (127 + leastExponent) + 1, 0), zero);
  return bits > 1023 ? zero - steps : zero + steps;
});

/** Bound `steps` away from zero: between buckets `steps - 1` and `steps` of the positive ones. */
function bound(steps: number): number {
  if (steps > zero) return 2 ** 128;
  return 2 ** (leastExponent + Math.floor((steps - 1) / 4)) * (1 + ((steps - 1) % 4) / 4);
}

/** The upper limit of every bucket, rising: the last is 2^128, which no float32 reaches. */
const limits = Float64Array.from({ length: nonFinite }, (_, index) => (index < zero ? -bound(zero - index) : bound(index - zero + 1)));
const least = -(2 ** 128);

/** One more for each of the float32 numbers whose bits are `bits[from, to)`. */
export function countInto(counts: Int32Array | Float64Array, bits: Int32Array, from: number, to: number): void {
  for (let i = from; i < to; i++) counts[counterOf[bits[i]! >>> 21]!]!++;
}

/** How many numbers were infinite or none at all: histograms leave them out. */
export function nonFiniteOf(counts: ArrayLike<number>): number {
  return counts[nonFinite]!;
}

/**
 * What was counted, or nothing when nothing finite was. `min` and `max` are bounds of the outermost buckets that hold numbers; `sum` and
 * `sumSquares` take each number for the middle of its bucket (zero, and 2^24 for the outermost): between them the sum of squares is right
 * within 27 %. A number at the very bound of two buckets is in the one farther from zero.
 */
export function histogramOf(counts: ArrayLike<number>): Histogram | undefined {
  const kept: { limits: number[]; counts: number[] } = { limits: [], counts: [] };
  let [first, last] = [-1, -1];
  let [num, sum, sumSquares] = [0, 0, 0];
  for (let i = 0; i < nonFinite; i++) {
    const count = counts[i]!;
    if (count === 0) continue;
    if (first < 0) first = i;
    // Empty buckets in a row are one.
    else if (last < i - 1) push(kept, limits[i - 1]!, 0);
    push(kept, limits[i]!, count);
    last = i;
    num += count;
    sum += count * middle(i);
    sumSquares += count * middle(i) * middle(i);
  }
  if (first < 0) return undefined;
  return { min: first === 0 ? least : limits[first - 1]!, max: limits[last]!, num, sum, sumSquares, ...kept };
}

function push(kept: { readonly limits: number[]; readonly counts: number[] }, limit: number, count: number): void {
  kept.limits.push(limit);
  kept.counts.push(count);
}

function middle(index: number): number {
  if (index === zero) return 0;
  if (index === 0 || index === 2 * zero) return Math.sign(index - zero) * 2 ** largestExponent;
  return (limits[index - 1]! + limits[index]!) / 2;
}
