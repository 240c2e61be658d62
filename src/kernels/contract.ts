/**
 * Room: kernels (level 2). The contract that every kernel set keeps. `reference.ts` is its meaning in plain TypeScript;
 * `wasm.ts` (AssemblyScript, SIMD) and `blas.ts` (the system's GEMM over wasm's other kernels) are checked against it.
 *
 * Conventions. Every tensor is an `Address`: the byte offset of row-major numbers in the arena the set was made over,
 * float32 unless said otherwise, aligned to its element size. Inputs are never written unless the sentence says so.
 * Outputs may be the same tensor as an input where the sentence says "in place"; otherwise they must not overlap.
 * `rows`, `columns`, `count` may be 0: then nothing is read or written (sums are written as 0). No kernel allocates,
 * throws, or keeps state. The bits of a result depend on the arguments' values only, never on addresses.
 */
import type { Address } from '../memory/arena.ts';
import type { UpdateKernels } from './updates.ts';

/** How the factors of `gemm` are stored: N as they are, T transposed. */
export const gemmForm = { NN: 0, TN: 1, NT: 2 } as const;
export type GemmForm = (typeof gemmForm)[keyof typeof gemmForm];

/** Elementwise activations, by the number that kernels switch on. */
export const activationCode = {
  linear: 0,
  relu: 1,
  leakyReLU: 2,
  elu: 3,
  selu: 4,
  gelu: 5,
  swish: 6,
  softplus: 7,
  tanh: 8,
  sigmoid: 9,
} as const;
export type ElementwiseActivation = keyof typeof activationCode;
export type ActivationCode = (typeof activationCode)[ElementwiseActivation];

/** The activations whose derivative is taken from the pre-activation x; the others' from the output y. */
export const activationNeedsInput: ReadonlySet<ElementwiseActivation> = new Set(['gelu', 'swish', 'softplus']);

export type KernelSetName = 'reference' | 'wasm' | 'blas';

/** Bytes of private scratch that every kernel set may use; two sets in two threads must not share it. */
export const kernelScratchBytes = 2 * 1024 * 1024;

export interface Kernels extends UpdateKernels {
  readonly set: KernelSetName;

  /**
   * c (m, n) = op(a) op(b). NN: a (m, k), b (k, n). TN: a is stored (k, m). NT: b is stored (n, k).
   * With k = 0, c is zeroed. Relative error against float64 at most a few k * 2^-24 of sum |a||b|.
   */
  gemm(form: GemmForm, m: number, n: number, k: number, a: Address, b: Address, c: Address): void;

  /** out (columns) = sum of x (rows, columns) over rows, in row order with float64 accumulators, rounded once. */
  columnSums(x: Address, out: Address, rows: number, columns: number): void;

  /**
   * z = x + bias (bias of `columns` numbers, or address 0 for none), y = f(z). In place when y = x; otherwise z is
   * written back to x, so that the backward pass finds the pre-activation there. `alpha` is the slope or scale of
   * leakyReLU and elu, ignored by the others. gelu is the exact one (erf); at most 2 ulp from exact.
   */
  biasActivation(code: ActivationCode, alpha: number, x: Address, bias: Address, y: Address, rows: number, columns: number): void;

  /**
   * dx = dy * f'(z), elementwise over `count` numbers, in place allowed (dx = dy). Reads y = f(z), except for the
   * activations in `activationNeedsInput`, for which it reads the pre-activation z.
   */
  activationBackward(code: ActivationCode, alpha: number, dy: Address, z: Address, y: Address, dx: Address, count: number): void;

  /** y = softmax of each row of x (rows, columns), shifted by the row's largest value; in place allowed. */
  softmax(x: Address, y: Address, rows: number, columns: number): void;

  /** dx = y * (dy - sum(dy * y)) by rows (rows, columns); in place allowed (dx = dy). */
  softmaxBackward(dy: Address, y: Address, dx: Address, rows: number, columns: number): void;

  /**
   * Softmax and cross-entropy in one. `labels`: int32 (rows). sums (2 float64) = [sum over rows of -log softmax(logits)[label],
   * number of rows whose first largest logit is the label]. dlogits = (softmax - onehot) / divisor; address 0 for none.
   * In place allowed (dlogits = logits).
   */
  sparseCrossentropy(logits: Address, labels: Address, dlogits: Address, rows: number, columns: number, divisor: number, sums: Address): void;

  /**
   * sums (2 float64) = [sum over rows of the mean over columns of (p - t)^2, 0]; dp = 2 (p - t) / (columns * divisor),
   * address 0 for none; in place allowed (dp = p).
   */
  meanSquaredError(p: Address, t: Address, dp: Address, rows: number, columns: number, divisor: number, sums: Address): void;

  /**
   * Two passes over x (rows, channels) in row order with float64 accumulators: mean (channels float64), then
   * m2 (channels float64) = sum (x - mean)^2. With rows = 0 both are zeroed.
   */
  moments(x: Address, mean: Address, m2: Address, rows: number, channels: number): void;

  /**
   * y = ((x - meanHi) - meanLo) * scale + beta, every per-channel vector float32 (channels); x and y (rows, channels);
   * beta may be address 0 for none; in place allowed.
   */
  normalize(x: Address, y: Address, meanHi: Address, meanLo: Address, scale: Address, beta: Address, rows: number, channels: number): void;

  /**
   * sumDy (channels float64) = sum over rows of dy; sumDyX (channels float64) = sum over rows of dy * ((x - meanHi) - meanLo),
   * the centred x in float32, product and sum in float64, in row order.
   */
  normalizeSums(dy: Address, x: Address, meanHi: Address, meanLo: Address, sumDy: Address, sumDyX: Address, rows: number, channels: number): void;

  /** dx = scale * ((dy - a) - ((x - meanHi) - meanLo) * b), per-channel float32 vectors; in place allowed (dx = dy). */
  normalizeBackward(dy: Address, x: Address, dx: Address, meanHi: Address, meanLo: Address, scale: Address, a: Address, b: Address, rows: number, channels: number): void;

  /**
   * xhat (rows, columns) = ((x - meanHi) - meanLo) * invStd by rows, float32, of the row's mean (a pair of float32) and invStd (rows float32)
   * = 1 / sqrt(variance + epsilon), rounded once. Sums in float64: column c goes to lane c % 4 in column order, then (l0+l1)+(l2+l3). Bit-exact.
   */
  standardizeRows(x: Address, xhat: Address, invStds: Address, rows: number, columns: number, epsilon: number): void;

  /** dx = invStd * ((g - mean(g)) - xhat * mean(g * xhat)) by rows, means as in `standardizeRows`, rounded; in place allowed (dx = g). Bit-exact. */
  standardizeRowsBackward(g: Address, xhat: Address, invStds: Address, dx: Address, rows: number, columns: number): void;

  /**
   * A scale gamma and a shift beta of x (rows) folded into x W + bias, W (rows, columns): foldedW[r, c] = gamma[r] W[r, c],
   * rounded once; foldedBias[c] = bias[c] + sum over r of beta[r] W[r, c], in row order with float64 accumulators that start
   * at bias[c] (0 for bias address 0), rounded once. With rows = 0 the bias is copied. Bit-exact.
   */
  fold(w: Address, bias: Address, gamma: Address, beta: Address, foldedW: Address, foldedBias: Address, rows: number, columns: number): void;

  /**
   * From the gradients of `fold`'s results to those of its arguments: g (rows, columns) is foldedW's and becomes W's in place,
   * g[r, c] = gamma[r] g[r, c] + beta[r] db[c]; db (columns) is foldedBias' and bias' both. dgamma[r] = sum over c of W[r, c] g[r, c]
   * (g as it was), dbeta[r] = sum over c of W[r, c] db[c], in float64: column c goes to lane c % 4 in column order, then
   * (l0+l1)+(l2+l3), rounded once. Bit-exact.
   */
  unfold(w: Address, g: Address, db: Address, gamma: Address, beta: Address, dgamma: Address, dbeta: Address, rows: number, columns: number): void;

  /** y[r, i] = x[r, map[i]] for `rows` rows of `rowSize` numbers; map: int32 (rowSize), a permutation. */
  permuteRows(x: Address, map: Address, y: Address, rows: number, rowSize: number): void;

  /** y[r] = source[indices[r]] / divisor, rows of `rowSize` uint8; indices: int32 (rows). */
  gatherBytes(source: Address, indices: Address, y: Address, rows: number, rowSize: number, divisor: number): void;

  /** y[r] = source[indices[r]] / divisor, rows of `rowSize` float32; indices: int32 (rows). */
  gatherFloats(source: Address, indices: Address, y: Address, rows: number, rowSize: number, divisor: number): void;

  /**
   * indices (count int32) = the samples at positions first..first+count-1 of the epoch's order of `length` samples:
   * the Feistel permutation of `numerics/permutation.ts` under `keys` (8 uint32). Bit-exact.
   */
  epochOrder(indices: Address, first: number, count: number, length: number, keys: Address): void;

  /** x += y, `count` numbers. */
  add(x: Address, y: Address, count: number): void;

  /**
   * out (1 float64) = sum of x[i]^2 in float64: element i goes to lane i % 8 in index order, then
   * ((l0+l1)+(l2+l3))+((l4+l5)+(l6+l7)). Bit-exact.
   */
  squareSum(x: Address, count: number, out: Address): void;

  /**
   * Inverted dropout of x (rows, rowSize): element i of row r is kept when Philox4x32-10 with key (keyLow, keyHigh) and
   * counter (i >>> 2, firstRow + r, step, layer), word i & 3, is >= threshold (uint32). mask (uint8, count) = 1 kept, 0 dropped;
   * y = kept ? x * scale : 0; in place allowed. Bit-exact.
   */
  dropout(
    x: Address,
    mask: Address,
    y: Address,
    rows: number,
    rowSize: number,
    firstRow: number,
    step: number,
    layer: number,
    keyLow: number,
    keyHigh: number,
    threshold: number,
    scale: number,
  ): void;

  /** dx = mask ? dy * scale : 0, `count` numbers; in place allowed. */
  dropoutBackward(dy: Address, mask: Address, dx: Address, count: number, scale: number): void;
}
