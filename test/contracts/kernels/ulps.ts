/**
 * Room: tests of kernels. Distances between float32 numbers in units of the last place, and bit-for-bit equality of
 * tensors. It knows nothing of kernels.
 */

const float = new Float32Array(1);
const int = new Int32Array(float.buffer);

/** The place of a float32 in the order of all float32: neighbours differ by 1, and 0 and -0 are the same. */
function place(x: number): number {
  float[0] = x;
  const bits = int[0]!;
  return bits < 0 ? -(bits & 0x7fff_ffff) : bits;
}

/** How many float32 numbers apart two of them are; 0 for two NaN, Infinity when only one is NaN. */
export function ulpsBetween(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) && Number.isNaN(b) ? 0 : Infinity;
  return Math.abs(place(a) - place(b));
}

/** True when both tensors hold the same numbers, bit for bit (one NaN is as good as another). */
export function sameBits(a: Float32Array, b: Float32Array): boolean {
  return a.length === b.length && a.every((value, i) => Object.is(value, b[i]));
}
