/**
 * Room: kernels/assembly (level 2). The matrix product, blocked as Goto and van de Geijn do ("Anatomy of
 * high-performance matrix multiplication", 2008): a block of b is packed into panels of 8 columns, a block of a into
 * panels of 5 rows, and tiles of c run over them with a panel of b staying in the first cache.
 * Promises: an element of c is a sum in k order inside blocks of at most 400, the blocks added in order; so its bits
 * depend on its row of op(a), its column of op(b) and k alone. Never: relaxed SIMD, state besides the scratch address.
 */
import { packColumns, packColumnsTransposed, packRows, packRowsTransposed } from './pack';
import { narrowTile, tileColumns, tileRows, wideTile } from './tile';

/** Largest blocks: a (120, 400) is 192 KB and b (400, 512) 819 KB, both inside the second cache and the scratch. */
const blockSteps: i32 = 400;
const blockRows: i32 = 120;
const blockColumns: i32 = 512;
/** At most so many rows make reading b where it lies cheaper than packing it. */
const unpackedRows: i32 = 20;

/** The scratch: one tile for edges (256 bytes), the panels of a, the panels of b. Set once, before the first call. */
let edge: usize = 0;
let panelsA: usize = 0;
let panelsB: usize = 0;

/** Gives the instance its scratch: 2 MiB at `address`, aligned to 64. */
export function setScratch(address: usize): void {
  edge = address;
  panelsA = address + 256;
  panelsB = panelsA + (<usize>blockRows * blockSteps << 2);
}

/** c (m, n) = op(a) op(b): see the contract. form: 0 NN, 1 TN (a stored (k, m)), 2 NT (b stored (n, k)). */
export function gemm(form: i32, m: i32, n: i32, k: i32, a: usize, b: usize, c: usize): void {
  if (m <= 0 || n <= 0) return;
  if (k <= 0) {
    memory.fill(c, 0, <usize>m * <usize>n << 2);
    return;
  }
  const blocks = (k + blockSteps - 1) / blockSteps;
  const steps = (k + blocks - 1) / blocks;
  for (let column = 0; column < n; column += blockColumns) {
    const columns = min(n - column, blockColumns);
    for (let step = 0; step < k; step += steps) {
      product(form, m, n, k, a, b, c, column, columns, step, min(k - step, steps));
    }
  }
}

/** Adds to all rows of c, columns `column` on, the products of `steps` steps from `step` on; the first step overwrites. */
function product(form: i32, m: i32, n: i32, k: i32, a: usize, b: usize, c: usize, column: i32, columns: i32, step: i32, steps: i32): void {
  const unpacked = form !== 2 && m <= unpackedRows ? columns / tileColumns * tileColumns : 0;
  const strideC = <usize>n << 2;
  let direct: usize = 0;
  if (form === 2) {
    packColumnsTransposed(b + ((<usize>column * k + step) << 2), <usize>k << 2, steps, columns, panelsB);
  } else {
    direct = b + ((<usize>step * n + column) << 2);
    packColumns(direct + (<usize>unpacked << 2), strideC, steps, columns - unpacked, panelsB);
  }
  for (let row = 0; row < m; row += blockRows) {
    const rows = min(m - row, blockRows);
    if (form === 1) packRowsTransposed(a + ((<usize>step * m + row) << 2), <usize>m << 2, rows, steps, panelsA);
    else packRows(a + ((<usize>row * k + step) << 2), <usize>k << 2, rows, steps, panelsA);
    const corner = c + ((<usize>row * n + column) << 2);
    for (let j = 0; j < columns; j += tileColumns) {
      const strip = corner + (<usize>j << 2);
      if (j < unpacked) tiles(rows, 8, steps, direct + (<usize>j << 2), strideC, strip, strideC, step === 0);
      else tiles(rows, min(columns - j, tileColumns), steps, panelsB + (<usize>(j - unpacked) * steps << 2), 32, strip, strideC, step === 0);
    }
  }
}

/** The tiles of one panel of b, `width` columns wide, under all panels of a. */
function tiles(rows: i32, width: i32, steps: i32, b: usize, bStep: usize, c: usize, cStep: usize, first: bool): void {
  let a = panelsA;
  for (let row = 0; row < rows; row += tileRows) {
    const height = min(rows - row, tileRows);
    const whole = first && (width === 8 || width === 4);
    const to = whole ? c : edge;
    const toStep = whole ? cStep : 32;
    if (width > 4) wideTile(height, steps, a, b, bStep, to, toStep);
    else narrowTile(height, steps, a, b, bStep, to, toStep);
    if (!whole) putEdge(height, width, c, cStep, first);
    a += <usize>steps * tileRows << 2;
    c += <usize>tileRows * cStep;
  }
}

/** Copies or adds the scratch tile's `width` columns to c. */
function putEdge(height: i32, width: i32, c: usize, cStep: usize, first: bool): void {
  for (let i = 0; i < height; i++) {
    const from = edge + (<usize>i << 5);
    let j: i32 = 0;
    for (; j + 4 <= width; j += 4) {
      const at = <usize>j << 2;
      const value = v128.load(from + at);
      v128.store(c + at, first ? value : f32x4.add(v128.load(c + at), value));
    }
    for (; j < width; j++) {
      const at = <usize>j << 2;
      const value = f32.load(from + at);
      f32.store(c + at, first ? value : f32.load(c + at) + value);
    }
    c += cStep;
  }
}
