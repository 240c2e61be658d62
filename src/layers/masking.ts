/**
 * Room: layers (level 3). Masking: steps of a sample (steps, ..., features) of which all features equal `maskValue` are padding. They are zeros from here on, and
 * batch normalisations up to the next layer that changes the leading dimensions leave them out of their statistics. Source: Keras' Masking for conventions.
 */
import type { LayerConfigOf } from '../config/layers.ts';
import { type Shape, sizeOf } from '../memory/shape.ts';
import type { LayerDefinition } from './layer.ts';

export function defineMasking({ maskValue }: LayerConfigOf<'masking'>, inputShape: Shape): LayerDefinition {
  const size = sizeOf(inputShape);
  const features = inputShape.at(-1) ?? 1;
  const steps = size / features;
  const value = Math.fround(maskValue);
  return {
    outputShape: inputShape,
    weights: [],
    mask: 'made',
    inPlaceBackward: true,
    compile(builder) {
      const x = builder.input;
      const y = builder.rows(size);
      const mask = builder.rows(steps, 1);
      return {
        output: y,
        mask,
        forward({ batch, arena: { u8, f32 } }) {
          const count = batch.rows * steps;
          u8.copyWithin(y, x, x + 4 * count * features);
          for (let step = 0; step < count; step++) {
            const at = (y >>> 2) + step * features;
            let i = 0;
            while (i < features && f32[at + i] === value) i++;
            u8[mask + step] = i === features ? 0 : 1;
            if (i === features) f32.fill(0, at, at + features);
          }
        },
        backward({ batch, arena: { u8, f32 } }, _dy, dx) {
          for (let step = 0; step < batch.rows * steps; step++) {
            const at = (dx >>> 2) + step * features;
            if (u8[mask + step] === 0) f32.fill(0, at, at + features);
          }
        },
      };
    },
  };
}
