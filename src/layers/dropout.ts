/**
 * Room: layers (level 3). Inverted dropout: in training each number is kept with probability 1 - rate and then scaled by
 * 1 / (1 - rate); outside training it is the identity. Which numbers go is a function of (seed, layer, step, sample's row in
 * the global batch, element), so it does not depend on who computes the row.
 */
import type { LayerConfigOf } from '../config/layers.ts';
import { type Shape, sizeOf } from '../memory/shape.ts';
import { purpose } from '../numerics/philox.ts';
import type { LayerDefinition } from './layer.ts';

export function defineDropout(config: LayerConfigOf<'dropout'>, inputShape: Shape): LayerDefinition {
  const size = sizeOf(inputShape);
  const scale = 1 / (1 - config.rate);
  const threshold = Math.floor(config.rate * 2 ** 32);
  return {
    outputShape: inputShape,
    weights: [],
    inPlaceBackward: true,
    compile(builder) {
      const x = builder.input;
      const y = builder.rows(size);
      const mask = builder.rows(size, 1);
      const stream = (purpose.dropout << 16) | builder.layerIndex;
      return {
        output: y,
        forward({ kernels, batch, arena, seedLow, seedHigh }, training) {
          if (training) kernels.dropout(x, mask, y, batch.rows, size, batch.firstRow, batch.step, stream, seedLow, seedHigh, threshold, scale);
          else arena.u8.copyWithin(y, x, x + 4 * batch.rows * size);
        },
        backward({ kernels, batch }, dy, dx) {
          kernels.dropoutBackward(dy, mask, dx, batch.rows * size, scale);
        },
      };
    },
  };
}
