/**
 * Room: tests of losses. The reference cases, sums without division, and the properties that the trainer relies on.
 */
import test from 'ava';
import { kernelScratchBytes } from '../../src/kernels/contract.ts';
import { createReferenceKernels } from '../../src/kernels/reference.ts';
import { compileWasmKernels, createWasmKernels } from '../../src/kernels/wasm.ts';
import { type LossSpec, lossOf } from '../../src/losses/loss.ts';
import { Arena } from '../../src/memory/arena.ts';
import { relativeError } from '../contracts/network.ts';
import { type OracleTensor, oracle } from '../fixtures/oracles.ts';

const module = compileWasmKernels();
const base = 64 + kernelScratchBytes;

interface Result {
  readonly sum: number;
  readonly correct: number;
  readonly dy: Float32Array;
}

/** Runs a loss over rows of `columns` predictions; `divisor` rows are the global batch. */
function run(
  spec: LossSpec,
  set: 'reference' | 'wasm',
  predictions: readonly number[],
  labels: readonly number[],
  columns: number,
  divisor: number,
  gradient = true,
): Result {
  const arena = Arena.create(base + 4096);
  const kernels = set === 'reference' ? createReferenceKernels(arena) : createWasmKernels(module, arena, 64);
  const loss = lossOf(spec);
  const [at, labelsAt, dy, sums] = [base, base + 1024, base + 2048, base + 3072];
  arena.f32.set(predictions, at >>> 2);
  if (loss.labels === 'class') arena.i32.set(labels, labelsAt >>> 2);
  else arena.f32.set(labels, labelsAt >>> 2);
  arena.f32.fill(7, dy >>> 2, (dy >>> 2) + predictions.length);
  arena.f64.fill(Number.NaN, sums >>> 3, (sums >>> 3) + 2);
  loss.run(kernels, arena, at, labelsAt, gradient ? dy : 0, predictions.length / columns, columns, divisor, sums);
  const [sum, correct] = [arena.f64[sums >>> 3]!, arena.f64[(sums >>> 3) + 1]!];
  return { sum, correct, dy: new Float32Array(arena.f32.subarray(dy >>> 2, (dy >>> 2) + predictions.length)) };
}

type LossCase =
  | { readonly loss: 'sparseCategoricalCrossentropy'; readonly logits: OracleTensor; readonly labels: number[]; readonly value: number; readonly dlogits: OracleTensor }
  | {
      readonly loss: 'meanSquaredError';
      readonly predictions: OracleTensor;
      readonly targets: OracleTensor;
      readonly value: number;
      readonly dpredictions: OracleTensor;
    };

const cases = oracle<readonly LossCase[]>('losses');
const crossentropy = cases.find((entry) => entry.loss === 'sparseCategoricalCrossentropy')!;
const squared = cases.find((entry) => entry.loss === 'meanSquaredError')!;

for (const set of ['reference', 'wasm'] as const) {
  test(`sparseCategoricalCrossentropy follows the reference case on ${set}`, (t) => {
    const [rows, columns] = crossentropy.logits.shape as [number, number];
    for (const fromLogits of [true, false]) {
      const { sum, dy } = run({ type: 'sparseCategoricalCrossentropy', fromLogits }, set, crossentropy.logits.data, crossentropy.labels, columns, rows);
      t.true(relativeError([sum / rows], [crossentropy.value]) <= 2e-5);
      t.true(relativeError(dy, crossentropy.dlogits.data) <= 2e-5);
    }
  });

  test(`meanSquaredError follows the reference case on ${set}`, (t) => {
    const [rows, columns] = squared.predictions.shape as [number, number];
    const { sum, correct, dy } = run('meanSquaredError', set, squared.predictions.data, squared.targets.data, columns, rows);
    t.true(relativeError([sum / rows], [squared.value]) <= 2e-5);
    t.true(relativeError(dy, squared.dpredictions.data) <= 2e-5);
    t.is(correct, 0);
  });

  test(`a shard's loss is a sum and its gradient is divided by the rows of the global batch, on ${set}`, (t) => {
    const { sum, dy } = run('meanSquaredError', set, [3, 1, 5, 5], [1, 1, 5, 4], 2, 10);
    // Row means of squares: (4 + 0) / 2 and (0 + 1) / 2. Gradients: 2 (p - t) / (2 columns x 10 rows).
    t.is(sum, 2.5);
    t.true(relativeError(dy, [0.2, 0, 0, 0.1]) < 1e-6);
  });

  test(`correct predictions are counted by the first largest logit, on ${set}`, (t) => {
    const { correct } = run('sparseCategoricalCrossentropy', set, [1, 2, 2, 0, 0, 0, 5, -1, 4, 1, 2, 3], [1, 1, 0, 2], 3, 4);
    t.is(correct, 3);
  });

  test(`no gradient is written when none is wanted, and the sums are the same, on ${set}`, (t) => {
    for (const [spec, labels] of [
      ['sparseCategoricalCrossentropy', [1, 0]],
      ['meanSquaredError', [1, 2, 3, 4]],
      [{ type: 'given' }, [1, 2, 3, 4]],
    ] as const) {
      const wanted = run(spec, set, [0.5, 1, -2, 3], labels, 2, 2);
      const unwanted = run(spec, set, [0.5, 1, -2, 3], labels, 2, 2, false);
      t.deepEqual(unwanted, { ...wanted, dy: new Float32Array(4).fill(7) });
    }
  });

  test(`no rows have sums of 0, on ${set}`, (t) => {
    for (const spec of ['sparseCategoricalCrossentropy', 'meanSquaredError', { type: 'given' }] as const) {
      const { sum, correct } = run(spec, set, [], [], 3, 4);
      t.deepEqual([sum, correct], [0, 0]);
    }
  });
}

test('the gradient of `given` is what was given', (t) => {
  const { sum, correct, dy } = run({ type: 'given' }, 'reference', [1, 2, 3], [0.5, -1, 2], 3, 100);
  t.is(sum, 4.5);
  t.is(correct, 0);
  t.deepEqual([...dy], [0.5, -1, 2]);
});

test('what a loss asks of labels and model is told', (t) => {
  const told = (spec: LossSpec): unknown[] => {
    const { labels, logitsOf, fuses, countsCorrect } = lossOf(spec);
    return [labels, logitsOf, fuses, countsCorrect];
  };
  t.deepEqual(told('sparseCategoricalCrossentropy'), ['class', 'softmax', true, true]);
  t.deepEqual(told({ type: 'sparseCategoricalCrossentropy', fromLogits: true }), ['class', 'softmax', false, true]);
  t.deepEqual(told('meanSquaredError'), ['target', undefined, false, false]);
  t.deepEqual(told({ type: 'categoricalCrossentropy', fromLogits: true, labelSmoothing: 0 }), ['target', 'softmax', false, false]);
  t.deepEqual(told('binaryCrossentropy'), ['target', 'sigmoid', true, false]);
  t.deepEqual(told('hinge'), ['target', undefined, false, false]);
  t.deepEqual(told({ type: 'given' }), ['target', undefined, false, false]);
});
