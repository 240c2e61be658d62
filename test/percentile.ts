/**
 * Room: tests. A percentile from numbers in order: numpy's definition, without any haste.
 */
export function percentileOf(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = (percent / 100) * (sorted.length - 1);
  const below = Math.floor(place);
  const [a, b, share] = [sorted[below]!, sorted[Math.min(below + 1, sorted.length - 1)]!, place - below];
  return share >= 0.5 ? b - (b - a) * (1 - share) : a + (b - a) * share;
}
