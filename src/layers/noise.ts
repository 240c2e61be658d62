/**
 * Room: layers (level 3). Noise in training, and nothing outside it: GaussianNoise adds it, AlphaDropout drops to the value that selu saturates at and
 * keeps mean and variance. What a number gets is a function of (seed, layer, step, sample's row in the global batch, element), as for dropout.
 *
 *   gaussianNoise:  y = x + stddev * n,   n normal by Box and Muller (1958): sqrt(-2 log u) cos(2 pi v), and sin for its neighbour
 *   alphaDropout:   y = a (kept ? x : -1.758...) + b,   a = 1 / sqrt((1 - rate) (1 + rate 1.758...^2)),   b = a rate 1.758...
 *
 * Sources: Keras for conventions; Klambauer et al. (2017), "Self-Normalizing Neural Networks".
 */
import type { LayerConfigOf } from '../config/layers.ts';
import { type Shape, sizeOf } from '../memory/shape.ts';
import { cosTwoPi, log, sinTwoPi } from '../numerics/elementary.ts';
import { philox, purpose } from '../numerics/philox.ts';
import type { LayerDefinition, RankContext } from './layer.ts';

export function defineGaussianNoise({ stddev }: LayerConfigOf<'gaussianNoise'>, inputShape: Shape): LayerDefinition {
  const size = sizeOf(inputShape);
  return {
    outputShape: inputShape,
    weights: [],
    inPlaceBackward: true,
    compile(builder) {
      const x = builder.input;
      const y = builder.rows(size);
      const stream = (purpose.noise << 16) | builder.layerIndex;
      const words = new Uint32Array(4);
      return {
        output: y,
        forward(context, training) {
          const { batch, arena } = context;
          arena.u8.copyWithin(y, x, x + 4 * batch.rows * size);
          if (training && stddev > 0)
            for (let row = 0; row < batch.rows; row++) addNoise(context, words, (y >>> 2) + row * size, size, batch.firstRow + row, stream, stddev);
        },
        backward: () => {},
      };
    },
  };
}

/** Adds normal numbers to the `size` numbers of a row from index `at` on. */
function addNoise(
  { arena: { f32 }, batch, seedLow, seedHigh }: RankContext,
  words: Uint32Array,
  at: number,
  size: number,
  row: number,
  stream: number,
  stddev: number,
): void {
  for (let i = 0; i < size; i += 4) {
    philox(words, i >>> 2, row, batch.step, stream, seedLow, seedHigh);
    for (let pair = 0; pair < 4 && i + pair < size; pair += 2) {
      const radius = stddev * Math.sqrt(-2 * log((words[pair]! + 0.5) / 2 ** 32));
      const turn = words[pair + 1]! / 2 ** 32;
      f32[at + i + pair] = f32[at + i + pair]! + radius * cosTwoPi(turn);
      if (i + pair + 1 < size) f32[at + i + pair + 1] = f32[at + i + pair + 1]! + radius * sinTwoPi(turn);
    }
  }
}

/** What selu tends to: -scale * alpha. */
const saturated = -1.7580993408473766;

export function defineAlphaDropout({ rate }: LayerConfigOf<'alphaDropout'>, inputShape: Shape): LayerDefinition {
  const size = sizeOf(inputShape);
  const threshold = Math.floor(rate * 2 ** 32);
  const scale = 1 / Math.sqrt((1 - rate) * (1 + rate * saturated * saturated));
  const shift = -scale * saturated * rate;
  const dropped = scale * saturated + shift;
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
        forward({ kernels, batch, arena: { u8, f32 }, seedLow, seedHigh }, training) {
          const count = batch.rows * size;
          if (!training) {
            u8.copyWithin(y, x, x + 4 * count);
            return;
          }
          kernels.dropout(x, mask, y, batch.rows, size, batch.firstRow, batch.step, stream, seedLow, seedHigh, threshold, scale);
          const at = y >>> 2;
          for (let i = 0; i < count; i++) f32[at + i] = u8[mask + i] === 0 ? dropped : f32[at + i]! + shift;
        },
        backward({ kernels, batch }, dy, dx) {
          kernels.dropoutBackward(dy, mask, dx, batch.rows * size, scale);
        },
      };
    },
  };
}
