/**
 * Room: kernels (level 2), AssemblyScript. Inverted dropout. Which elements are kept is Philox4x32-10 of their place in
 * the global batch (numerics/philox.ts), so the mask of a row is drawn first and then applied as the backward pass applies
 * it. It keeps no generator state and touches nothing but the arguments.
 */

/** mask = philox word >= threshold; y = mask ? x * scale : 0. Row r's counter is (i >>> 2, firstRow + r, step, layer). */
export function dropout(
  x: usize, mask: usize, y: usize, rows: i32, rowSize: i32, firstRow: u32, step: u32, layer: u32,
  keyLow: u32, keyHigh: u32, threshold: u32, scale: f32,
): void {
  const stride = <usize>rowSize << 2;
  for (let r = 0; r < rows; r++, x += stride, y += stride, mask += rowSize) {
    for (let i = 0; i < rowSize; i += 32) drawMask(mask + i, rowSize - i, i >> 2, firstRow + r, step, layer, keyLow, keyHigh, threshold);
    dropoutBackward(x, mask, y, rowSize, scale);
  }
}

/** dx = mask ? dy * scale : 0. */
export function dropoutBackward(dy: usize, mask: usize, dx: usize, count: i32, scale: f32): void {
  const factor = f32x4.splat(scale);
  for (; count >= 16; count -= 16, dy += 64, dx += 64, mask += 16) {
    const kept = i8x16.ne(v128.load(mask), i8x16.splat(0));
    const low = i16x8.extend_low_i8x16_s(kept);
    const high = i16x8.extend_high_i8x16_s(kept);
    v128.store(dx, v128.and(f32x4.mul(v128.load(dy), factor), i32x4.extend_low_i16x8_s(low)));
    v128.store(dx + 16, v128.and(f32x4.mul(v128.load(dy + 16), factor), i32x4.extend_high_i16x8_s(low)));
    v128.store(dx + 32, v128.and(f32x4.mul(v128.load(dy + 32), factor), i32x4.extend_low_i16x8_s(high)));
    v128.store(dx + 48, v128.and(f32x4.mul(v128.load(dy + 48), factor), i32x4.extend_high_i16x8_s(high)));
  }
  for (; count > 0; count--, dy += 4, dx += 4, mask++) {
    store<f32>(dx, load<u8>(mask) != 0 ? load<f32>(dy) * scale : 0);
  }
}

/**
 * The first `count` (at most 32) bytes of eight blocks' mask. Lane b of x0..x3 is block `block + b`, of y0..y3 block
 * `block + 4 + b`: two chains side by side, since one alone waits for its multiplications.
 */
// @ts-ignore: decorator
@inline
function drawMask(mask: usize, count: i32, block: u32, row: u32, step: u32, layer: u32, keyLow: u32, keyHigh: u32, threshold: u32): void {
  const m0 = i32x4.splat(0xd2511f53);
  const m1 = i32x4.splat(0xcd9e8d57);
  let key0 = i32x4.splat(keyLow);
  let key1 = i32x4.splat(keyHigh);
  let x0 = i32x4.add(i32x4.splat(block), i32x4(0, 1, 2, 3));
  let y0 = i32x4.add(i32x4.splat(block), i32x4(4, 5, 6, 7));
  let x1 = i32x4.splat(row), x2 = i32x4.splat(step), x3 = i32x4.splat(layer);
  let y1 = x1, y2 = x2, y3 = x3;
  for (let round = 0; round < 10; round++) {
    const xHigh0 = highWords(x0, m0);
    const yHigh0 = highWords(y0, m0);
    const xLow0 = i32x4.mul(x0, m0);
    const yLow0 = i32x4.mul(y0, m0);
    x0 = v128.xor(highWords(x2, m1), v128.xor(x1, key0));
    y0 = v128.xor(highWords(y2, m1), v128.xor(y1, key0));
    x1 = i32x4.mul(x2, m1);
    y1 = i32x4.mul(y2, m1);
    x2 = v128.xor(xHigh0, v128.xor(x3, key1));
    y2 = v128.xor(yHigh0, v128.xor(y3, key1));
    x3 = xLow0;
    y3 = yLow0;
    key0 = i32x4.add(key0, i32x4.splat(0x9e3779b9));
    key1 = i32x4.add(key1, i32x4.splat(0xbb67ae85));
  }
  const limit = i32x4.splat(threshold);
  storeMask(mask, keptBytes(x0, x1, x2, x3, limit), count);
  storeMask(mask + 16, keptBytes(y0, y1, y2, y3, limit), count - 16);
}

/** The high words of the products of four unsigned words. */
// @ts-ignore: decorator
@inline
function highWords(a: v128, b: v128): v128 {
  return i8x16.shuffle(
    i64x2.extmul_low_i32x4_u(a, b), i64x2.extmul_high_i32x4_u(a, b),
    4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31,
  );
}

/** Byte 4b + w is 1 where lane b of word w is >= limit, else 0. */
// @ts-ignore: decorator
@inline
function keptBytes(w0: v128, w1: v128, w2: v128, w3: v128, limit: v128): v128 {
  const words01 = i16x8.narrow_i32x4_s(i32x4.ge_u(w0, limit), i32x4.ge_u(w1, limit));
  const words23 = i16x8.narrow_i32x4_s(i32x4.ge_u(w2, limit), i32x4.ge_u(w3, limit));
  const byWord = i8x16.narrow_i16x8_s(words01, words23);
  return v128.and(i8x16.shuffle(byWord, byWord, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), i8x16.splat(1));
}

/** Writes the first `count` of 16 bytes, all of them when there are more. */
// @ts-ignore: decorator
@inline
function storeMask(mask: usize, kept: v128, count: i32): void {
  if (count >= 16) {
    v128.store(mask, kept);
  } else {
    for (; count > 0; count--, mask++) {
      store<u8>(mask, i8x16.extract_lane_u(kept, 0));
      kept = i8x16.shuffle(kept, kept, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0);
    }
  }
}
