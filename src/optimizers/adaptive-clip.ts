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
  let column = from;
  // Four at a time: their sums stay in registers, and whole lines of memory are used.
  for (; column + 4 <= to; column += 4) {
    let w0 = 0;
    let w1 = 0;
    let w2 = 0;
    let w3 = 0;
    let g0 = 0;
    let g1 = 0;
    let g2 = 0;
    let g3 = 0;
    for (let row = 0, i = w + column, k = g + column; row < rows; row++, i += columns, k += columns) {
      w0 += f32[i]! * f32[i]!;
      w1 += f32[i + 1]! * f32[i + 1]!;
      w2 += f32[i + 2]! * f32[i + 2]!;
      w3 += f32[i + 3]! * f32[i + 3]!;
      g0 += f32[k]! * f32[k]!;
      g1 += f32[k + 1]! * f32[k + 1]!;
      g2 += f32[k + 2]! * f32[k + 2]!;
      g3 += f32[k + 3]! * f32[k + 3]!;
    }
    f64[factors + column] = w0;
    f64[factors + column + 1] = w1;
    f64[factors + column + 2] = w2;
    f64[factors + column + 3] = w3;
    f64[sums + column] = g0;
    f64[sums + column + 1] = g1;
    f64[sums + column + 2] = g2;
    f64[sums + column + 3] = g3;
  }
  for (; column < to; column++) {
    let weights = 0;
    let gradients = 0;
    for (let row = 0, i = w + column, k = g + column; row < rows; row++, i += columns, k += columns) {
      weights += f32[i]! * f32[i]!;
      gradients += f32[k]! * f32[k]!;
    }
    f64[factors + column] = weights;
    f64[sums + column] = gradients;
  }
  for (column = from; column < to; column++) {
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
  for (let i = 0; i < count; column = 0) {
    const end = Math.min(count, i + columns - column);
    for (; i < end; i++, column++) f32[into + i] = f32[g + i]! * f64[factors + column]!;
  }
}
