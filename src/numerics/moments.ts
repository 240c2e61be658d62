/**
 * Room: numerics (level 1). Merging what shards know of a channel, in float64 and in place. Never E[x^2] - E[x]^2: the
 * squares are of centred values and merge by Chan's formula (Chan, Golub and LeVeque, 1983).
 */

/**
 * (meanA, m2A, countA) and (meanB, m2B, countB), for `channels` channels, become the moments of both together, in A's place:
 * delta = meanB - meanA; mean = meanA + delta * (countB / n); m2 = m2A + m2B + delta^2 * (countA * countB / n).
 * All offsets index `numbers`; each block is [mean (channels), ..., m2 (channels)], m2 `squares` numbers after its start.
 */
export function mergeMoments(numbers: Float64Array, a: number, countA: number, b: number, countB: number, channels: number, squares = channels): void {
  if (countB === 0) return;
  if (countA === 0) {
    numbers.copyWithin(a, b, b + squares + channels);
    return;
  }
  const n = countA + countB;
  const weight = countB / n;
  const spread = (countA * countB) / n;
  for (let c = 0; c < channels; c++) {
    const delta = numbers[b + c]! - numbers[a + c]!;
    numbers[a + c]! += delta * weight;
    numbers[a + squares + c] = numbers[a + squares + c]! + numbers[b + squares + c]! + delta * delta * spread;
  }
}

/** The `length` numbers at b are added to those at a. */
export function mergeSums(numbers: Float64Array, a: number, b: number, length: number): void {
  for (let i = 0; i < length; i++) numbers[a + i]! += numbers[b + i]!;
}
