/**
 * Room: losses (level 3). A loss over one rank's rows: per shard a sum (never a mean: dividing comes last, once) and the
 * gradient already divided by the rows of the global batch, so that all later reductions are plain sums.
 */
import type { LossConfig, ResolvedLoss } from '../config/losses.ts';
import { resolveLoss } from '../config/resolve.ts';
import { type Kernels, targetLossCode } from '../kernels/contract.ts';
import type { Address, Arena } from '../memory/arena.ts';

/**
 * What a plan may be asked to minimise: a loss of the config, or `given`: the sum of prediction x target, whose gradient is
 * the target itself. With it a layer's backward pass can be checked against any upstream gradient.
 */
export type LossSpec = LossConfig | { readonly type: 'given' };

/** Computes a loss and its gradient, see `Loss.run`. */
type RunLoss = (
  kernels: Kernels,
  arena: Arena,
  predictions: Address,
  labels: Address,
  dy: Address,
  rows: number,
  columns: number,
  divisor: number,
  sums: Address,
) => void;

export interface Loss {
  /** `class`: int32 labels, one a row. `target`: float32, as many a row as predictions. */
  readonly labels: 'class' | 'target';
  /** The activation whose logits the loss takes. */
  readonly logitsOf: 'softmax' | 'sigmoid' | undefined;
  /** True when the model is expected to end in that activation, which is then left to the loss; otherwise it must give logits. */
  readonly fuses: boolean;
  /** True when a row's predictions are its classes: the loss looks at all of them together, so the output has one dimension. */
  readonly isOverClasses: boolean;
  /** True for a loss of two classes: labels 0 and 1 of a model with a single output are its targets. */
  readonly isBinary: boolean;
  /** True when the second sum counts correct predictions. */
  readonly countsCorrect: boolean;
  /**
   * For `rows` rows of `columns` predictions: writes two float64 at `sums`, [sum of losses, number of correct predictions],
   * and unless dy is 0 the gradient of loss / divisor by the predictions.
   */
  readonly run: RunLoss;
}

export function lossOf(spec: LossSpec): Loss {
  if (typeof spec === 'object' && spec.type === 'given') return given;
  const config = resolveLoss(spec as LossConfig);
  switch (config.type) {
    case 'sparseCategoricalCrossentropy':
      return sparseCategoricalCrossentropy(!config.fromLogits);
    case 'categoricalCrossentropy':
      return categoricalCrossentropy(config);
    case 'binaryCrossentropy':
      return { ...pointwise('binaryCrossentropy', config.labelSmoothing), isBinary: true, logitsOf: 'sigmoid', fuses: !config.fromLogits };
    case 'meanSquaredError':
      return meanSquaredError;
    case 'huber':
      return pointwise('huber', config.delta);
    case 'meanAbsoluteError':
      return pointwise('meanAbsoluteError', 0);
    case 'hinge':
    case 'squaredHinge':
      return { ...pointwise(config.type, 0), isBinary: true };
    case 'kullbackLeiblerDivergence':
      return { ...pointwise('kullbackLeiblerDivergence', 0), isOverClasses: true };
    case 'categoricalHinge':
      return categoricalHinge;
    default:
      return config satisfies never;
  }
}

/** The name that messages call a loss by. */
export function lossName(spec: LossSpec): string {
  return typeof spec === 'string' ? spec : spec.type;
}

const onTargets = { labels: 'target', logitsOf: undefined, fuses: false, isOverClasses: false, isBinary: false, countsCorrect: false } as const satisfies Omit<
  Loss,
  'run'
>;

/** -log softmax(logits)[label], softmax and loss in one pass. */
function sparseCategoricalCrossentropy(fuses: boolean): Loss {
  return {
    labels: 'class',
    logitsOf: 'softmax',
    fuses,
    isOverClasses: true,
    isBinary: false,
    countsCorrect: true,
    run: (kernels, _, predictions, labels, dy, rows, columns, divisor, sums) => kernels.sparseCrossentropy(predictions, labels, dy, rows, columns, divisor, sums),
  };
}

/** -sum t log softmax(logits), as Keras' smooths its targets: t (1 - labelSmoothing) + labelSmoothing / classes. */
function categoricalCrossentropy({ fromLogits, labelSmoothing }: Extract<ResolvedLoss, { type: 'categoricalCrossentropy' }>): Loss {
  return {
    ...onTargets,
    logitsOf: 'softmax',
    fuses: !fromLogits,
    isOverClasses: true,
    run: (kernels, _, predictions, targets, dy, rows, columns, divisor, sums) =>
      kernels.categoricalCrossentropy(predictions, targets, dy, rows, columns, labelSmoothing, divisor, sums),
  };
}

/** The mean over a row's predictions of (p - t)^2. */
const meanSquaredError: Loss = {
  ...onTargets,
  run: (kernels, _, predictions, targets, dy, rows, columns, divisor, sums) => kernels.meanSquaredError(predictions, targets, dy, rows, columns, divisor, sums),
};

/** The losses that look at each prediction and its target alone: the contract's `targetLoss` says what they are. */
function pointwise(name: keyof typeof targetLossCode, parameter: number): Loss {
  const code = targetLossCode[name];
  return {
    ...onTargets,
    run: (kernels, _, predictions, targets, dy, rows, columns, divisor, sums) =>
      kernels.targetLoss(code, parameter, predictions, targets, dy, rows, columns, divisor, sums),
  };
}

/** max(0, 1 + max((1 - t) p) - sum t p) over a row's classes. */
const categoricalHinge: Loss = {
  ...onTargets,
  isOverClasses: true,
  run: (kernels, _, predictions, targets, dy, rows, columns, divisor, sums) => kernels.categoricalHinge(predictions, targets, dy, rows, columns, divisor, sums),
};

const given: Loss = {
  ...onTargets,
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
