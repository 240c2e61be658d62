/**
 * Room: config (level 1). Penalties on weights, and bounds that they are brought back into after every update, spelt as in tfjs-layers.
 */
import { z } from 'zod';
import { regularizerDefaults as d } from './defaults.ts';
import { choice, fraction, integer, nonNegative, positive, record, variantError } from './rules.ts';

const regularizerNames = ['l1', 'l2', 'l1l2'] as const;
const regularizerWords = `one of ${regularizerNames.join(', ')}, or an object like { type: "l2", l2: 0.001 }`;
const regularizerObject = z.discriminatedUnion(
  'type',
  [
    record(regularizerWords, { type: z.literal('l1'), l1: nonNegative.default(d.l1) }),
    record(regularizerWords, { type: z.literal('l2'), l2: nonNegative.default(d.l2) }),
    record(regularizerWords, { type: z.literal('l1l2'), l1: nonNegative.default(d.l1), l2: nonNegative.default(d.l2) }),
  ],
  variantError(regularizerWords, 'a regularizer', regularizerNames),
);
/** Adds l1 sum |w| + l2 sum w^2 to the loss. */
export const regularizerSchema = z.union([choice(...regularizerNames), regularizerObject], regularizerWords);
export type RegularizerConfig = z.output<typeof regularizerSchema>;

const axis = integer(0, 1).default(d.axis);
const constraintNames = ['maxNorm', 'minMaxNorm', 'nonNeg', 'unitNorm'] as const;
const constraintWords = `one of ${constraintNames.join(', ')}, or an object like { type: "maxNorm", maxValue: 3 }`;
const constraintObject = z.discriminatedUnion(
  'type',
  [
    record(constraintWords, { type: z.literal('maxNorm'), maxValue: positive.default(d.maxValue), axis }),
    record(constraintWords, {
      type: z.literal('minMaxNorm'),
      minValue: nonNegative.default(d.minValue),
      maxValue: positive.default(d.mostValue),
      rate: fraction.default(d.rate),
      axis,
    }),
    record(constraintWords, { type: z.literal('nonNeg') }),
    record(constraintWords, { type: z.literal('unitNorm'), axis }),
  ],
  variantError(constraintWords, 'a constraint', constraintNames),
);
/** `axis` 0 takes the norm of each column of a kernel (the weights into a unit), 1 of each row; a bias is one column. */
export const constraintSchema = z.union([choice(...constraintNames), constraintObject], constraintWords);
export type ConstraintConfig = z.output<typeof constraintSchema>;
/** A constraint with all its options, never a bare name. */
export type ResolvedConstraint = z.output<typeof constraintObject>;
