/**
 * Room: config (level 1). Names written out: 'elu' is { type: 'elu', alpha: 1 }. Ranks need this and nothing else of the room,
 * so it never imports a schema: loading those would delay every thread's start.
 */
import { layerDefaults, lossDefaults, metricDefaults, regularizerDefaults } from './defaults.ts';
import type { ActivationConfig, ActivationName, InitializerConfig, ResolvedInitializer } from './initializers.ts';
import type { LossConfig, ResolvedLoss } from './losses.ts';
import type { MetricConfig, ResolvedMetric } from './metrics.ts';
import type { ConstraintConfig, RegularizerConfig, ResolvedConstraint } from './regularizers.ts';

/** The object form of an initialiser: 'randomNormal' is { type: 'randomNormal', mean: 0, stddev: 0.05 }. */
export function resolveInitializer(config: InitializerConfig): ResolvedInitializer {
  if (typeof config !== 'string') return config;
  const spread = layerDefaults.randomSpread;
  switch (config) {
    case 'randomUniform':
      return { type: config, minval: -spread, maxval: spread };
    case 'randomNormal':
    case 'truncatedNormal':
      return { type: config, mean: 0, stddev: spread };
    case 'orthogonal':
    case 'identity':
      return { type: config, gain: 1 };
    default:
      return { type: config };
  }
}

/** An activation with its slope or scale below 0; `alpha` is 0 for those that have none. */
export interface ResolvedActivation {
  readonly type: ActivationName;
  readonly alpha: number;
}

const defaultAlpha: Partial<Record<ActivationName, number>> = { leakyReLU: layerDefaults.leakyReLUAlpha, elu: layerDefaults.eluAlpha };

/** The object form of an activation. */
export function resolveActivation(config: ActivationConfig): ResolvedActivation {
  const type = typeof config === 'string' ? config : config.type;
  const alpha = typeof config === 'object' && 'alpha' in config ? config.alpha : defaultAlpha[type];
  return { type, alpha: alpha ?? 0 };
}

/** The factors of a regularizer; 0 for what it does not have. */
export function resolveRegularizer(config: RegularizerConfig): { readonly l1: number; readonly l2: number } {
  const { l1, l2 } = regularizerDefaults;
  if (typeof config === 'string') return { l1: config === 'l2' ? 0 : l1, l2: config === 'l1' ? 0 : l2 };
  return { l1: 'l1' in config ? config.l1 : 0, l2: 'l2' in config ? config.l2 : 0 };
}

/** The object form of a constraint. */
export function resolveConstraint(config: ConstraintConfig): ResolvedConstraint {
  if (typeof config !== 'string') return config;
  const { axis, maxValue, minValue, mostValue, rate } = regularizerDefaults;
  switch (config) {
    case 'maxNorm':
      return { type: config, maxValue, axis };
    case 'minMaxNorm':
      return { type: config, minValue, maxValue: mostValue, rate, axis };
    case 'unitNorm':
      return { type: config, axis };
    default:
      return { type: config };
  }
}

/** The object form of a loss. */
export function resolveLoss(config: LossConfig): ResolvedLoss {
  if (typeof config !== 'string') return config;
  const { fromLogits, labelSmoothing, huberDelta } = lossDefaults;
  switch (config) {
    case 'sparseCategoricalCrossentropy':
      return { type: config, fromLogits };
    case 'categoricalCrossentropy':
    case 'binaryCrossentropy':
      return { type: config, fromLogits, labelSmoothing };
    case 'huber':
      return { type: config, delta: huberDelta };
    default:
      return { type: config };
  }
}

/** The object form of a metric. */
export function resolveMetric(config: MetricConfig): ResolvedMetric {
  if (typeof config !== 'string') return config;
  const { threshold, k, numThresholds } = metricDefaults;
  switch (config) {
    case 'binaryAccuracy':
    case 'precision':
    case 'recall':
      return { type: config, threshold };
    case 'topKCategoricalAccuracy':
    case 'sparseTopKCategoricalAccuracy':
      return { type: config, k };
    case 'auc':
      return { type: config, numThresholds };
    default:
      return { type: config };
  }
}

/** What the history calls a metric. */
export function metricName(config: MetricConfig): string {
  const { type, name = type } = resolveMetric(config);
  return name;
}

/** Rows of the global batch: what one step, one update of the weights, is computed from. */
export function rowsPerStep({ batchSize, gradientAccumulationSteps }: { readonly batchSize: number; readonly gradientAccumulationSteps: number }): number {
  return batchSize * gradientAccumulationSteps;
}
