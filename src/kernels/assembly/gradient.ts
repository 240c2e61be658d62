/**
 * Room: kernels (level 2), AssemblyScript. The gradient as every update reads it: scaled and held within its limit. Not exported
 * to the outside: a part of other kernels' loops.
 */
import { loadFloats } from './lanes';

/** g' = clamp(g * scale, -limit, limit); a NaN stays a NaN. */
// @ts-ignore: decorator
@inline
export function gradient(g: usize, scale: v128, limit: v128, whole: bool): v128 {
  return f32x4.pmax(f32x4.pmin(f32x4.mul(loadFloats(g, whole), scale), limit), f32x4.neg(limit));
}
