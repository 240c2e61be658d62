/**
 * Room: model (level 4). Predictions in the calling thread, without ranks: a plan of one rank over an arena of its own.
 * Moving statistics are used, dropout is off; a model that ends in softmax gives probabilities.
 */
import type { ModelConfig } from '../config/layers.ts';
import { LockstepError } from '../errors.ts';
import { compileWasmKernels, createWasmKernels } from '../kernels/wasm.ts';
import { Arena } from '../memory/arena.ts';
import { formatShape, type Shape, sizeOf } from '../memory/shape.ts';
import { planRun } from './plan.ts';
import { RankRuntime } from './runtime.ts';
import { storeWeights, type Weights } from './weights.ts';

/** Rows computed at a time: large enough for fast matrix products, small enough to keep the arena small. */
const rowsAtOnce = 256;

/** The outputs of a model for some rows. */
export class Predictions {
  /** (rows, ...output shape). */
  readonly shape: Shape;
  /** The numbers, row-major. */
  readonly data: Float32Array;

  constructor(shape: Shape, data: Float32Array) {
    this.shape = shape;
    this.data = data;
  }

  /** One array of numbers a row; dimensions beyond the first are flattened. */
  toRows(): number[][] {
    const rows = this.shape[0]!;
    const size = this.data.length / rows;
    return Array.from({ length: rows }, (_, row) => Array.from(this.data.subarray(row * size, (row + 1) * size)));
  }

  /** The index of the largest number of each row, the first if there are several: the predicted class. */
  argMax(): Int32Array {
    return Int32Array.from(this.toRows(), (row) => row.reduce((best, value, i) => (value > row[best]! ? i : best), 0));
  }
}

/** Outputs for `values`: rows of `inputShape` numbers, row-major, as the model is to see them (already scaled). */
export function predict(config: ModelConfig, inputShape: Shape, weights: Weights, values: Float32Array): Predictions {
  const rowSize = sizeOf(inputShape);
  const rows = values.length / rowSize;
  if (rows === 0 || !Number.isInteger(rows)) {
    throw new LockstepError('LOCKSTEP_SHAPE', `Expected rows of ${formatShape(inputShape)}, ${rowSize} numbers each, got ${values.length} numbers; give whole rows.`);
  }
  const plan = planRun({ model: config, inputShape, shards: 1, ranks: 1, batchRows: Math.min(rows, rowsAtOnce), optimizerSlots: 0 });
  const arena = Arena.create(plan.memory.bytes);
  const own = plan.ranks[0]!;
  const kernels = createWasmKernels(compileWasmKernels(), arena, own.scratch);
  const runtime = new RankRuntime(plan, 0, arena, kernels, { meet: () => {} }, 0);
  storeWeights(weights, plan, arena);
  const outputs = new Float32Array(rows * own.outputSize);
  for (let first = 0; first < rows; first += rowsAtOnce) {
    const count = Math.min(rowsAtOnce, rows - first);
    arena.f32.set(values.subarray(first * rowSize, (first + count) * rowSize), own.input >>> 2);
    runtime.setBatch(count, 0);
    runtime.forward(false);
    const at = own.output >>> 2;
    outputs.set(arena.f32.subarray(at, at + count * own.outputSize), first * own.outputSize);
  }
  return new Predictions([rows, ...plan.topology.outputShape], outputs);
}
