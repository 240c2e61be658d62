/**
 * Room: kernels (level 2). What gathering, permuting and ordering rows mean, in plain TypeScript. Quotients are rounded
 * once to float32; the epoch's order is that of `numerics/permutation.ts`.
 */
import type { Arena } from '../../memory/arena.ts';
import { halfBits, permute } from '../../numerics/permutation.ts';
import type { Kernels } from '../contract.ts';

/** The kernels that move rows, over `arena`. */
export function rowsReference(arena: Arena): Pick<Kernels, 'permuteRows' | 'gatherBytes' | 'gatherFloats' | 'epochOrder'> {
  const { u8, i32, f32 } = arena;

  return {
    permuteRows(x, map, y, rows, rowSize) {
      for (let r = 0; r < rows; r++) {
        for (let i = 0; i < rowSize; i++) {
          f32[(y >>> 2) + r * rowSize + i] = f32[(x >>> 2) + r * rowSize + i32[(map >>> 2) + i]!]!;
        }
      }
    },

    gatherBytes(source, indices, y, rows, rowSize, divisor) {
      const d = Math.fround(divisor);
      for (let r = 0; r < rows; r++) {
        const from = source + i32[(indices >>> 2) + r]! * rowSize;
        for (let i = 0; i < rowSize; i++) f32[(y >>> 2) + r * rowSize + i] = u8[from + i]! / d;
      }
    },

    gatherFloats(source, indices, y, rows, rowSize, divisor) {
      const d = Math.fround(divisor);
      for (let r = 0; r < rows; r++) {
        const from = (source >>> 2) + i32[(indices >>> 2) + r]! * rowSize;
        for (let i = 0; i < rowSize; i++) f32[(y >>> 2) + r * rowSize + i] = f32[from + i]! / d;
      }
    },

    epochOrder(indices, first, count, length, keys) {
      const bits = halfBits(length);
      const roundKeys = Uint32Array.from(i32.subarray(keys >>> 2, (keys >>> 2) + 8));
      for (let k = 0; k < count; k++) i32[(indices >>> 2) + k] = permute(first + k, length, roundKeys, bits);
    },
  };
}
