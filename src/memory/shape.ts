/**
 * Room: memory (level 1). Shapes without the batch dimension, as plain lists of positive integers.
 */

/** Dimensions of one sample, outermost first; `[]` is a single number. */
export type Shape = readonly number[];

/** How many numbers a sample of this shape holds. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

/** True when both have the same dimensions in the same order. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dimension, i) => dimension === b[i]);
}

/** A shape as messages and tables print it: `(28, 28)`; with `batch`, `(None, 28, 28)` as in Keras. */
export function formatShape(shape: Shape, batch = false): string {
  const dimensions = batch ? ['None', ...shape] : [...shape];
  return dimensions.length === 1 ? `(${dimensions[0]},)` : `(${dimensions.join(', ')})`;
}
