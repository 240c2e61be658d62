/**
 * Room: kernels (level 2), AssemblyScript. Loads and stores of a whole vector or of its first number alone, so that a
 * kernel writes its formula once and the tail of a row computes the very same operations as its body. It promises to
 * touch no byte beyond the numbers asked for. `whole` is a constant at every call: the compiler drops the other branch.
 */

/** Four float32 from `address`, or one and three zeros. */
// @ts-ignore: decorator
@inline
export function loadFloats(address: usize, whole: bool): v128 {
  return whole ? v128.load(address) : v128.load32_zero(address);
}

/** Writes all four float32 of `value`, or the first alone. */
// @ts-ignore: decorator
@inline
export function storeFloats(address: usize, value: v128, whole: bool): void {
  if (whole) v128.store(address, value);
  else store<f32>(address, f32x4.extract_lane(value, 0));
}

/** Two float32 from `address` (the upper half zero), or one. */
// @ts-ignore: decorator
@inline
export function loadPair(address: usize, whole: bool): v128 {
  return whole ? v128.load64_zero(address) : v128.load32_zero(address);
}

/** Two float64 from `address`, or one and a zero. */
// @ts-ignore: decorator
@inline
export function loadDoubles(address: usize, whole: bool): v128 {
  return whole ? v128.load(address) : v128.load64_zero(address);
}

/** Writes both float64 of `value`, or the first alone. */
// @ts-ignore: decorator
@inline
export function storeDoubles(address: usize, value: v128, whole: bool): void {
  if (whole) v128.store(address, value);
  else store<f64>(address, f64x2.extract_lane(value, 0));
}
