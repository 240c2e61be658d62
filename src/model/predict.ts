/**
 * Room: model (level 4). Predictions in the calling thread, without ranks: a plan of one rank over an arena of its own.
 * Moving statistics are used and dropout is off, unless the rows are to be computed as in training; a model that ends in softmax gives probabilities.
 */
import { nonNegativeInteger, show } from '../check.ts';
import { runDefaults } from '../config/defaults.ts';
import type { ModelConfig } from '../config/layers.ts';
import { checkKeys } from '../config/sentences.ts';
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

/** How `model.predict` computes. */
export interface PredictMode {
  /**
   * True to compute as a training step does (Keras' `model(x, training=True)`): dropout and noise are drawn, and batch normalizations that are not frozen use the
   * statistics of the rows given, which are one batch of one shard, all in memory at once. Moving statistics stay as they are. Default false.
   */
  readonly training?: boolean;
  /** An integer >= 0 from which dropout and noise are drawn, as in the first step of a run of this seed: the same seed gives the same bits. Default 0, as for runs. */
  readonly seed?: number;
}

/** Outputs for `values`: rows of `inputShape` numbers, row-major, as the model is to see them (already scaled). Throws LOCKSTEP_USAGE or LOCKSTEP_CONFIG for another `mode`. */
export function predict(config: ModelConfig, inputShape: Shape, weights: Weights, values: Float32Array, mode: PredictMode = {}): Predictions {
  const { training, seed } = checkedMode(mode);
  const rowSize = sizeOf(inputShape);
  const rows = values.length / rowSize;
  if (rows === 0 || !Number.isInteger(rows)) {
    throw new LockstepError('LOCKSTEP_SHAPE', `Expected rows of ${formatShape(inputShape)}, ${rowSize} numbers each, got ${values.length} numbers; give whole rows.`);
  }
  // In training a row depends on the others of its batch, and on its place there.
  const atOnce = training ? rows : Math.min(rows, rowsAtOnce);
  const plan = planRun({ model: config, inputShape, shards: 1, ranks: 1, batchRows: atOnce, optimizerSlots: 0 });
  const arena = Arena.create(plan.memory.bytes);
  const own = plan.ranks[0]!;
  const kernels = createWasmKernels(compileWasmKernels(), arena, own.scratch);
  const runtime = new RankRuntime(plan, 0, arena, kernels, { meet: () => {} }, seed);
  storeWeights(weights, plan, arena);
  const outputs = new Float32Array(rows * own.outputSize);
  for (let first = 0; first < rows; first += atOnce) {
    const count = Math.min(atOnce, rows - first);
    arena.f32.set(values.subarray(first * rowSize, (first + count) * rowSize), own.input >>> 2);
    runtime.setBatch(count, training ? firstStep : 0);
    runtime.forward(training);
    const at = own.output >>> 2;
    outputs.set(arena.f32.subarray(at, at + count * own.outputSize), first * own.outputSize);
  }
  return new Predictions([rows, ...plan.topology.outputShape], outputs);
}

/** Steps are counted from 1. */
const firstStep = 1;

function checkedMode(mode: PredictMode): Required<PredictMode> {
  if (typeof mode !== 'object' || mode === null || Array.isArray(mode)) {
    throw new LockstepError(
      'LOCKSTEP_USAGE',
      `Expected \`options\` to be an object with \`training\` and \`seed\`, got ${show(mode)}; call \`predict(rows, { training: true })\`.`,
    );
  }
  checkKeys(mode, ['training', 'seed'], 'options');
  const { training = false, seed = runDefaults.seed } = mode;
  if (typeof training !== 'boolean') throw new LockstepError('LOCKSTEP_USAGE', `Expected \`options.training\` to be true or false, got ${show(training)}.`);
  return { training, seed: nonNegativeInteger('options.seed', seed) };
}
