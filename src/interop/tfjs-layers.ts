/**
 * Room: interop (level 4). Our layers as tfjs-layers writes them. What TensorFlow.js cannot compute is refused here, by the name of the layer,
 * and not later there.
 */
import type { ActivationConfig } from '../config/initializers.ts';
import type { LayerConfigOf } from '../config/layers.ts';
import type { WeightDefinition } from '../layers/layer.ts';
import { formatShape } from '../memory/shape.ts';
import type { NamedLayer } from '../model/topology.ts';
import { unsupported } from './refusals.ts';
import { writeActivation, writeConstraint, writeInitializer, writeRegularizer } from './tfjs-parts.ts';

export interface WrittenLayer {
  readonly class_name: string;
  readonly config: Readonly<Record<string, unknown>>;
}

/** The layer, and for an activation that is a layer there one more. Throws LOCKSTEP_CONFIG. */
export function writeLayer(layer: NamedLayer): WrittenLayer[] {
  const { name, config, inputShape } = layer;
  const what = `the layer \`${name}\` (${config.type})`;
  if ('activityRegularizer' in config) {
    throw unsupported(what, 'have no `activityRegularizer`, which TensorFlow.js cannot compute', 'one', 'leave it out of the config');
  }
  switch (config.type) {
    case 'dense': {
      const { activation, more } = splitActivation(config.activation, what);
      return [
        {
          class_name: 'Dense',
          config: { units: config.units, activation, use_bias: config.useBias, ...weights(layer, ['kernel', 'bias'], what), activity_regularizer: null },
        },
        ...more,
      ];
    }
    case 'batchNormalization':
      return [{ class_name: 'BatchNormalization', config: { momentum: config.momentum, ...normalization(layer, config, onlyAxis(config, layer, what), what) } }];
    case 'layerNormalization':
      return [{ class_name: 'LayerNormalization', config: normalization(layer, config, config.axis, what) }];
    case 'activation': {
      const activation = writeActivation(config.activation, what);
      return [typeof activation === 'string' ? { class_name: 'Activation', config: { activation } } : activation];
    }
    case 'masking':
      throw unsupported(what, 'be a layer that TensorFlow.js computes alike', 'a mask, which its normalizations do not heed in training', 'write ONNX for predictions');
    case 'flatten':
      // TensorFlow.js refuses to flatten what is flat.
      return [inputShape.length > 1 ? { class_name: 'Flatten', config: {} } : { class_name: 'Reshape', config: { target_shape: [...inputShape] } }];
    case 'reshape':
      return [{ class_name: 'Reshape', config: { target_shape: [...layer.definition.outputShape] } }];
    case 'resizing':
      throw unsupported(what, 'be a layer that TensorFlow.js computes alike', 'its Resizing, which aligns corners', 'resize the data in the place of it');
    case 'dropout':
      return [{ class_name: 'Dropout', config: { rate: config.rate, noise_shape: null, seed: null } }];
    case 'alphaDropout':
      return [{ class_name: 'AlphaDropout', config: { rate: config.rate } }];
    case 'gaussianNoise':
      return [{ class_name: 'GaussianNoise', config: { stddev: config.stddev } }];
    case 'add':
      return [{ class_name: 'Add', config: {} }];
    case 'scalarAffine':
      throw unsupported(what, 'be one that TensorFlow.js has', config.type, 'write ONNX, or fold its two numbers into the layer beside it');
    default:
      return config satisfies never;
  }
}

function splitActivation(config: ActivationConfig, what: string): { readonly activation: string; readonly more: readonly WrittenLayer[] } {
  const written = writeActivation(config, what);
  return typeof written === 'string' ? { activation: written, more: [] } : { activation: 'linear', more: [written] };
}

/** A shape that every initialiser can draw: for a weight that the layer does not have. */
const anyShape = [1, 1];

/** Initialiser, regularizer and constraint of each weight; of those that the layer does not have, too, like tfjs. */
function weights({ config, definition }: NamedLayer, names: readonly string[], what: string): Record<string, unknown> {
  const options = config as unknown as Record<string, never>;
  return Object.fromEntries(
    names.flatMap((name) => {
      const shape = definition.weights.find((weight: WeightDefinition) => weight.name === name)?.shape ?? anyShape;
      const key = name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
      return [
        [`${name}_initializer`, writeInitializer(options[`${key}Initializer`]!, shape, what)],
        ...(name.startsWith('moving')
          ? []
          : [
              [`${name}_regularizer`, writeRegularizer(options[`${key}Regularizer`])],
              [`${name}_constraint`, writeConstraint(options[`${key}Constraint`])],
            ]),
      ];
    }),
  );
}

type Normalization = LayerConfigOf<'batchNormalization'> | LayerConfigOf<'layerNormalization'>;

/** Dimensions of a sample that TensorFlow.js normalises at most. */
const mostDimensions = 3;

function normalization(layer: NamedLayer, config: Normalization, axis: unknown, what: string): Record<string, unknown> {
  if (layer.inputShape.length > mostDimensions) {
    const mend = `put a reshape before it`;
    throw unsupported(what, `normalise samples of at most ${mostDimensions} dimensions, as TensorFlow.js does`, formatShape(layer.inputShape), mend);
  }
  const { epsilon, center, scale, type } = config;
  const names = ['gamma', 'beta', ...(type === 'batchNormalization' ? ['moving_mean', 'moving_variance'] : [])];
  return { axis, epsilon, center, scale, ...weights(layer, names, what) };
}

/** TensorFlow.js takes any single axis, but its CPU backend computes the last one alone rightly: it does not broadcast along others. */
function onlyAxis({ axis }: LayerConfigOf<'batchNormalization'>, { inputShape }: NamedLayer, what: string): number {
  const [only, ...more] = typeof axis === 'number' ? [axis] : axis;
  if (more.length === 0 && (only === -1 || only === inputShape.length)) return only;
  throw unsupported(what, 'have the last `axis`, -1, alone, as TensorFlow.js computes it', JSON.stringify(axis), 'flatten or reshape before it');
}
