/**
 * Room: config (level 1). Which metrics there are: a name, or an object with options.
 */
import { z } from 'zod';
import { metricDefaults as d } from './defaults.ts';
import { choice, finite, integer, record, text, variantError } from './rules.ts';

const metricNames = [
  'accuracy',
  'sparseCategoricalAccuracy',
  'categoricalAccuracy',
  'binaryAccuracy',
  'topKCategoricalAccuracy',
  'sparseTopKCategoricalAccuracy',
  'precision',
  'recall',
  'auc',
  'meanAbsoluteError',
  'meanSquaredError',
] as const;
const metricWords = `one of ${metricNames.join(', ')}, or an object like { type: "topKCategoricalAccuracy", k: 3 }`;

const nameRule = 'a name other than `loss`, without `val_` before it';
const name = text
  .refine((value) => value !== 'loss' && !value.startsWith('val_'), nameRule)
  .optional()
  .describe('What the history calls it; its type when absent.');
const threshold = finite.default(d.threshold).describe('A prediction above it is a yes.');
const k = integer(1).default(d.k).describe('How many of the largest predictions count.');
const plain = <const T extends (typeof metricNames)[number]>(type: T) => record(metricWords, { type: z.literal(type), name });

const metricObject = z.discriminatedUnion(
  'type',
  [
    plain('accuracy'),
    plain('sparseCategoricalAccuracy'),
    plain('categoricalAccuracy'),
    record(metricWords, { type: z.literal('binaryAccuracy'), threshold, name }),
    record(metricWords, { type: z.literal('topKCategoricalAccuracy'), k, name }),
    record(metricWords, { type: z.literal('sparseTopKCategoricalAccuracy'), k, name }),
    record(metricWords, { type: z.literal('precision'), threshold, name }),
    record(metricWords, { type: z.literal('recall'), threshold, name }),
    record(metricWords, { type: z.literal('auc'), numThresholds: integer(2, 100_000).default(d.numThresholds).describe('Points of the ROC curve.'), name }),
    plain('meanAbsoluteError'),
    plain('meanSquaredError'),
  ],
  variantError(metricWords, 'a supported metric', metricNames),
);
const metricSchema = z.union([choice(...metricNames), metricObject], metricWords);

export type MetricConfig = z.output<typeof metricSchema>;
/** A metric with all its options, never a bare name. */
export type ResolvedMetric = z.output<typeof metricObject>;

const listRule = 'a list of metrics with different names';
const called = (metric: unknown): unknown =>
  typeof metric === 'object' && metric !== null && 'type' in metric ? ('name' in metric ? metric.name : metric.type) : metric;
export const metricsSchema = z.array(metricSchema, listRule).refine((list) => new Set(list.map(called)).size === list.length, listRule);
