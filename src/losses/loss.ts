/**
 * Room: losses (level 3). A loss over one rank's rows: per shard a sum (never a mean: dividing comes last, once) and the
 * gradient already divided by the rows of the global batch, so that all later reductions are plain sums.
 */
import type { LossConfig } from '../config/losses.ts';
import { resolveLoss } from '../config/resolve.ts';
import type { Kernels } from '../kernels/contract.ts';
import type { Address, Arena } from '../memory/arena.ts';

/**
 * What a plan may be asked to minimise: a loss of the config, or `given`: the sum of prediction x target, whose gradient is
 * the target itself. With it a layer's backward pass can be checked against any upstream gradient.
 */
export type LossSpec = LossConfig | { readonly type: 'given' };

export interface Loss {
  /** `class`: int32 labels, one a row. `target`: float32, as many a row as predictions. */
  readonly labels: 'class' | 'target';
  /** True when the loss takes logits and the model is expected to end in a softmax, which is then left to the loss. */
  readonly fusesSoftmax: boolean;
  /** True when the second sum counts correct predictions. */
  readonly countsCorrect: boolean;
  /**
   * For `rows` rows of `columns` predictions: writes two float64 at `sums`, [sum of losses, number of correct predictions],
   * and unless dy is 0 the gradient of loss / divisor by the predictions.
   */
  run(kernels: Kernels, arena: Arena, predictions: Address, labels: Address, dy: Address, rows: number, columns: number, divisor: number, sums: Address): void;
}

export function lossOf(spec: LossSpec): Loss {
  if (typeof spec === 'object' && spec.type === 'given') return given;
  const config = resolveLoss(spec as LossConfig);
  switch (config.type) {
    case 'sparseCategoricalCrossentropy':
      return sparseCategoricalCrossentropy(!config.fromLogits);
    case 'meanSquaredError':
      return meanSquaredError;
    default:
      return config satisfies never;
  }
}

/** -log softmax(logits)[label], softmax and loss in one pass. */
function sparseCategoricalCrossentropy(fusesSoftmax: boolean): Loss {
  return {
    labels: 'class',
    fusesSoftmax,
    countsCorrect: true,
    run: (kernels, _, predictions, labels, dy, rows, columns, divisor, sums) => kernels.sparseCrossentropy(predictions, labels, dy, rows, columns, divisor, sums),
  };
}

/** The mean over a row's predictions of (p - t)^2. */
const meanSquaredError: Loss = {
  labels: 'target',
  fusesSoftmax: false,
  countsCorrect: false,
  run: (kernels, _, predictions, labels, dy, rows, columns, divisor, sums) => kernels.meanSquaredError(predictions, labels, dy, rows, columns, divisor, sums),
};

const given: Loss = {
  labels: 'target',
  fusesSoftmax: false,
  countsCorrect: false,
  run(_kernels, { f32, f64 }, predictions, labels, dy, rows, columns, _divisor, sums) {
    let sum = 0;
    for (let i = 0; i < rows * columns; i++) {
      const target = f32[(labels >>> 2) + i]!;
      sum += f32[(predictions >>> 2) + i]! * target;
      if (dy !== 0) f32[(dy >>> 2) + i] = target;
    }
    f64[sums >>> 3] = sum;
    f64[(sums >>> 3) + 1] = 0;
  },
};
