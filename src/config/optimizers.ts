/**
 * Room: config (level 1). Which optimizers there are, what all of them can do, and how gradients may be clipped: at most one
 * clipper, because their order would matter. The formulas are in `src/optimizers/`.
 */
import { z } from 'zod';
import { optimizerDefaults as d } from './defaults.ts';
import { across, field, flag, fraction, fractionBelowOne, integer, nonNegative, percent, positive, type Report, record, text, variantError } from './rules.ts';
import { learningRateSchema, scheduleFits } from './schedules.ts';

/** Clippers of the global mean gradient; 0 or absent turns one off. */
const clippers = {
  /** Every element into [-clipvalue, clipvalue]. */
  clipvalue: nonNegative.optional(),
  /** Each tensor's norm to at most this. */
  clipnorm: nonNegative.optional(),
  /** The norm over all tensors to at most this. */
  globalClipnorm: nonNegative.optional(),
  /** The norm of each unit's gradient to at most this share of the norm of its weights. */
  adaptiveClip: nonNegative.optional(),
  /** The norm over all tensors to at most this percentile of those of the last updates. */
  clipPercentile: percent.optional(),
};

/** Numbers of the state, and lines of a checkpoint's run.json. */
export const clipHistory = integer(1, 100_000);

/**
 * What every optimizer can do beside its formula. Patterns name weights, `<layer>/<weight>`, or whole layers; `*` stands for any characters.
 * Absent stays absent in a parsed config: nothing is said of what nobody asked for.
 */
const common = {
  /** The share of each weight that a step of learning rate 1 removes, before the update. */
  weightDecay: nonNegative.optional(),
  /** Patterns of weights that are not decayed. */
  excludeFromWeightDecay: z.array(text, 'a list of patterns').optional(),
  /** By pattern: what the learning rate is multiplied with; 0 freezes. */
  learningRateFactors: z.record(z.string(), nonNegative, 'an object of patterns and factors').optional(),
  /** Keep a moving average of the weights, which the model gets at the end. */
  useEma: flag.optional(),
  /** The share of the old average that a step keeps. */
  emaMomentum: fraction.optional(),
  /** Every so many updates the weights themselves become their average. */
  emaOverwriteFrequency: integer(1).optional(),
  ...clippers,
  /** No unit's weights count as shorter than this in `adaptiveClip`. */
  adaptiveClipEpsilon: positive.optional(),
  /** Patterns of weights that `adaptiveClip` leaves alone. */
  excludeFromAdaptiveClip: z.array(text, 'a list of patterns').optional(),
  /** Of how many updates `clipPercentile` remembers the norm. */
  clipHistory: clipHistory.optional(),
};

const learningRate = learningRateSchema.default(d.learningRate);
const epsilon = positive.default(d.epsilon);
const betas = { beta1: fractionBelowOne.default(d.beta1), beta2: fractionBelowOne.default(d.beta2) };

const words = 'an object with the `type` of an optimizer, like { type: "sgd" }';
const optimizerTypes = ['sgd', 'adam', 'adamw', 'rmsprop', 'adagrad', 'adadelta', 'adamax', 'nadam', 'lion', 'lars', 'lamb'] as const;
const optimizerFields = z.discriminatedUnion(
  'type',
  [
    record(words, {
      type: z.literal('sgd'),
      learningRate: learningRateSchema.default(d.sgdLearningRate),
      momentum: fraction.default(d.momentum),
      nesterov: flag.default(d.nesterov),
      ...common,
    }),
    record(words, { type: z.literal('adam'), learningRate, ...betas, epsilon, ...common }),
    record(words, { type: z.literal('adamw'), learningRate, ...betas, epsilon, ...common, weightDecay: nonNegative.default(d.adamwWeightDecay) }),
    record(words, {
      type: z.literal('rmsprop'),
      learningRate,
      rho: fractionBelowOne.default(d.rmspropRho),
      momentum: fraction.default(d.momentum),
      epsilon,
      centered: flag.default(d.centered),
      ...common,
    }),
    record(words, { type: z.literal('adagrad'), learningRate, initialAccumulatorValue: nonNegative.default(d.initialAccumulatorValue), epsilon, ...common }),
    record(words, { type: z.literal('adadelta'), learningRate, rho: fractionBelowOne.default(d.adadeltaRho), epsilon, ...common }),
    record(words, { type: z.literal('adamax'), learningRate, ...betas, epsilon, ...common }),
    record(words, { type: z.literal('nadam'), learningRate, ...betas, epsilon, ...common }),
    record(words, { type: z.literal('lion'), learningRate, beta1: betas.beta1, beta2: fractionBelowOne.default(d.lionBeta2), ...common }),
    record(words, {
      type: z.literal('lars'),
      learningRate: learningRateSchema.default(d.larsLearningRate),
      momentum: fraction.default(d.larsMomentum),
      trustCoefficient: positive.default(d.trustCoefficient),
      ...common,
    }),
    record(words, { type: z.literal('lamb'), learningRate, ...betas, epsilon, ...common }),
  ],
  variantError(words, 'a supported optimizer', optimizerTypes),
);

/** Options that mean something only beside another one. */
const dependents = {
  useEma: ['emaMomentum', 'emaOverwriteFrequency'],
  adaptiveClip: ['adaptiveClipEpsilon', 'excludeFromAdaptiveClip'],
  clipPercentile: ['clipHistory'],
} as const;

function dependentsFit(optimizer: unknown, report: Report): void {
  for (const [owner, names] of Object.entries(dependents)) {
    const value = field(optimizer, owner);
    if (value !== undefined && value !== false && value !== 0) continue;
    for (const name of names) if (field(optimizer, name) !== undefined) report([name], `absent without \`${owner}\``);
  }
}

export const optimizerSchema = across(optimizerFields, (optimizer, report) => {
  const isOn = (name: string) => typeof field(optimizer, name) === 'number' && field(optimizer, name) !== 0;
  const [first, ...others] = Object.keys(clippers).filter(isOn);
  for (const other of others) report([other], `0 or absent while \`${first}\` is set, because one clipper excludes another`);
  scheduleFits(field(optimizer, 'learningRate'), ['learningRate'], report);
  dependentsFit(optimizer, report);
});

export type OptimizerConfigInput = z.input<typeof optimizerSchema>;
export type OptimizerConfig = z.output<typeof optimizerSchema>;
