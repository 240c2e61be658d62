/**
 * Room: tests of kernels. The matrix product and the sums of every kernel set against the reference: the product within
 * the contract's bound, the others bit for bit; the same bits again and at any address; nothing written outside.
 */
import test from 'ava';
import { type GemmForm, gemmForm, type Kernels } from '../../../src/kernels/contract.ts';
import { arena, floatsAt, kernelSets, missingSets, randomFloats, TensorSpace } from './sets.ts';

type Size = readonly [m: number, n: number, k: number];

const forms = Object.entries(gemmForm);
const [reference, ...fast] = kernelSets as [Kernels, ...Kernels[]];

/** Edges of tiles (5 by 8, 4 wide), of blocks (120 rows, 512 columns, 400 steps), primes, and the book's layers. */
const sizes: readonly Size[] = [
  [0, 3, 4],
  [3, 0, 4],
  [3, 4, 0],
  [0, 0, 0],
  [1, 1, 1],
  [1, 1, 2],
  [1, 8, 1],
  [5, 8, 4],
  [5, 8, 3],
  [4, 4, 4],
  [2, 3, 5],
  [3, 5, 7],
  [6, 9, 2],
  [7, 11, 13],
  [10, 16, 16],
  [11, 12, 17],
  [13, 4, 31],
  [14, 10, 100],
  [1, 300, 784],
  [784, 1, 3],
  [5, 300, 64],
  [6, 300, 64],
  [16, 10, 100],
  [23, 29, 401],
  [64, 37, 399],
  [119, 17, 400],
  [120, 8, 402],
  [121, 7, 801],
  [241, 13, 53],
  [9, 511, 19],
  [9, 512, 19],
  [9, 513, 19],
  [3, 1031, 5],
  [64, 300, 784],
  [127, 101, 1201],
];

/** A float32 step: 2^-24 relative to what is rounded. */
const unit = 2 ** -24;

/** The numbers around an output that a kernel must leave alone. */
const guard = 32;
const guardValue = -1234.5;

for (const [name, form] of forms) {
  for (const size of sizes) {
    test(`gemm ${name} of (m, n, k) = (${size.join(', ')}) stays within k 2^-24 of the reference`, (t) => {
      const [m, n, k] = size;
      const space = new TensorSpace();
      const a = randomFloats(m * k, 1);
      const b = randomFloats(n * k, 2);
      const expected = product(reference, form, size, a, b, space, 0);
      const magnitude = product(reference, form, size, a.map(Math.abs), b.map(Math.abs), space, 0);
      for (const kernels of fast) {
        for (const shift of [0, 4, 8, 12, 20]) {
          const actual = product(kernels, form, size, a, b, space, shift);
          const wrong = actual.findIndex((value, i) => !(Math.abs(value - expected[i]!) <= 2 * (k + 1) * unit * magnitude[i]!));
          t.is(wrong, -1, `${kernels.set}, shift ${shift}: c[${wrong}] is ${actual[wrong]}, expected ${expected[wrong]}`);
        }
      }
    });
  }
}

test('gemm gives the same bits when repeated and at other addresses', (t) => {
  for (const kernels of kernelSets) {
    for (const [name, form] of forms) {
      for (const size of [
        [1, 300, 50],
        [31, 45, 500],
        [64, 100, 300],
      ] as const) {
        const [m, n, k] = size;
        const space = new TensorSpace();
        const a = randomFloats(m * k, 3);
        const b = randomFloats(n * k, 4);
        const first = product(kernels, form, size, a, b, space, 0);
        for (const shift of [0, 0, 4, 16, 28, 36, 60]) {
          t.deepEqual(product(kernels, form, size, a, b, space, shift), first, `${kernels.set} ${name} ${size.join('x')}, shift ${shift}`);
        }
      }
    }
  }
});

test('a row of wasm gemm does not depend on how many rows or columns there are, nor on the form', (t) => {
  const wasm = fast.find(({ set }) => set === 'wasm')!;
  const [m, n, k] = [17, 45, 500] as const;
  const a = randomFloats(m * k, 5);
  const b = randomFloats(n * k, 6);
  const whole = product(wasm, gemmForm.NN, [m, n, k], a, b, new TensorSpace(), 0);
  for (let rows = 1; rows <= m; rows++) {
    t.deepEqual(product(wasm, gemmForm.NN, [rows, n, k], a.slice(0, rows * k), b, new TensorSpace(), 0), whole.slice(0, rows * n));
  }
  t.deepEqual(product(wasm, gemmForm.TN, [m, n, k], transpose(a, m, k), b, new TensorSpace(), 0), whole);
  t.deepEqual(product(wasm, gemmForm.NT, [m, n, k], a, transpose(b, k, n), new TensorSpace(), 0), whole);
});

test('gemm computes a product that is written out, over whatever c held', (t) => {
  for (const kernels of kernelSets) {
    const a = Float32Array.of(1, 2, 3, 4, 5, 6);
    const b = Float32Array.of(7, 8, 9, 10, 11, 12);
    // [1 2 3; 4 5 6] [7 8; 9 10; 11 12] = [7+18+33 8+20+36; 28+45+66 32+50+72]
    t.deepEqual(product(kernels, gemmForm.NN, [2, 2, 3], a, b, new TensorSpace(), 0), Float32Array.of(58, 64, 139, 154));
    t.deepEqual(product(kernels, gemmForm.NN, [2, 2, 0], a, b, new TensorSpace(), 0), Float32Array.of(0, 0, 0, 0));
  }
});

const columnSizes = [
  [0, 3],
  [3, 0],
  [1, 1],
  [2, 7],
  [3, 8],
  [5, 9],
  [64, 300],
  [100, 31],
  [1001, 17],
] as const;

for (const [rows, columns] of columnSizes) {
  test(`columnSums of (${rows}, ${columns}) has the reference's bits`, (t) => {
    const x = randomFloats(rows * columns, 7);
    const [expected, ...others] = kernelSets.map((kernels, index) => {
      const space = new TensorSpace();
      const from = space.floats(x, 4 * index);
      const out = guarded(space, columns, 4 * index);
      kernels.columnSums(from, out, rows, columns);
      assertGuarded(out, columns);
      return floatsAt(out, columns);
    });
    for (const actual of others) t.deepEqual(actual, expected);
    t.true(rows > 0 || expected!.every((value) => value === 0));
  });
}

const counts = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 4095, 4096, 10_007];

for (const count of counts) {
  test(`add of ${count} numbers has the reference's bits`, (t) => {
    const [expected, ...others] = kernelSets.map((kernels, index) => {
      const space = new TensorSpace();
      const x = guarded(space, count, 4 * index);
      arena.f32.set(randomFloats(count, 8), x >>> 2);
      const y = space.floats(randomFloats(count, 9), 8 * index);
      kernels.add(x, y, count);
      assertGuarded(x, count);
      return floatsAt(x, count);
    });
    for (const actual of others) t.deepEqual(actual, expected);
    t.is(expected!.length, count);
  });

  test(`squareSum of ${count} numbers has the reference's bits`, (t) => {
    const [expected, ...others] = kernelSets.map((kernels, index) => {
      const space = new TensorSpace();
      const x = space.floats(randomFloats(count, 10), 4 * index);
      const out = space.bytes(8, 8 * index);
      arena.f64[out >>> 3] = Number.NaN;
      kernels.squareSum(x, count, out);
      return arena.f64[out >>> 3];
    });
    for (const actual of others) t.is(actual, expected);
  });
}

test('squareSum adds by eight lanes', (t) => {
  for (const kernels of kernelSets) {
    const space = new TensorSpace();
    const x = space.floats(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9));
    const out = space.bytes(8);
    kernels.squareSum(x, 9, out);
    // 1 + 4 + 9 + 16 + 25 + 36 + 49 + 64 + 81
    t.is(arena.f64[out >>> 3], 285);
  }
});

(missingSets.length === 0 ? test : test.skip)(`every kernel set was there to be checked${missingSets.map((missing) => `; NOT CHECKED: ${missing}`).join('')}`, (t) => {
  t.log(`checked: ${kernelSets.map(({ set }) => set).join(', ')}`);
  t.is(kernelSets.length, 3);
});

/** c = op(a) op(b) by a kernel set, with every tensor `shift` bytes after a cache line and c full of NaN between guards. */
function product(kernels: Kernels, form: GemmForm, [m, n, k]: Size, a: Float32Array, b: Float32Array, space: TensorSpace, shift: number): Float32Array {
  const [from, by] = [space.floats(a, shift), space.floats(b, shift)];
  const c = guarded(space, m * n, shift);
  kernels.gemm(form, m, n, k, from, by, c);
  assertGuarded(c, m * n);
  return floatsAt(c, m * n);
}

/** Room for `count` NaNs between guards, `shift` bytes after a cache line. */
function guarded(space: TensorSpace, count: number, shift: number): number {
  const start = space.bytes((count + 2 * guard) * 4, shift);
  arena.f32.fill(guardValue, start >>> 2, (start >>> 2) + count + 2 * guard);
  const inner = start + guard * 4;
  arena.f32.fill(Number.NaN, inner >>> 2, (inner >>> 2) + count);
  return inner;
}

function assertGuarded(address: number, count: number): void {
  const around = [...floatsAt(address - guard * 4, guard), ...floatsAt(address + count * 4, guard)];
  if (around.some((value) => value !== guardValue)) throw new Error(`A kernel wrote outside its output of ${count} numbers.`);
}

/** The transpose of x (rows, columns). */
function transpose(x: Float32Array, rows: number, columns: number): Float32Array {
  return x.map((_, i) => x[(i % rows) * columns + Math.floor(i / rows)]!);
}
