/**
 * Room: layers (level 3). Add: its input plus the outputs of earlier layers, which is where the branches of a residual network meet again.
 *
 *   y = ((x + s1) + s2) + ...   in float32, in the order in which the layers are named
 *
 * Backward every one of them gets dy as it is: the input in place, the others by the walk (model/held-gradients.ts). Source: He et al. (2016); Keras' Add.
 */
import { type Shape, sizeOf } from '../memory/shape.ts';
import type { LayerDefinition } from './layer.ts';

export function defineAdd(inputShape: Shape): LayerDefinition {
  const size = sizeOf(inputShape);
  return {
    outputShape: inputShape,
    weights: [],
    inPlaceBackward: true,
    compile({ input: x, sources, rows }) {
      const y = rows(size);
      return {
        output: y,
        forward({ kernels, batch, arena: { u8 } }) {
          const count = batch.rows * size;
          // Whoever made x may read it again on the way back.
          u8.copyWithin(y, x, x + 4 * count);
          for (let i = 0; i < sources.length; i++) kernels.add(y, sources[i]!, count);
        },
        backward: () => {},
      };
    },
  };
}
