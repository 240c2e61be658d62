/**
 * Room: metrics (level 3). What a run measures: its metrics, each with a place among the numbers that a shard adds up. The first two
 * are the loss's: the sum of losses, and what it counted as correct.
 */
import type { MetricConfig } from '../config/metrics.ts';
import { resolveMetric } from '../config/resolve.ts';
import { LockstepError } from '../errors.ts';
import { targetLossCode } from '../kernels/contract.ts';
import { binaryAccuracy, categoricalAccuracy, countedByLoss, sparseCategoricalAccuracy, sparseTopKCategoricalAccuracy, topKCategoricalAccuracy } from './accuracy.ts';
import { confusionMatrix, matrixOf } from './confusion.ts';
import { auc, precision, recall } from './detection.ts';
import type { Metric } from './metric.ts';

/** A metric of the config, or the confusion matrix of an evaluation. */
export type MetricSpec = MetricConfig | { readonly type: 'confusionMatrix' };

interface PlacedMetric {
  readonly spec: MetricSpec;
  readonly metric: Metric;
  /** Where its numbers begin among those of a shard. */
  readonly at: number;
}

/** What a metric must know of the loss: `losses/` has it. */
export interface LossTraits {
  readonly labels: 'class' | 'target';
  readonly countsCorrect: boolean;
  readonly isBinary: boolean;
  readonly fuses: boolean;
  readonly logitsOf: 'softmax' | 'sigmoid' | undefined;
}

export interface Measures {
  readonly metrics: readonly PlacedMetric[];
  /** float64 numbers a shard: loss and correct, then those of the metrics; even, as areas have pairs. */
  readonly length: number;
  /** The activation that must be computed for the metrics, because the loss took it over. */
  readonly activation: 'softmax' | 'sigmoid' | undefined;
}

/** For a model of `columns` outputs. Throws LOCKSTEP_CONFIG for a metric that does not fit the loss's labels. */
export function planMeasures(specs: readonly MetricSpec[], loss: LossTraits, columns: number): Measures {
  let end = 2;
  const metrics = specs.map((spec): PlacedMetric => {
    const metric = metricOf(spec, loss, columns);
    const at = metric.count === 0 ? 1 : end;
    end += metric.count;
    return { spec, metric, at };
  });
  const activation = loss.fuses && metrics.some(({ metric }) => metric.activated) ? loss.logitsOf : undefined;
  return { metrics, length: end + (end % 2), activation };
}

/** What the metrics come to, by their names, over `rows` rows. */
export function metricValues({ metrics }: Measures, sums: ArrayLike<number>, rows: number): Record<string, number> {
  const values: Record<string, number> = {};
  for (const { spec, metric, at } of metrics) if (!isMatrix(spec)) values[metric.name] = metric.value(sums, at, rows);
  return values;
}

/** The confusion matrix, if it was counted: `matrix[class][predicted class]`. */
export function matrixIn({ metrics }: Measures, sums: ArrayLike<number>): number[][] | undefined {
  const placed = metrics.find(({ spec }) => isMatrix(spec));
  return placed && matrixOf(sums, placed.at, placed.metric.count);
}

/** Whether this is the confusion matrix, which is no single number. */
function isMatrix(spec: MetricSpec): spec is { readonly type: 'confusionMatrix' } {
  return typeof spec === 'object' && spec.type === 'confusionMatrix';
}

function metricOf(spec: MetricSpec, { labels, countsCorrect, isBinary }: LossTraits, columns: number): Metric {
  if (isMatrix(spec)) return confusionMatrix('confusionMatrix', labels, columns);
  const config = resolveMetric(spec);
  const { type, name = type } = config;
  const needs = (kind: 'class' | 'target', mend: string): void => {
    if (labels === kind) return;
    const words = { class: 'class labels', target: 'target values' };
    throw new LockstepError('LOCKSTEP_CONFIG', `Expected a loss on ${words[kind]} for the metric ${type}, got one on ${words[labels]}; ${mend}.`);
  };
  const sparse = (): Metric => (countsCorrect ? countedByLoss(name) : sparseCategoricalAccuracy(name));
  switch (type) {
    case 'accuracy':
      // Keras' choice, by the output's shape and the loss.
      if (labels === 'class') return sparse();
      return columns === 1 || isBinary ? binaryAccuracy(name, 0.5, columns) : categoricalAccuracy(name);
    case 'sparseCategoricalAccuracy':
      needs('class', 'take categoricalAccuracy or accuracy');
      return sparse();
    case 'sparseTopKCategoricalAccuracy':
      needs('class', 'take topKCategoricalAccuracy');
      return sparseTopKCategoricalAccuracy(name, config.k);
    case 'categoricalAccuracy':
      needs('target', 'take sparseCategoricalAccuracy or accuracy');
      return categoricalAccuracy(name);
    case 'topKCategoricalAccuracy':
      needs('target', 'take sparseTopKCategoricalAccuracy');
      return topKCategoricalAccuracy(name, config.k);
    default:
      needs('target', 'take accuracy, or train on targets with categoricalCrossentropy or binaryCrossentropy');
  }
  switch (type) {
    case 'binaryAccuracy':
      return binaryAccuracy(name, config.threshold, columns);
    case 'precision':
      return precision(name, config.threshold);
    case 'recall':
      return recall(name, config.threshold);
    case 'auc':
      return auc(name, config.numThresholds);
    case 'meanAbsoluteError':
      return {
        ...meanError(name),
        measure: (kernels, _, p, t, rows, width, sums) => kernels.targetLoss(targetLossCode.meanAbsoluteError, 0, p, t, 0, rows, width, 1, sums),
      };
    case 'meanSquaredError':
      return { ...meanError(name), measure: (kernels, _, p, t, rows, width, sums) => kernels.meanSquaredError(p, t, 0, rows, width, 1, sums) };
    default:
      return config satisfies never;
  }
}

/** The sum of the rows' errors, and a 0, as the kernels write them. */
function meanError(name: string): Omit<Metric, 'measure'> {
  return { name, count: 2, activated: true, value: (sums, at, rows) => sums[at]! / rows };
}
