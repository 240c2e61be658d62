/**
 * Room: layers (level 3). The axes that a normalisation names. In configs axis 0 is the batch, -1 the last dimension.
 */
import { LockstepError } from '../errors.ts';
import { formatShape, type Shape } from '../memory/shape.ts';

/** Axes of a sample (0 is its first dimension), ascending. Throws LOCKSTEP_SHAPE for those that it does not have. */
export function checkedAxes(axis: number | readonly number[], inputShape: Shape, place: string): number[] {
  const rank = inputShape.length + 1;
  const axes = (typeof axis === 'number' ? [axis] : [...axis]).map((a) => (a < 0 ? a + rank : a));
  if (axes.some((a) => a < 1 || a >= rank) || new Set(axes).size !== axes.length) {
    throw new LockstepError(
      'LOCKSTEP_SHAPE',
      `Expected \`${place}.axis\` to name different dimensions from 1 to ${rank - 1} of ${formatShape(inputShape, true)}, got ${JSON.stringify(axis)}; 0 is the batch, -1 the last dimension.`,
    );
  }
  return axes.map((a) => a - 1).sort((a, b) => a - b);
}
