/**
 * Room: local (level 6). What two hosts compare before they compute together: a hash of what their kernels make of the same
 * numbers, and a hash of the model. Hosts with equal fingerprints give equal bits for equal shards, as far as a probe can tell.
 */
import { createHash } from 'node:crypto';
import { hashOf } from '../config/canonical.ts';
import { activationCode, gemmForm, type Kernels, kernelScratchBytes, targetLossCode } from '../kernels/contract.ts';
import { type KernelSelection, openKernels } from '../kernels/select.ts';
import { type Address, Arena } from '../memory/arena.ts';
import { alignmentBytes } from '../memory/plan.ts';
import type { PlanSpec } from '../model/plan.ts';
import { resolveTopology } from '../model/topology.ts';
import { philox } from '../numerics/philox.ts';

/** Bytes of a probe's tensors: room for a product of 64 x 784 by 784 x 300 numbers, and as much again. */
const probeBytes = 4 * 2 ** 20;

/**
 * Matrix products (m, n, k): a BLAS takes another way for small, narrow and odd ones. Rows as shards have them, the last the first
 * layer of a network for MNIST.
 */
const products = [
  [1, 1, 1],
  [3, 5, 7],
  [4, 10, 33],
  [16, 16, 16],
  [17, 31, 129],
  [32, 100, 300],
  [63, 65, 64],
  [64, 300, 784],
] as const;

/** Numbers drawn for a tensor; a larger one repeats them. A prime, so that its rows differ all the same. */
const drawnNumbers = 4093;

/** Rows and columns of everything else: not a multiple of any vector. */
const [rows, columns] = [13, 37];

/** SHA-256, in hex, of a probe computation with the run's kernels in the calling thread. Some tens of milliseconds. */
export function numericFingerprint(selection: KernelSelection): string {
  const arena = Arena.create(alignmentBytes + kernelScratchBytes + probeBytes);
  return probe(openKernels(selection, arena, alignmentBytes), arena, alignmentBytes + kernelScratchBytes);
}

/**
 * SHA-256, in hex, of what must be equal for two hosts to compute the same function: the config of model and loss, the shape of a
 * sample, and the weights that come of it.
 */
export function modelHash({ model, inputShape, loss }: Pick<PlanSpec, 'model' | 'inputShape' | 'loss'>): string {
  const weights = resolveTopology(model, inputShape).weights.map(({ name, definition: { shape, role } }) => ({ name, shape, role }));
  return hashOf({ model, inputShape, loss, weights });
}

/** Calls every kernel on numbers that are the same everywhere, in `probeBytes` of `arena` from `start`, and hashes all that they write. */
export function probe(kernels: Kernels, arena: Arena, start: Address): string {
  const tensors = new Tensors(arena, start);
  for (const [m, n, k] of products) {
    tensors.clear();
    const [a, b] = [tensors.given(m * k), tensors.given(k * n)];
    for (const form of Object.values(gemmForm)) kernels.gemm(form, m, n, k, a, b, tensors.floats(m * n));
    tensors.see();
  }
  for (const part of [activations, lossesAndSums, normalization, rowsOfData, updates, dropout]) {
    tensors.clear();
    part(kernels, tensors);
    tensors.see();
  }
  return tensors.digest();
}

function activations(kernels: Kernels, tensors: Tensors): void {
  const count = rows * columns;
  for (const code of Object.values(activationCode)) {
    const [x, bias, y, dy] = [tensors.given(count), tensors.given(columns), tensors.floats(count), tensors.given(count)];
    kernels.biasActivation(code, 0.5, x, bias, y, rows, columns);
    kernels.activationBackward(code, 0.5, dy, x, y, dy, count);
  }
  const [x, y, dy] = [tensors.given(count), tensors.floats(count), tensors.given(count)];
  kernels.softmax(x, y, rows, columns);
  kernels.softmaxBackward(dy, y, dy, rows, columns);
}

function lossesAndSums(kernels: Kernels, tensors: Tensors): void {
  const count = rows * columns;
  const [x, y, gradient] = [tensors.given(count), tensors.given(count), tensors.floats(count)];
  kernels.sparseCrossentropy(x, tensors.integers(rows, columns), gradient, rows, columns, 64, tensors.doubles(2));
  kernels.meanSquaredError(x, y, tensors.floats(count), rows, columns, 64, tensors.doubles(2));
  kernels.categoricalCrossentropy(x, y, tensors.floats(count), rows, columns, 0.1, 64, tensors.doubles(2));
  kernels.categoricalHinge(x, y, tensors.floats(count), rows, columns, 64, tensors.doubles(2));
  for (const code of Object.values(targetLossCode)) kernels.targetLoss(code, 0.5, x, y, tensors.floats(count), rows, columns, 64, tensors.doubles(2));
  kernels.columnSums(x, tensors.floats(columns), rows, columns);
  kernels.squareSum(x, count, tensors.doubles(1));
  kernels.add(gradient, y, count);
}

function normalization(kernels: Kernels, tensors: Tensors): void {
  const count = rows * columns;
  const [x, y, dy, dx] = [tensors.given(count), tensors.floats(count), tensors.given(count), tensors.floats(count)];
  const [meanHi, meanLo, scale, beta] = [tensors.given(columns), tensors.given(columns), tensors.given(columns), tensors.given(columns)];
  kernels.moments(x, tensors.doubles(columns), tensors.doubles(columns), rows, columns);
  kernels.normalize(x, y, meanHi, meanLo, scale, beta, rows, columns);
  kernels.normalizeSums(dy, x, meanHi, meanLo, tensors.doubles(columns), tensors.doubles(columns), rows, columns);
  kernels.normalizeBackward(dy, x, dx, meanHi, meanLo, scale, beta, meanLo, rows, columns);

  // Into tensors of their own: what kernels before them wrote must be seen, too.
  const [standardized, invStds] = [tensors.floats(count), tensors.floats(rows)];
  kernels.standardizeRows(x, standardized, invStds, rows, columns, 1e-3);
  kernels.standardizeRowsBackward(dy, standardized, invStds, tensors.floats(count), rows, columns);

  const [w, gamma, shift, db] = [tensors.given(count), tensors.given(rows), tensors.given(rows), tensors.given(columns)];
  kernels.fold(w, db, gamma, shift, tensors.floats(count), tensors.floats(columns), rows, columns);
  kernels.unfold(w, tensors.given(count), db, gamma, shift, tensors.floats(rows), tensors.floats(rows), rows, columns);
}

function rowsOfData(kernels: Kernels, tensors: Tensors): void {
  const count = rows * columns;
  const [x, order, map, keys] = [tensors.given(count), tensors.integers(rows, rows), tensors.floats(columns), tensors.integers(8, 2 ** 31)];
  kernels.epochOrder(tensors.floats(rows), 5, rows, 1000, keys);
  kernels.epochOrder(map, 0, columns, columns, keys);
  kernels.gatherBytes(x, order, tensors.floats(count), rows, columns, 255);
  kernels.gatherFloats(x, order, tensors.floats(count), rows, columns, 3);
  kernels.permuteRows(x, map, tensors.floats(count), rows, columns);
}

function updates(kernels: Kernels, tensors: Tensors): void {
  const count = rows * columns;
  const gradient = tensors.given(count);
  kernels.sgd(tensors.given(count), 0, gradient, count, 0.5, Number.POSITIVE_INFINITY, 0.1, 0, 0);
  kernels.sgd(tensors.given(count), tensors.given(count), gradient, count, 0.5, 1, 0.1, 0.9, 0);
  kernels.sgd(tensors.given(count), tensors.given(count), gradient, count, 0.5, 1, 0.1, 0.9, 1);
  // The second moment starts at 0: it must not be negative.
  kernels.adam(tensors.given(count), tensors.given(count), tensors.floats(count), gradient, count, 0.5, 1, 0.01, 0.9, 0.999, 0.1, 0.001, 1e-7);
  kernels.rmsprop(tensors.given(count), tensors.floats(count), 0, 0, gradient, count, 0.5, 1, 0.01, 0.9, 0.1, 0, 1e-7);
  kernels.rmsprop(tensors.given(count), tensors.floats(count), tensors.given(count), tensors.given(count), gradient, count, 0.5, 1, 0.01, 0.9, 0.1, 0.5, 1e-3);
  kernels.adadelta(tensors.given(count), tensors.floats(count), tensors.floats(count), gradient, count, 0.5, 1, 0.01, 0.95, 1e-7);
  kernels.adamax(tensors.given(count), tensors.given(count), tensors.floats(count), gradient, count, 0.5, 1, 0.01, 0.9, 0.999, 1e-7);
  kernels.nadam(tensors.given(count), tensors.given(count), tensors.floats(count), gradient, count, 0.5, 1, 0.01, 0.9, 0.999, 0.8, 0.3, 0.001, 1e-7);
  kernels.lion(tensors.given(count), tensors.given(count), gradient, count, 0.5, 1, 0.01, 0.9, 0.99);
  kernels.decay(tensors.given(count), count, 0.01);
  kernels.gradientSquares(gradient, count, 0.5, 1, tensors.doubles(1));
  kernels.adamSquares(tensors.given(count), tensors.floats(count), gradient, count, 0.5, 1, 0.9, 0.999, 0.1, 0.001, 1e-7, tensors.doubles(1));
  kernels.movingAverage(tensors.given(count), gradient, count, 0.99);
}

function dropout(kernels: Kernels, tensors: Tensors): void {
  const count = rows * columns;
  const [x, mask] = [tensors.given(count), tensors.floats(count)];
  kernels.dropout(x, mask, tensors.floats(count), rows, columns, 100, 7, 3, 11, 12, 2 ** 30, 1 / 0.75);
  kernels.dropoutBackward(tensors.given(count), mask, tensors.floats(count), count, 1 / 0.75);
}

/** Tensors of a probe, one after the other; what the last part left behind is never read. */
class Tensors {
  readonly #arena: Arena;
  readonly #start: Address;
  readonly #hash = createHash('sha256');
  readonly #words = new Uint32Array(4);
  #end: Address;
  /** Blocks of random numbers drawn so far. */
  #blocks = 0;

  constructor(arena: Arena, start: Address) {
    this.#arena = arena;
    this.#start = start;
    this.#end = start;
  }

  /** Forgets all tensors. */
  clear(): void {
    this.#end = this.#start;
  }

  /** Adds all tensors to the hash. */
  see(): void {
    this.#hash.update(this.#arena.u8.subarray(this.#start, this.#end));
  }

  digest(): string {
    return this.#hash.digest('hex');
  }

  /** `count` float64 zeros. */
  doubles(count: number): Address {
    const address = this.#end;
    this.#end += Math.ceil((8 * count) / alignmentBytes) * alignmentBytes;
    this.#arena.u8.fill(0, address, this.#end);
    return address;
  }

  /** `count` float32 zeros. */
  floats(count: number): Address {
    return this.doubles(Math.ceil(count / 2));
  }

  /** `count` float32 numbers of (-16, 16), most of them small. */
  given(count: number): Address {
    const address = this.floats(count);
    const { f32 } = this.#arena;
    this.#draw(Math.min(count, drawnNumbers), (i, word) => {
      // 21 bits with a sign, times 2^-3, 2^-2, ..., 2^4: exact in float32.
      f32[(address >>> 2) + i] = (((word >> 11) | 1) / 2 ** 20) * 2 ** ((word & 7) - 3);
    });
    for (let i = drawnNumbers; i < count; i++) f32[(address >>> 2) + i] = f32[(address >>> 2) + i - drawnNumbers]!;
    return address;
  }

  /** `count` int32 numbers of [0, below). */
  integers(count: number, below: number): Address {
    const address = this.floats(count);
    const { i32 } = this.#arena;
    this.#draw(count, (i, word) => {
      i32[(address >>> 2) + i] = word % below;
    });
    return address;
  }

  #draw(count: number, put: (i: number, word: number) => void): void {
    for (let i = 0; i < count; i++) {
      if (i % 4 === 0) philox(this.#words, this.#blocks++, 0, 0, 0, 0x4c6f636b, 0x73746570);
      put(i, this.#words[i % 4]!);
    }
  }
}
