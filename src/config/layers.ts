/**
 * Room: config (level 1). What a layer and a model may be, spelt as in tfjs-layers. It promises that a parsed layer has
 * every option filled in. It never knows shapes beyond `inputShape`: whether layers fit each other is the model's room.
 */
import { z } from 'zod';
import { layerDefaults as d } from './defaults.ts';
import { activationSchema, initializerSchema } from './initializers.ts';
import { layerNames, modelInput } from './layer-names.ts';
import { constraintSchema, regularizerSchema } from './regularizers.ts';
import {
  across,
  choice,
  field,
  finite,
  flag,
  fraction,
  fractionBelowOne,
  integer,
  listOf,
  nonNegative,
  positive,
  type Report,
  record,
  text,
  variantError,
} from './rules.ts';

const nameRule = 'a name of letters, digits, `_`, `.` and `-` that starts with a letter or `_`';
const nameSchema = z.string(nameRule).regex(/^[A-Za-z_][A-Za-z0-9_.-]*$/, nameRule);

const sourceRule = `the name of an earlier layer, "${modelInput}" for the model's input, or a list of different ones`;
const source = z.string(sourceRule).regex(/^(?:@input|[A-Za-z_][A-Za-z0-9_.-]*)$/, sourceRule);
const sources = z
  .array(source, sourceRule)
  .min(1, sourceRule)
  .refine((list) => new Set(list).size === list.length, sourceRule);

/** What every layer may have. `inputShape` (without the batch dimension) is for the first layer only; `trainable` is true when absent. */
const common = {
  name: nameSchema.optional(),
  inputShape: listOf('integer >= 1', integer(1)).optional(),
  trainable: flag.optional().describe('False: its weights stay as they are, and a batch normalization uses its moving statistics.'),
};

const axisRule = 'an axis: an integer other than 0 (the batch), or a list of different ones';
const axisNumber = z
  .number(axisRule)
  .refine((value) => Number.isSafeInteger(value) && value !== 0, axisRule)
  .meta({ type: 'integer' });
const axisList = z
  .array(axisNumber, axisRule)
  .min(1, axisRule)
  .refine((list) => new Set(list).size === list.length, axisRule);

const targetRule = 'a list of integers >= 1, of which one may be -1';
const targetShape = z
  .array(z.number(targetRule).meta({ type: 'integer' }), targetRule)
  .min(1, targetRule)
  .refine((list) => list.every((size) => Number.isSafeInteger(size) && (size >= 1 || size === -1)), targetRule)
  .refine((list) => list.filter((size) => size === -1).length <= 1, targetRule);

/** Of gamma and beta. */
const affineBounds = {
  betaRegularizer: regularizerSchema.optional(),
  gammaRegularizer: regularizerSchema.optional(),
  betaConstraint: constraintSchema.optional(),
  gammaConstraint: constraintSchema.optional(),
};

const activityRegularizer = regularizerSchema.optional().describe('Of the outputs, the mean over rows.');

const layerTypes = [
  'dense',
  'batchNormalization',
  'layerNormalization',
  'activation',
  'masking',
  'flatten',
  'reshape',
  'resizing',
  'dropout',
  'alphaDropout',
  'gaussianNoise',
  'add',
  'scalarAffine',
] as const;
export type LayerType = (typeof layerTypes)[number];

const layerWords = 'an object with the `type` of a layer';
export const layerSchema = z.discriminatedUnion(
  'type',
  [
    record(layerWords, {
      type: z.literal('dense'),
      ...common,
      units: integer(1),
      activation: activationSchema.default(d.activation),
      useBias: flag.default(d.useBias),
      kernelInitializer: initializerSchema.default(d.kernelInitializer),
      biasInitializer: initializerSchema.default(d.biasInitializer),
      kernelRegularizer: regularizerSchema.optional(),
      biasRegularizer: regularizerSchema.optional(),
      activityRegularizer,
      kernelConstraint: constraintSchema.optional(),
      biasConstraint: constraintSchema.optional(),
    }),
    record(layerWords, {
      type: z.literal('batchNormalization'),
      ...common,
      axis: z.union([axisNumber, axisList], axisRule).default(d.axis),
      momentum: fraction.default(d.momentum),
      epsilon: positive.default(d.batchNormEpsilon),
      center: flag.default(d.center),
      scale: flag.default(d.scale),
      synchronized: flag.default(d.synchronized),
      betaInitializer: initializerSchema.default(d.betaInitializer),
      gammaInitializer: initializerSchema.default(d.gammaInitializer),
      ...affineBounds,
      movingMeanInitializer: initializerSchema.default(d.movingMeanInitializer),
      movingVarianceInitializer: initializerSchema.default(d.movingVarianceInitializer),
    }),
    record(layerWords, {
      type: z.literal('layerNormalization'),
      ...common,
      axis: z.union([axisNumber, axisList], axisRule).default(d.axis),
      epsilon: positive.default(d.batchNormEpsilon),
      center: flag.default(d.center),
      scale: flag.default(d.scale),
      betaInitializer: initializerSchema.default(d.betaInitializer),
      gammaInitializer: initializerSchema.default(d.gammaInitializer),
      ...affineBounds,
    }),
    record(layerWords, { type: z.literal('activation'), ...common, activation: activationSchema, activityRegularizer }),
    record(layerWords, { type: z.literal('masking'), ...common, maskValue: finite.default(d.maskValue) }),
    record(layerWords, { type: z.literal('flatten'), ...common }),
    record(layerWords, { type: z.literal('reshape'), ...common, targetShape }),
    record(layerWords, {
      type: z.literal('resizing'),
      ...common,
      height: integer(1),
      width: integer(1),
      interpolation: choice('bilinear', 'nearest').default(d.interpolation),
    }),
    record(layerWords, { type: z.literal('dropout'), ...common, rate: fractionBelowOne }),
    record(layerWords, { type: z.literal('alphaDropout'), ...common, rate: fractionBelowOne }),
    record(layerWords, { type: z.literal('gaussianNoise'), ...common, stddev: nonNegative }),
    record(layerWords, { type: z.literal('add'), ...common, from: z.union([source, sources], sourceRule) }),
    record(layerWords, {
      type: z.literal('scalarAffine'),
      ...common,
      center: flag.default(d.center),
      scale: flag.default(d.scale),
      multiplierInitializer: initializerSchema.default(d.multiplierInitializer),
      biasInitializer: initializerSchema.default(d.biasInitializer),
    }),
  ],
  variantError(layerWords, 'a supported layer type', layerTypes),
);

const modelFields = record('an object with `layers`', { name: text.optional(), layers: listOf('layer', layerSchema) });

/** A model: a chain of layers with different names, `inputShape` on the first only, in which a layer may add the outputs of earlier ones. */
export const modelSchema = across(modelFields, (model, report) => {
  const layers = field(model, 'layers');
  if (!Array.isArray(layers)) return;
  const owners = new Map<string, number>();
  layers.forEach((layer: unknown, index) => {
    if (index > 0 && field(layer, 'inputShape') !== undefined) {
      report(['layers', index, 'inputShape'], 'absent: only the first layer has an input shape');
    }
    const name = field(layer, 'name');
    if (typeof name !== 'string') return;
    const owner = owners.get(name);
    if (owner === undefined) owners.set(name, index);
    else report(['layers', index, 'name'], `different from the name of layer ${owner}`);
  });
  checkSources(layers, report);
});

/** Every `from` names layers that stand before its own. */
function checkSources(layers: readonly unknown[], report: Report): void {
  const isNamed = (layer: unknown): layer is { type: string; name?: string } =>
    typeof field(layer, 'type') === 'string' && ['string', 'undefined'].includes(typeof field(layer, 'name'));
  // Names are counted by type: with a layer that has none, nobody knows what the others are called.
  if (!layers.every(isNamed)) return;
  const names = layerNames(layers);
  layers.forEach((layer, index) => {
    const from = field(layer, 'from');
    const earlier = [...names.slice(0, index), modelInput];
    const check = (name: unknown, place: number[]): void => {
      if (typeof name !== 'string' || earlier.includes(name)) return;
      const rule = names.includes(name) ? 'the name of a layer that stands before it' : `the name of an earlier layer, or "${modelInput}"`;
      report(['layers', index, 'from', ...place], rule, earlier);
    };
    if (!Array.isArray(from)) check(from, []);
    else for (const [i, name] of from.entries()) check(name, [i]);
  });
}

export type LayerConfigInput = z.input<typeof layerSchema>;
export type LayerConfig = z.output<typeof layerSchema>;
/** The parsed config of one type of layer: `LayerConfigOf<'dense'>`. */
export type LayerConfigOf<T extends LayerType> = Extract<LayerConfig, { type: T }>;

export type ModelConfig = z.output<typeof modelSchema>;
