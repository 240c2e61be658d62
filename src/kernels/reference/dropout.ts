/**
 * Room: kernels (level 2). What inverted dropout means, in plain TypeScript. Whether an element is kept is a pure function
 * of the seed, the step, the layer and the element's place in the global batch, never of the worker that holds its row.
 */
import type { Arena } from '../../memory/arena.ts';
import { philox } from '../../numerics/philox.ts';
import type { Kernels } from '../contract.ts';

/** The kernels of dropout, over `arena`. */
export function dropoutReference(arena: Arena): Pick<Kernels, 'dropout' | 'dropoutBackward'> {
  const { u8, f32 } = arena;
  const words = new Uint32Array(4);

  return {
    dropout(x, mask, y, rows, rowSize, firstRow, step, layer, keyLow, keyHigh, threshold, scale) {
      const factor = Math.fround(scale);
      for (let r = 0; r < rows; r++) {
        for (let i = 0; i < rowSize; i++) {
          philox(words, i >>> 2, firstRow + r, step, layer, keyLow, keyHigh);
          const kept = words[i & 3]! >= threshold >>> 0;
          const at = r * rowSize + i;
          u8[mask + at] = kept ? 1 : 0;
          f32[(y >>> 2) + at] = kept ? f32[(x >>> 2) + at]! * factor : 0;
        }
      }
    },

    dropoutBackward(dy, mask, dx, count, scale) {
      const factor = Math.fround(scale);
      for (let i = 0; i < count; i++) {
        f32[(dx >>> 2) + i] = u8[mask + i] === 0 ? 0 : f32[(dy >>> 2) + i]! * factor;
      }
    },
  };
}
