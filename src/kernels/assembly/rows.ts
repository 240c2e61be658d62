/**
 * Room: kernels (level 2), AssemblyScript. Moving rows: gathering samples out of a dataset, permuting the numbers of a
 * row, and the order of an epoch. It promises exact divisions (never a product with a reciprocal) and touches nothing
 * but the arguments; indices are trusted.
 */
import { loadFloats, storeFloats } from './lanes';

/** y[r, i] = x[r, map[i]]: four rows at a time, so that an index is loaded once for four numbers. */
export function permuteRows(x: usize, map: usize, y: usize, rows: i32, rowSize: i32): void {
  const stride = <usize>rowSize << 2;
  for (let left = rows >> 2; left > 0; left--, x += stride << 2, y += stride << 2) {
    for (let at: usize = 0; at < stride; at += 4) {
      const from = x + (<usize>load<i32>(map + at) << 2);
      const to = y + at;
      store<f32>(to, load<f32>(from));
      store<f32>(to + stride, load<f32>(from + stride));
      store<f32>(to + 2 * stride, load<f32>(from + 2 * stride));
      store<f32>(to + 3 * stride, load<f32>(from + 3 * stride));
    }
  }
  for (let left = rows & 3; left > 0; left--, x += stride, y += stride) {
    for (let at: usize = 0; at < stride; at += 4) {
      store<f32>(y + at, load<f32>(x + (<usize>load<i32>(map + at) << 2)));
    }
  }
}

/** y[r] = source[indices[r]] / divisor, from rows of uint8. */
export function gatherBytes(source: usize, indices: usize, y: usize, rows: i32, rowSize: i32, divisor: f32): void {
  const d = f32x4.splat(divisor);
  for (const end = indices + (<usize>rows << 2); indices < end; indices += 4) {
    let from = source + <usize>load<u32>(indices) * <usize>rowSize;
    const last = from + rowSize;
    if (divisor == 1) {
      for (const wide = last - 15; from < wide; from += 16, y += 64) widenBytes(v128.load(from), y, d, false);
      for (; from < last; from++, y += 4) store<f32>(y, <f32>load<u8>(from));
    } else {
      for (const wide = last - 15; from < wide; from += 16, y += 64) widenBytes(v128.load(from), y, d, true);
      for (; from < last; from++, y += 4) store<f32>(y, <f32>load<u8>(from) / divisor);
    }
  }
}

/** Writes 16 bytes as 16 float32, divided by d. */
// @ts-ignore: decorator
@inline
function widenBytes(bytes: v128, y: usize, d: v128, divide: bool): void {
  const low = i16x8.extend_low_i8x16_u(bytes);
  const high = i16x8.extend_high_i8x16_u(bytes);
  const q0 = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_u(low));
  const q1 = f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_u(low));
  const q2 = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_u(high));
  const q3 = f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_u(high));
  v128.store(y, divide ? f32x4.div(q0, d) : q0);
  v128.store(y + 16, divide ? f32x4.div(q1, d) : q1);
  v128.store(y + 32, divide ? f32x4.div(q2, d) : q2);
  v128.store(y + 48, divide ? f32x4.div(q3, d) : q3);
}

/** y[r] = source[indices[r]] / divisor, from rows of float32. */
export function gatherFloats(source: usize, indices: usize, y: usize, rows: i32, rowSize: i32, divisor: f32): void {
  const stride = <usize>rowSize << 2;
  const wide = stride & ~15;
  const d = f32x4.splat(divisor);
  for (const end = indices + (<usize>rows << 2); indices < end; indices += 4, y += stride) {
    const from = source + <usize>load<u32>(indices) * stride;
    if (divisor == 1) {
      for (let at: usize = 0; at < wide; at += 16) v128.store(y + at, v128.load(from + at));
      for (let at = wide; at < stride; at += 4) store<u32>(y + at, load<u32>(from + at));
    } else {
      for (let at: usize = 0; at < wide; at += 16) storeFloats(y + at, f32x4.div(loadFloats(from + at, true), d), true);
      for (let at = wide; at < stride; at += 4) storeFloats(y + at, f32x4.div(loadFloats(from + at, false), d), false);
    }
  }
}

/** indices[k] = the sample at position first + k: `permute` of numerics/permutation.ts under the eight round keys. */
export function epochOrder(indices: usize, first: u32, count: i32, length: u32, keys: usize): void {
  let bits: u32 = 1;
  while (<u64>1 << (2 * bits) < <u64>length) bits++;
  const mask: u32 = (1 << bits) - 1;
  for (const end = indices + (<usize>count << 2); indices < end; indices += 4, first++) {
    let value = first;
    do {
      let left = value >> bits;
      let right = value & mask;
      for (let round: usize = 0; round < 32; round += 4) {
        const next = left ^ (mix(right ^ load<u32>(keys + round)) & mask);
        left = right;
        right = next;
      }
      value = (left << bits) | right;
    } while (value >= length);
    store<u32>(indices, value);
  }
}

/** The finaliser of MurmurHash3. */
// @ts-ignore: decorator
@inline
function mix(value: u32): u32 {
  let h = (value ^ (value >> 16)) * 0x85ebca6b;
  h = (h ^ (h >> 13)) * 0xc2b2ae35;
  return h ^ (h >> 16);
}
