/**
 * Room: layers (level 3). Orthogonal matrices from normal numbers, as Keras' initialiser makes them (Saxe et al., 2014): the rows or the columns, whichever are
 * fewer, have length 1 and stand on each other. By Gram and Schmidt, twice, in float64: nothing but + - * / sqrt.
 */

/** Fills a matrix of `columns` columns, times `gain`; `normal` gives the i-th of as many normal numbers. */
export function orthogonalize(values: Float32Array, columns: number, gain: number, normal: (i: number) => number): void {
  const rows = values.length / columns;
  const wide = columns >= rows;
  const [count, length] = wide ? [rows, columns] : [columns, rows];
  const vectors = Array.from({ length: count }, (_, v) => Float64Array.from({ length }, (_, i) => normal(wide ? v * columns + i : i * columns + v)));
  for (const [v, vector] of vectors.entries()) {
    // Once would leave what rounding left.
    for (let pass = 0; pass < 2; pass++) {
      for (let other = 0; other < v; other++) subtract(vector, vectors[other]!, dot(vector, vectors[other]!));
    }
    const norm = Math.sqrt(dot(vector, vector));
    for (let i = 0; i < length; i++) vector[i]! /= norm;
  }
  for (let v = 0; v < count; v++) for (let i = 0; i < length; i++) values[wide ? v * columns + i : i * columns + v] = gain * vectors[v]![i]!;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function subtract(a: Float64Array, b: Float64Array, factor: number): void {
  for (let i = 0; i < a.length; i++) a[i]! -= factor * b[i]!;
}
