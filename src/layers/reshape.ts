/**
 * Room: layers (level 3). Flatten and Reshape: other dimensions for the same numbers. They compile to nothing.
 */
import type { LayerConfig, LayerConfigOf } from '../config/layers.ts';
import { LockstepError } from '../errors.ts';
import { formatShape, type Shape, sizeOf } from '../memory/shape.ts';
import type { LayerDefinition } from './layer.ts';

function renamed(outputShape: Shape): LayerDefinition {
  return { outputShape, weights: [], mask: 'ended', inPlaceBackward: true, compile: () => undefined };
}

/** True for the layers of this file, whose output is their input. */
export function onlyRenames({ type }: LayerConfig): boolean {
  return type === 'flatten' || type === 'reshape';
}

/** (rows, a, b, ...) becomes (rows, a x b x ...). */
export function defineFlatten(inputShape: Shape): LayerDefinition {
  return renamed([sizeOf(inputShape)]);
}

/** (rows, ...) becomes (rows, ...targetShape), of which one dimension may be -1: what is left over. */
export function defineReshape(config: LayerConfigOf<'reshape'>, inputShape: Shape, place: string): LayerDefinition {
  const size = sizeOf(inputShape);
  const known = sizeOf(config.targetShape.filter((dimension) => dimension !== -1));
  const shape = config.targetShape.map((dimension) => (dimension === -1 ? size / known : dimension));
  if (sizeOf(shape) !== size || !shape.every(Number.isInteger)) {
    throw new LockstepError(
      'LOCKSTEP_SHAPE',
      `Expected \`${place}.targetShape\` to hold the ${size} numbers of its input ${formatShape(inputShape)}, got ${formatShape(config.targetShape)}; choose dimensions whose product is ${size}.`,
    );
  }
  return renamed(shape);
}
