/**
 * Room: config (level 1). Which losses and metrics there are: a name, or an object with options.
 */
import { z } from 'zod';
import { lossDefaults } from './defaults.ts';
import { choice, flag, record, variantError } from './rules.ts';

const lossNames = ['sparseCategoricalCrossentropy', 'meanSquaredError'] as const;
const lossWords = `one of ${lossNames.join(', ')}, or an object like { type: "sparseCategoricalCrossentropy", fromLogits: true }`;

const lossObject = z.discriminatedUnion(
  'type',
  [
    record(lossWords, { type: z.literal('sparseCategoricalCrossentropy'), fromLogits: flag.default(lossDefaults.fromLogits) }),
    record(lossWords, { type: z.literal('meanSquaredError') }),
  ],
  variantError(lossWords, 'a supported loss', lossNames),
);
export const lossSchema = z.union([choice(...lossNames), lossObject], lossWords);

export type LossConfig = z.output<typeof lossSchema>;
/** A loss with all its options, never a bare name. */
export type ResolvedLoss = z.output<typeof lossObject>;

const metricsRule = 'a list of different metrics (accuracy)';
export const metricsSchema = z.array(choice('accuracy'), metricsRule).refine((list) => new Set(list).size === list.length, metricsRule);
