/**
 * Room: numerics (level 1). Percentiles as numpy's default method has them, `linear`: of n numbers in order, that at place (n - 1) * percent / 100, in a
 * straight line between neighbours. What stands at a place does not depend on how it was found, so the order of the numbers changes no bit.
 */

/** The percentile (0 to 100) of the first `count` (at least 1) of finite `values`, which it reorders. Bit for bit numpy's `percentile` of float64. */
export function percentile(values: Float64Array, count: number, percent: number): number {
  const place = (percent / 100) * (count - 1);
  const below = Math.floor(place);
  const share = place - below;
  select(values, count, below);
  const a = values[below]!;
  if (share === 0) return a;
  let b = values[below + 1]!;
  for (let i = below + 2; i < count; i++) if (values[i]! < b) b = values[i]!;
  // The nearer neighbour is what is added to, as in numpy.
  return share >= 0.5 ? b - (b - a) * (1 - share) : a + (b - a) * share;
}

/** Hoare's selection: afterwards what is before `place` is not larger than what stands there, and what is behind it not smaller. */
function select(values: Float64Array, count: number, place: number): void {
  let first = 0;
  let last = count - 1;
  while (first < last) {
    const pivot = values[(first + last) >>> 1]!;
    let low = first;
    let high = last;
    while (low <= high) {
      while (values[low]! < pivot) low++;
      while (values[high]! > pivot) high--;
      if (low > high) break;
      const value = values[low]!;
      values[low++] = values[high]!;
      values[high--] = value;
    }
    if (place <= high) last = high;
    else if (place >= low) first = low;
    else return;
  }
}
