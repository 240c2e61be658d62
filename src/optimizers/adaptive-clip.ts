/**
 * Room: optimizers (level 3). Adaptive clipping: the gradient of each unit of a weight W is held to a share of the norm of the unit's own weights,
 *
 *   g' = g * adaptiveClip * max(|W|, adaptiveClipEpsilon) / |g|   where |g| > adaptiveClip * max(|W|, adaptiveClipEpsilon), unit by unit
 *
 * A unit of a kernel (inputs, units) is a column, all weights into one unit; a bias, gamma or beta is one unit as a whole. Source: Brock, De, Smith and
 * Simonyan (2021), "High-Performance Large-Scale Image Recognition Without Normalization", equation 3; what a unit is, as in optax (`unitwise_norm`) and
 * timm. optax takes a kernel of one input as a vector; here, as in timm, each of its columns is a unit like any other's.
 *
 * Square sums are float64, added row by row; a factor is float64, and its product with a gradient is rounded once.
 */
import { optimizerDefaults } from '../config/defaults.ts';
import type { OptimizerConfig } from '../config/optimizers.ts';

export type AdaptiveClipConfig = Pick<OptimizerConfig, 'adaptiveClip' | 'adaptiveClipEpsilon'>;

/** The units of a weight: the columns of `rows` rows. */
export interface UnitGrid {
  readonly rows: number;
  readonly columns: number;
}

/** The factors of the columns [from, to) to f64[factors + column]; `sums` is room for as many numbers. `w` and `g` are indices of the whole weight and its gradient. */
export function measureUnits(
  { f32, f64 }: { readonly f32: Float32Array; readonly f64: Float64Array },
  { adaptiveClip = 0, adaptiveClipEpsilon = optimizerDefaults.adaptiveClipEpsilon }: AdaptiveClipConfig,
  { rows, columns }: UnitGrid,
  from: number,
  to: number,
  w: number,
  g: number,
  factors: number,
  sums: number,
): void {
  for (let column = from; column < to; column++) {
    f64[factors + column] = 0;
    f64[sums + column] = 0;
  }
  for (let row = 0; row < rows; row++) {
    const start = row * columns;
    for (let column = from; column < to; column++) {
      const weight = f32[w + start + column]!;
      const gradient = f32[g + start + column]!;
      f64[factors + column] = f64[factors + column]! + weight * weight;
      f64[sums + column] = f64[sums + column]! + gradient * gradient;
    }
  }
  for (let column = from; column < to; column++) {
    const norm = Math.sqrt(f64[factors + column]!);
    const most = adaptiveClip * (norm > adaptiveClipEpsilon ? norm : adaptiveClipEpsilon);
    const gradient = Math.sqrt(f64[sums + column]!);
    f64[factors + column] = gradient > most ? most / gradient : 1;
  }
}

/** Writes the clipped gradient of `count` numbers, of which the first is number `start` of its weight, from index `g` on to index `into` on. */
export function scaleByUnit(
  { f32, f64 }: { readonly f32: Float32Array; readonly f64: Float64Array },
  { columns }: UnitGrid,
  start: number,
  count: number,
  g: number,
  factors: number,
  into: number,
): void {
  let column = start % columns;
  for (let i = 0; i < count; i++) {
    f32[into + i] = f32[g + i]! * f64[factors + column]!;
    if (++column === columns) column = 0;
  }
}
