/**
 * Room: config (level 1). Which optimizers there are and how gradients may be clipped: at most one clipper, because
 * their order would matter. The formulas are in `src/optimizers/`.
 */
import { z } from 'zod';
import { optimizerDefaults as d } from './defaults.ts';
import { across, field, flag, fraction, fractionBelowOne, nonNegative, positive, record, variantError } from './rules.ts';

/** Clippers of the global mean gradient; 0 or absent turns one off. */
const clippers = {
  /** Every element into [-clipvalue, clipvalue]. */
  clipvalue: nonNegative.optional(),
  /** Each tensor's norm to at most this. */
  clipnorm: nonNegative.optional(),
  /** The norm over all tensors to at most this. */
  globalClipnorm: nonNegative.optional(),
};

const adam = {
  learningRate: nonNegative.default(d.adamLearningRate),
  beta1: fractionBelowOne.default(d.beta1),
  beta2: fractionBelowOne.default(d.beta2),
  epsilon: positive.default(d.adamEpsilon),
};

const optimizerTypes = ['sgd', 'adam', 'adamw'] as const;
const optimizerWords = 'an object with the `type` of an optimizer, like { type: "sgd" }';
const optimizerFields = z.discriminatedUnion(
  'type',
  [
    record(optimizerWords, {
      type: z.literal('sgd'),
      learningRate: nonNegative.default(d.sgdLearningRate),
      momentum: fraction.default(d.momentum),
      nesterov: flag.default(d.nesterov),
      ...clippers,
    }),
    record(optimizerWords, { type: z.literal('adam'), ...adam, ...clippers }),
    record(optimizerWords, { type: z.literal('adamw'), ...adam, weightDecay: nonNegative.default(d.weightDecay), ...clippers }),
  ],
  variantError(optimizerWords, 'a supported optimizer', optimizerTypes),
);

export const optimizerSchema = across(optimizerFields, (optimizer, report) => {
  const isOn = (name: string) => typeof field(optimizer, name) === 'number' && field(optimizer, name) !== 0;
  const [first, ...others] = Object.keys(clippers).filter(isOn);
  for (const other of others) report([other], `0 or absent while \`${first}\` is set, because one clipper excludes another`);
});

export type OptimizerConfigInput = z.input<typeof optimizerSchema>;
export type OptimizerConfig = z.output<typeof optimizerSchema>;
