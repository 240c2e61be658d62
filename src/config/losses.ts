/**
 * Room: config (level 1). Which losses there are: a name, or an object with options.
 */
import { z } from 'zod';
import { lossDefaults as d } from './defaults.ts';
import { choice, flag, fraction, positive, record, variantError } from './rules.ts';

const lossNames = [
  'sparseCategoricalCrossentropy',
  'categoricalCrossentropy',
  'binaryCrossentropy',
  'meanSquaredError',
  'meanAbsoluteError',
  'huber',
  'hinge',
  'squaredHinge',
  'categoricalHinge',
  'kullbackLeiblerDivergence',
] as const;
const lossWords = `one of ${lossNames.join(', ')}, or an object like { type: "sparseCategoricalCrossentropy", fromLogits: true }`;

const fromLogits = flag.default(d.fromLogits).describe('True when the model gives logits; otherwise it ends in softmax or sigmoid, which the loss computes along.');
const labelSmoothing = fraction.default(d.labelSmoothing).describe('Share of each target that is spread evenly over the classes.');
const plain = <const T extends (typeof lossNames)[number]>(type: T) => record(lossWords, { type: z.literal(type) });

const lossObject = z.discriminatedUnion(
  'type',
  [
    record(lossWords, { type: z.literal('sparseCategoricalCrossentropy'), fromLogits }),
    record(lossWords, { type: z.literal('categoricalCrossentropy'), fromLogits, labelSmoothing }),
    record(lossWords, { type: z.literal('binaryCrossentropy'), fromLogits, labelSmoothing }),
    record(lossWords, { type: z.literal('huber'), delta: positive.default(d.huberDelta).describe('The error at which the square becomes a line.') }),
    plain('meanSquaredError'),
    plain('meanAbsoluteError'),
    plain('hinge'),
    plain('squaredHinge'),
    plain('categoricalHinge'),
    plain('kullbackLeiblerDivergence'),
  ],
  variantError(lossWords, 'a supported loss', lossNames),
);
export const lossSchema = z.union([choice(...lossNames), lossObject], lossWords);

export type LossConfig = z.output<typeof lossSchema>;
/** A loss with all its options, never a bare name. */
export type ResolvedLoss = z.output<typeof lossObject>;
