/**
 * Room: config (level 1). How weights may start and which activations there are, spelt as in tfjs-layers: a name, or an
 * object with options. It never computes a number; `src/layers/` does.
 */
import { z } from 'zod';
import { layerDefaults } from './defaults.ts';
import { choice, finite, integer, nonNegative, positive, record, variantError } from './rules.ts';

const spread = layerDefaults.randomSpread;
const normal = { mean: finite.default(0), stddev: nonNegative.default(spread) };

/** The initialisers that need no option; fans are taken from the weight's shape. */
const plainNames = ['zeros', 'ones', 'glorotUniform', 'glorotNormal', 'heUniform', 'heNormal', 'leCunUniform', 'leCunNormal'] as const;
/** Those that may also be written as a name: all but `constant` and `fixup`, which need their options, and `varianceScaling`, which the fan names are. */
const initializerNames = [...plainNames, 'randomUniform', 'randomNormal', 'truncatedNormal', 'orthogonal', 'identity'] as const;
const initializerTypes = [...initializerNames, 'constant', 'varianceScaling', 'fixup'] as const;

const initializerWords = `one of ${initializerNames.join(', ')}, or an object like { type: "constant", value: 0.1 }`;
const initializerObject = z.discriminatedUnion(
  'type',
  [
    record(initializerWords, { type: z.enum(plainNames) }),
    record(initializerWords, { type: z.literal('constant'), value: finite }),
    record(initializerWords, { type: z.literal('randomUniform'), minval: finite.default(-spread), maxval: finite.default(spread) }),
    record(initializerWords, { type: z.literal('randomNormal'), ...normal }),
    record(initializerWords, { type: z.literal('truncatedNormal'), ...normal }),
    record(initializerWords, {
      type: z.literal('varianceScaling'),
      scale: positive.default(1),
      mode: choice('fanIn', 'fanOut', 'fanAvg').default('fanIn'),
      distribution: choice('normal', 'uniform', 'truncatedNormal').default('normal'),
    }),
    record(initializerWords, {
      type: z.literal('fixup'),
      blocks: integer(1).describe('Residual blocks of the network.'),
      layersPerBlock: integer(2).describe('Layers with a kernel in the branch of a block.'),
    }),
    record(initializerWords, { type: z.literal('orthogonal'), gain: finite.default(1) }),
    record(initializerWords, { type: z.literal('identity'), gain: finite.default(1) }),
  ],
  variantError(initializerWords, 'an initializer type', initializerTypes),
);
export const initializerSchema = z.union([choice(...initializerNames), initializerObject], initializerWords);

export type InitializerConfigInput = z.input<typeof initializerSchema>;
export type InitializerConfig = z.output<typeof initializerSchema>;
/** An initialiser with all its options, never a bare name. */
export type ResolvedInitializer = z.output<typeof initializerObject>;

/** All activations. softmax goes over the last axis; the others are elementwise. */
const plainActivations = ['linear', 'relu', 'selu', 'gelu', 'swish', 'softplus', 'tanh', 'sigmoid', 'softmax'] as const;
const activationNames = [...plainActivations, 'leakyReLU', 'elu'] as const;
export type ActivationName = (typeof activationNames)[number];

const activationWords = `one of ${activationNames.join(', ')}, or an object like { type: "leakyReLU", alpha: 0.1 }`;
const { leakyReLUAlpha, eluAlpha } = layerDefaults;
const activationObject = z.discriminatedUnion(
  'type',
  [
    record(activationWords, { type: z.enum(plainActivations) }),
    record(activationWords, { type: z.literal('leakyReLU'), alpha: nonNegative.default(leakyReLUAlpha) }),
    record(activationWords, { type: z.literal('elu'), alpha: nonNegative.default(eluAlpha) }),
  ],
  variantError(activationWords, 'an activation', activationNames),
);
export const activationSchema = z.union([choice(...activationNames), activationObject], activationWords);

export type ActivationConfig = z.output<typeof activationSchema>;
