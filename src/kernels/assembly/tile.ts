/**
 * Room: kernels/assembly (level 2). The innermost part of the matrix product: one tile of c, at most 5 rows by 8 columns,
 * held in ten vector registers while k runs. It promises that every element is the sum of its products in k order, one
 * rounded multiplication and one rounded addition each, whatever the tile's size: so a row of c does not depend on how
 * many rows or columns there are. It never packs, blocks or looks at edges: `gemm.ts` does. 5 by 8 was the fastest of
 * eight shapes under V8 (15 free vector registers; more unrolling only lengthens the chains of additions).
 */

/** Rows of a full tile, and of a panel of packed a. */
export const tileRows: i32 = 5;
/** Columns of a full tile, and of a panel of packed b. */
export const tileColumns: i32 = 8;

/**
 * The tile of `rows` rows (1 to 5) and 8 columns (4 when not `wide`): c = a b.
 * a: packed panel (steps, 5). b: rows of 8 (or 4) numbers, `bStep` bytes apart. c: rows `cStep` bytes apart.
 * `rows` and `wide` are constants where this is inlined.
 */
// @ts-ignore: decorator
@inline
function tile(rows: i32, wide: bool, steps: i32, a: usize, b: usize, bStep: usize, c: usize, cStep: usize): void {
  let c00 = f32x4.splat(0);
  let c01 = f32x4.splat(0);
  let c10 = f32x4.splat(0);
  let c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0);
  let c21 = f32x4.splat(0);
  let c30 = f32x4.splat(0);
  let c31 = f32x4.splat(0);
  let c40 = f32x4.splat(0);
  let c41 = f32x4.splat(0);
  const end = a + (<usize>steps * tileRows << 2);
  while (a < end) {
    const b0 = v128.load(b);
    const b1 = wide ? v128.load(b, 16) : b0;
    const a0 = v128.load32_splat(a);
    c00 = f32x4.add(c00, f32x4.mul(a0, b0));
    if (wide) c01 = f32x4.add(c01, f32x4.mul(a0, b1));
    if (rows > 1) {
      const a1 = v128.load32_splat(a, 4);
      c10 = f32x4.add(c10, f32x4.mul(a1, b0));
      if (wide) c11 = f32x4.add(c11, f32x4.mul(a1, b1));
    }
    if (rows > 2) {
      const a2 = v128.load32_splat(a, 8);
      c20 = f32x4.add(c20, f32x4.mul(a2, b0));
      if (wide) c21 = f32x4.add(c21, f32x4.mul(a2, b1));
    }
    if (rows > 3) {
      const a3 = v128.load32_splat(a, 12);
      c30 = f32x4.add(c30, f32x4.mul(a3, b0));
      if (wide) c31 = f32x4.add(c31, f32x4.mul(a3, b1));
    }
    if (rows > 4) {
      const a4 = v128.load32_splat(a, 16);
      c40 = f32x4.add(c40, f32x4.mul(a4, b0));
      if (wide) c41 = f32x4.add(c41, f32x4.mul(a4, b1));
    }
    a += <usize>tileRows << 2;
    b += bStep;
  }
  put(wide, c, c00, c01);
  if (rows > 1) put(wide, c + cStep, c10, c11);
  if (rows > 2) put(wide, c + 2 * cStep, c20, c21);
  if (rows > 3) put(wide, c + 3 * cStep, c30, c31);
  if (rows > 4) put(wide, c + 4 * cStep, c40, c41);
}

/** One row of a tile. */
// @ts-ignore: decorator
@inline
function put(wide: bool, c: usize, low: v128, high: v128): void {
  v128.store(c, low);
  if (wide) v128.store(c, high, 16);
}

// One function for each shape, exported by the module, so that the optimiser does not merge them: merged, they spill
// registers and run at half the speed.

export function tile1x8(steps: i32, a: usize, b: usize, bStep: usize, c: usize, cStep: usize): void {
  tile(1, true, steps, a, b, bStep, c, cStep);
}
export function tile2x8(steps: i32, a: usize, b: usize, bStep: usize, c: usize, cStep: usize): void {
  tile(2, true, steps, a, b, bStep, c, cStep);
}
export function tile3x8(steps: i32, a: usize, b: usize, bStep: usize, c: usize, cStep: usize): void {
  tile(3, true, steps, a, b, bStep, c, cStep);
}
export function tile4x8(steps: i32, a: usize, b: usize, bStep: usize, c: usize, cStep: usize): void {
  tile(4, true, steps, a, b, bStep, c, cStep);
}
export function tile5x8(steps: i32, a: usize, b: usize, bStep: usize, c: usize, cStep: usize): void {
  tile(5, true, steps, a, b, bStep, c, cStep);
}
export function tile1x4(steps: i32, a: usize, b: usize, bStep: usize, c: usize, cStep: usize): void {
  tile(1, false, steps, a, b, bStep, c, cStep);
}
export function tile2x4(steps: i32, a: usize, b: usize, bStep: usize, c: usize, cStep: usize): void {
  tile(2, false, steps, a, b, bStep, c, cStep);
}
export function tile3x4(steps: i32, a: usize, b: usize, bStep: usize, c: usize, cStep: usize): void {
  tile(3, false, steps, a, b, bStep, c, cStep);
}
export function tile4x4(steps: i32, a: usize, b: usize, bStep: usize, c: usize, cStep: usize): void {
  tile(4, false, steps, a, b, bStep, c, cStep);
}
export function tile5x4(steps: i32, a: usize, b: usize, bStep: usize, c: usize, cStep: usize): void {
  tile(5, false, steps, a, b, bStep, c, cStep);
}

/** The tile of `rows` rows and 8 columns: see `tile`. */
export function wideTile(rows: i32, steps: i32, a: usize, b: usize, bStep: usize, c: usize, cStep: usize): void {
  if (rows === 5) tile5x8(steps, a, b, bStep, c, cStep);
  else if (rows === 4) tile4x8(steps, a, b, bStep, c, cStep);
  else if (rows === 3) tile3x8(steps, a, b, bStep, c, cStep);
  else if (rows === 2) tile2x8(steps, a, b, bStep, c, cStep);
  else tile1x8(steps, a, b, bStep, c, cStep);
}

/** The tile of `rows` rows and 4 columns: see `tile`. */
export function narrowTile(rows: i32, steps: i32, a: usize, b: usize, bStep: usize, c: usize, cStep: usize): void {
  if (rows === 5) tile5x4(steps, a, b, bStep, c, cStep);
  else if (rows === 4) tile4x4(steps, a, b, bStep, c, cStep);
  else if (rows === 3) tile3x4(steps, a, b, bStep, c, cStep);
  else if (rows === 2) tile2x4(steps, a, b, bStep, c, cStep);
  else tile1x4(steps, a, b, bStep, c, cStep);
}
