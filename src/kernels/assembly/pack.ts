/**
 * Room: kernels/assembly (level 2). Packing for the matrix product: copies a block of a or b into panels that a tile
 * reads straight through. A panel of a is (steps, 5), of b (steps, 8). It promises not to read outside the block. What
 * a last, partial panel holds in its surplus rows or columns is unspecified; nothing that comes of them reaches c.
 */
import { tileColumns, tileRows } from './tile';

/** Bytes of one step in a panel of a, and of b. */
const panelRowBytes: usize = 20;
const panelColumnBytes: usize = 32;

/** Lanes i of four vectors, as one vector: the columns of a 4 by 4 block. */
// @ts-ignore: decorator
@inline
function column(i: i32, r0: v128, r1: v128, r2: v128, r3: v128): v128 {
  if (i === 0) return i32x4.shuffle(i32x4.shuffle(r0, r1, 0, 4, 1, 5), i32x4.shuffle(r2, r3, 0, 4, 1, 5), 0, 1, 4, 5);
  if (i === 1) return i32x4.shuffle(i32x4.shuffle(r0, r1, 0, 4, 1, 5), i32x4.shuffle(r2, r3, 0, 4, 1, 5), 2, 3, 6, 7);
  if (i === 2) return i32x4.shuffle(i32x4.shuffle(r0, r1, 2, 6, 3, 7), i32x4.shuffle(r2, r3, 2, 6, 3, 7), 0, 1, 4, 5);
  return i32x4.shuffle(i32x4.shuffle(r0, r1, 2, 6, 3, 7), i32x4.shuffle(r2, r3, 2, 6, 3, 7), 2, 3, 6, 7);
}

/** Panels of a, stored (rows, steps) with rows `stride` bytes apart. */
export function packRows(a: usize, stride: usize, rows: i32, steps: i32, to: usize): void {
  for (let row = 0; row < rows; row += tileRows) {
    const last = <usize>min(rows - row, tileRows) - 1;
    let a0 = a + <usize>row * stride;
    let a1 = a0 + min<usize>(1, last) * stride;
    let a2 = a0 + min<usize>(2, last) * stride;
    let a3 = a0 + min<usize>(3, last) * stride;
    let a4 = a0 + last * stride;
    let step = 0;
    for (; step + 4 <= steps; step += 4) {
      const r0 = v128.load(a0);
      const r1 = v128.load(a1);
      const r2 = v128.load(a2);
      const r3 = v128.load(a3);
      const r4 = v128.load(a4);
      v128.store(to, column(0, r0, r1, r2, r3));
      v128.store(to, column(1, r0, r1, r2, r3), 20);
      v128.store(to, column(2, r0, r1, r2, r3), 40);
      v128.store(to, column(3, r0, r1, r2, r3), 60);
      f32.store(to, f32x4.extract_lane(r4, 0), 16);
      f32.store(to, f32x4.extract_lane(r4, 1), 36);
      f32.store(to, f32x4.extract_lane(r4, 2), 56);
      f32.store(to, f32x4.extract_lane(r4, 3), 76);
      a0 += 16;
      a1 += 16;
      a2 += 16;
      a3 += 16;
      a4 += 16;
      to += 4 * panelRowBytes;
    }
    for (; step < steps; step++) {
      f32.store(to, f32.load(a0));
      f32.store(to, f32.load(a1), 4);
      f32.store(to, f32.load(a2), 8);
      f32.store(to, f32.load(a3), 12);
      f32.store(to, f32.load(a4), 16);
      a0 += 4;
      a1 += 4;
      a2 += 4;
      a3 += 4;
      a4 += 4;
      to += panelRowBytes;
    }
  }
}

/** Panels of a, stored transposed, (steps, rows), with steps `stride` bytes apart. */
export function packRowsTransposed(a: usize, stride: usize, rows: i32, steps: i32, to: usize): void {
  for (let row = 0; row < rows; row += tileRows) {
    const width = min(rows - row, tileRows);
    let from = a + (<usize>row << 2);
    if (width === tileRows) {
      for (let step = 0; step < steps; step++) {
        v128.store(to, v128.load(from));
        f32.store(to, f32.load(from, 16), 16);
        from += stride;
        to += panelRowBytes;
      }
    } else {
      for (let step = 0; step < steps; step++) {
        for (let i = 0; i < width; i++) f32.store(to + (<usize>i << 2), f32.load(from + (<usize>i << 2)));
        from += stride;
        to += panelRowBytes;
      }
    }
  }
}

/** Panels of b, stored (steps, columns) with steps `stride` bytes apart. */
export function packColumns(b: usize, stride: usize, steps: i32, columns: i32, to: usize): void {
  for (let column = 0; column < columns; column += tileColumns) {
    const width = min(columns - column, tileColumns);
    let from = b + (<usize>column << 2);
    if (width === tileColumns) {
      for (let step = 0; step < steps; step++) {
        const low = v128.load(from);
        const high = v128.load(from, 16);
        v128.store(to, low);
        v128.store(to, high, 16);
        from += stride;
        to += panelColumnBytes;
      }
    } else {
      for (let step = 0; step < steps; step++) {
        for (let i = 0; i < width; i++) f32.store(to + (<usize>i << 2), f32.load(from + (<usize>i << 2)));
        from += stride;
        to += panelColumnBytes;
      }
    }
  }
}

/** Panels of b, stored transposed, (columns, steps), with columns `stride` bytes apart. */
export function packColumnsTransposed(b: usize, stride: usize, steps: i32, columns: i32, to: usize): void {
  for (let column = 0; column < columns; column += tileColumns) {
    const last = <usize>min(columns - column, tileColumns) - 1;
    const from = b + <usize>column * stride;
    packFour(from, from + min<usize>(1, last) * stride, from + min<usize>(2, last) * stride, from + min<usize>(3, last) * stride, steps, to);
    if (last > 3) {
      const next = from + 4 * stride;
      packFour(next, next + min<usize>(1, last - 4) * stride, next + min<usize>(2, last - 4) * stride, next + min<usize>(3, last - 4) * stride, steps, to + 16);
    }
    to += <usize>steps * panelColumnBytes;
  }
}

/** Four columns of a panel of b from the four rows that hold them. */
function packFour(b0: usize, b1: usize, b2: usize, b3: usize, steps: i32, to: usize): void {
  let step = 0;
  for (; step + 4 <= steps; step += 4) {
    const r0 = v128.load(b0);
    const r1 = v128.load(b1);
    const r2 = v128.load(b2);
    const r3 = v128.load(b3);
    v128.store(to, column(0, r0, r1, r2, r3));
    v128.store(to, column(1, r0, r1, r2, r3), 32);
    v128.store(to, column(2, r0, r1, r2, r3), 64);
    v128.store(to, column(3, r0, r1, r2, r3), 96);
    b0 += 16;
    b1 += 16;
    b2 += 16;
    b3 += 16;
    to += 4 * panelColumnBytes;
  }
  for (; step < steps; step++) {
    f32.store(to, f32.load(b0));
    f32.store(to, f32.load(b1), 4);
    f32.store(to, f32.load(b2), 8);
    f32.store(to, f32.load(b3), 12);
    b0 += 4;
    b1 += 4;
    b2 += 4;
    b3 += 4;
    to += panelColumnBytes;
  }
}
