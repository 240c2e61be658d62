/**
 * Room: interop (level 4). The layers of Keras and tfjs-layers as ours: a reader for each class that has a counterpart here. What comes out is
 * checked by the schema of our layers like everything that users write. Classes and options: Keras 2 and 3, tfjs-layers 4.
 */
import { show } from '../check.ts';
import { LayerOptions } from './keras-options.ts';
import { readActivation, readConstraint, readInitializer, readRegularizer } from './keras-parts.ts';
import { isObject, type JsonObject, unsupported } from './refusals.ts';

/** A layer of a Keras model. */
export interface KerasLayer {
  readonly className: string;
  readonly name: string;
  readonly config: JsonObject;
  /** What it adds to the output of the layer before it; of an Add in a functional model. */
  readonly adds?: readonly string[];
}

/** Initialiser, regularizer and constraint of a weight. */
function bounds(options: LayerOptions, weight: 'kernel' | 'bias' | 'gamma' | 'beta'): JsonObject {
  const [initializer, regularizer, constraint] = [`${weight}_initializer`, `${weight}_regularizer`, `${weight}_constraint`];
  return {
    [`${weight}Initializer`]: readInitializer(options.take(initializer), options.what, initializer),
    [`${weight}Regularizer`]: readRegularizer(options.take(regularizer), options.what, regularizer),
    [`${weight}Constraint`]: readConstraint(options.take(constraint), options.what, constraint),
  };
}

function initializer(options: LayerOptions, key: string): unknown {
  return readInitializer(options.take(key), options.what, key);
}

function activityRegularizer(options: LayerOptions): JsonObject {
  return { activityRegularizer: readRegularizer(options.take('activity_regularizer'), options.what, 'activity_regularizer') };
}

/** Keras counts axes as we do: 0 is the batch. Its lists are in the order of the weights' dimensions, ours always ascend. */
function axes(options: LayerOptions): unknown {
  const axis = options.take('axis');
  if (!Array.isArray(axis)) return axis;
  if (axis.length === 1) return axis[0];
  const ascends = axis.every((value, i) => i === 0 || (value > axis[i - 1] && Math.sign(value) === Math.sign(axis[i - 1])));
  if (ascends) return axis;
  throw unsupported(options.what, 'name its axes in ascending order', show(axis), 'its weights would be in another order');
}

const normalization = (options: LayerOptions): JsonObject => ({
  axis: axes(options),
  epsilon: options.take('epsilon'),
  center: options.take('center'),
  scale: options.take('scale'),
  ...bounds(options, 'gamma'),
  ...bounds(options, 'beta'),
});

const activation = (options: LayerOptions, value: unknown): JsonObject => ({ type: 'activation', activation: value, ...activityRegularizer(options) });

function relu(options: LayerOptions): JsonObject {
  options.only('threshold', 0);
  if (options.take('max_value') !== undefined) throw unsupported(options.what, 'have no `max_value`', 'one', 'nothing else is supported');
  const slope = options.take('negative_slope') ?? 0;
  return activation(options, slope === 0 ? 'relu' : { type: 'leakyReLU', alpha: slope });
}

/** Over the last axis, however it is named. */
function softmax(options: LayerOptions, rank: number): JsonObject {
  const axis = options.take('axis') ?? -1;
  const only = Array.isArray(axis) && axis.length === 1 ? axis[0] : axis;
  if (only === -1 || only === rank) return activation(options, 'softmax');
  throw unsupported(options.what, 'have the last `axis`, -1', show(axis), 'nothing else is supported');
}

function dropout(options: LayerOptions, type: string): JsonObject {
  return { type, rate: options.take('rate') };
}

/** -1 as Keras writes it; tfjs writes null. */
function targetShape(options: LayerOptions): unknown {
  const shape = options.take('target_shape');
  return Array.isArray(shape) ? shape.map((size) => size ?? -1) : shape;
}

function flatten(options: LayerOptions): JsonObject {
  options.only('data_format', 'channels_last', 'channelsLast');
  return { type: 'flatten' };
}

/** Of Keras 3 alone: the class of tfjs-layers, whose files have no `data_format`, like those of Keras 2, aligns corners. */
function resizing(options: LayerOptions, rank: number): JsonObject {
  if (!options.has('data_format')) {
    throw unsupported(
      options.what,
      'be that of Keras, with centres of pixels at halves',
      'one without `data_format`',
      'TensorFlow.js writes it so, and aligns corners; save the model with Keras 3',
    );
  }
  options.only('data_format', 'channels_last');
  options.only('fill_mode', 'constant');
  options.take('fill_value');
  // A batch of samples of two dimensions is one image to Keras.
  if (rank !== 3) throw unsupported(options.what, 'take samples (height, width, channels)', `${rank} dimensions`, 'put a Reshape before it');
  return { type: 'resizing', height: options.take('height'), width: options.take('width'), interpolation: options.take('interpolation') };
}

/** By class; `rank` is that of a sample. */
const readers: Readonly<Record<string, (options: LayerOptions, rank: number) => JsonObject>> = {
  Dense: (options) => ({
    type: 'dense',
    units: options.take('units'),
    activation: activationOf(options),
    useBias: options.take('use_bias'),
    ...bounds(options, 'kernel'),
    ...bounds(options, 'bias'),
    ...activityRegularizer(options),
  }),
  // `synchronized` is about several devices in Keras; here a batch is the global one unless a config says otherwise.
  BatchNormalization: (options) => {
    options.take('synchronized');
    return {
      type: 'batchNormalization',
      momentum: options.take('momentum'),
      movingMeanInitializer: initializer(options, 'moving_mean_initializer'),
      movingVarianceInitializer: initializer(options, 'moving_variance_initializer'),
      ...normalization(options),
    };
  },
  LayerNormalization: (options) => ({ type: 'layerNormalization', ...normalization(options) }),
  Activation: (options) => activation(options, activationOf(options)),
  ReLU: relu,
  LeakyReLU: (options) => activation(options, { type: 'leakyReLU', alpha: options.take('negative_slope') ?? options.take('alpha') ?? 0.3 }),
  ELU: (options) => activation(options, { type: 'elu', alpha: options.take('alpha') ?? 1 }),
  Softmax: softmax,
  Masking: (options) => ({ type: 'masking', maskValue: options.take('mask_value') }),
  Flatten: flatten,
  Reshape: (options) => ({ type: 'reshape', targetShape: targetShape(options) }),
  Resizing: resizing,
  Dropout: (options) => dropout(options, 'dropout'),
  AlphaDropout: (options) => dropout(options, 'alphaDropout'),
  GaussianNoise: (options) => ({ type: 'gaussianNoise', stddev: options.take('stddev') }),
  Add: () => ({ type: 'add' }),
};

/** An activation may also be a layer inside the option. */
const activationLayers = ['ReLU', 'LeakyReLU', 'ELU', 'Softmax'];

function activationOf(options: LayerOptions): unknown {
  const value = options.take('activation');
  const className = isObject(value) ? value['class_name'] : undefined;
  if (typeof className !== 'string' || !activationLayers.includes(className)) return readActivation(value, options.what, 'activation');
  const inner = new LayerOptions(`the activation of ${options.what}`, isObject(value) && isObject(value['config']) ? value['config'] : {});
  // The last axis of an inner softmax is -1 or nothing.
  const read = readers[className]!(inner, Number.NaN);
  inner.finish();
  return read['activation'];
}

const float32 = 'float32';

/** Absent, a name, or the policy object of Keras 3. */
function checkType({ config }: KerasLayer, what: string): void {
  const { dtype } = config;
  const policy = isObject(dtype) && isObject(dtype['config']) ? dtype['config']['name'] : dtype;
  if (policy === undefined || policy === null || policy === float32) return;
  throw unsupported(what, `compute in ${float32}`, show(policy), 'nothing else is supported');
}

/** Our layer, not yet checked by our schema, for a sample of `rank` dimensions. Throws LOCKSTEP_CONFIG, naming what is supported. */
export function readLayer(layer: KerasLayer, rank: number, file: string): JsonObject {
  const { className, name, config, adds = [] } = layer;
  const reader = Object.hasOwn(readers, className) ? readers[className] : undefined;
  if (!reader) {
    const supported = `supported are ${Object.keys(readers).join(', ')}`;
    throw unsupported(`the layers of ${file}`, 'have types that Lockstep has', `\`${name}\` of type ${className}`, supported);
  }
  const what = `the layer \`${name}\` (${className}) of ${file}`;
  if (className === 'Add' && adds.length === 0) throw unsupported(what, 'add the outputs of several layers', 'one', 'leave it out');
  checkType(layer, what);
  const options = new LayerOptions(what, config);
  const read = reader(options, rank);
  options.finish();
  return { name, ...(config['trainable'] === false && { trainable: false }), ...read, ...(adds.length > 0 && { from: adds.length === 1 ? adds[0] : [...adds] }) };
}
