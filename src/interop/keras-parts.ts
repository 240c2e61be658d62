/**
 * Room: interop (level 4). Initialisers, regularizers, constraints and activations of Keras and tfjs-layers as ours. The two spell a class as
 * `glorot_uniform`, `GlorotUniform` or `VarianceScaling` with options; Keras 3 adds a module. All of it is read alike.
 */
import { show } from '../check.ts';
import { isObject, type JsonObject, unsupported } from './refusals.ts';

/** A class of Keras with its options, its name in small letters without `_`. */
interface Spec {
  readonly name: string;
  readonly config: JsonObject;
}

/** Undefined for null and for what is no class. */
function specOf(value: unknown): Spec | undefined {
  if (typeof value === 'string') return { name: plain(value), config: {} };
  if (!isObject(value) || typeof value['class_name'] !== 'string') return undefined;
  const { class_name: name, config } = value;
  // A function of Keras' own, which says its name in the place of options.
  if (name === 'function' && typeof config === 'string') return { name: plain(config), config: {} };
  return { name: plain(name), config: isObject(config) ? config : {} };
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll('_', '');
}

function camel(value: unknown): unknown {
  return typeof value === 'string' ? value.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()) : value;
}

type Readers = Readonly<Record<string, (config: JsonObject) => unknown>>;

/** What `readers` make of a value; undefined for null. Throws LOCKSTEP_CONFIG naming the layer, its option and what there is. */
function read(readers: Readers, value: unknown, what: string, key: string): unknown {
  if (value === undefined || value === null) return undefined;
  const spec = specOf(value);
  const reader = spec && Object.hasOwn(readers, spec.name) ? readers[spec.name] : undefined;
  if (!reader) throw unsupported(what, `have as \`${key}\` one of ${Object.keys(readers).join(', ')}`, show(value), 'nothing else is supported');
  return reader(spec!.config);
}

const fans: Readonly<Record<string, string>> = {
  '1 fanAvg uniform': 'glorotUniform',
  '1 fanAvg truncatedNormal': 'glorotNormal',
  '2 fanIn uniform': 'heUniform',
  '2 fanIn truncatedNormal': 'heNormal',
  '1 fanIn uniform': 'leCunUniform',
  '1 fanIn truncatedNormal': 'leCunNormal',
};

/** Of Keras' two normal distributions `normal` is the truncated one. */
const distributions: Readonly<Record<string, string>> = { normal: 'truncatedNormal', untruncatedNormal: 'normal' };

function varianceScaling(config: JsonObject): unknown {
  const mode = camel(config['mode'] ?? 'fan_in');
  const said = String(camel(config['distribution'] ?? 'truncated_normal'));
  const distribution = distributions[said] ?? said;
  const scale = config['scale'] ?? 1;
  return fans[`${scale} ${mode} ${distribution}`] ?? { type: 'varianceScaling', scale, mode, distribution };
}

const normal =
  (type: string) =>
  ({ mean = 0, stddev = 0.05 }: JsonObject) => ({ type, mean, stddev });

const uniform = ({ minval = -0.05, maxval = 0.05 }: JsonObject) => ({ type: 'randomUniform', minval, maxval });
const gain =
  (type: string) =>
  ({ gain = 1 }: JsonObject) => ({ type, gain });

const initializers: Readers = {
  zeros: () => 'zeros',
  ones: () => 'ones',
  constant: ({ value = 0 }) => ({ type: 'constant', value }),
  randomuniform: uniform,
  randomnormal: normal('randomNormal'),
  truncatednormal: normal('truncatedNormal'),
  variancescaling: varianceScaling,
  glorotuniform: () => 'glorotUniform',
  glorotnormal: () => 'glorotNormal',
  heuniform: () => 'heUniform',
  henormal: () => 'heNormal',
  lecununiform: () => 'leCunUniform',
  lecunnormal: () => 'leCunNormal',
  orthogonal: gain('orthogonal'),
  orthogonalinitializer: gain('orthogonal'),
  identity: gain('identity'),
  identityinitializer: gain('identity'),
};

const regularizers: Readers = {
  l1: ({ l1 = 0.01 }) => ({ type: 'l1', l1 }),
  l2: ({ l2 = 0.01 }) => ({ type: 'l2', l2 }),
  // tfjs writes all three as this.
  l1l2: ({ l1 = 0.01, l2 = 0.01 }) => {
    if (l1 === 0 && l2 !== 0) return { type: 'l2', l2 };
    return l2 === 0 && l1 !== 0 ? { type: 'l1', l1 } : { type: 'l1l2', l1, l2 };
  },
};

/** An axis, or the only one of a list. */
function single(axis: unknown): unknown {
  return Array.isArray(axis) && axis.length === 1 ? axis[0] : axis;
}

const constraints: Readers = {
  maxnorm: ({ max_value = 2, axis = 0 }) => ({ type: 'maxNorm', maxValue: max_value, axis: single(axis) }),
  minmaxnorm: ({ min_value = 0, max_value = 1, rate = 1, axis = 0 }) => ({ type: 'minMaxNorm', minValue: min_value, maxValue: max_value, rate, axis: single(axis) }),
  nonneg: () => ({ type: 'nonNeg' }),
  unitnorm: ({ axis = 0 }) => ({ type: 'unitNorm', axis: single(axis) }),
};

const activations: Readers = {
  linear: () => 'linear',
  relu: () => 'relu',
  selu: () => 'selu',
  // As in Keras and tfjs, gelu is the exact one; gelu_new of tfjs, an approximation, is not supported.
  gelu: () => 'gelu',
  swish: () => 'swish',
  silu: () => 'swish',
  softplus: () => 'softplus',
  tanh: () => 'tanh',
  sigmoid: () => 'sigmoid',
  softmax: () => 'softmax',
  elu: ({ alpha = 1 }) => ({ type: 'elu', alpha }),
  // The function's default; that of the layer is 0.3.
  leakyrelu: ({ negative_slope, alpha }) => ({ type: 'leakyReLU', alpha: negative_slope ?? alpha ?? 0.2 }),
};

export function readInitializer(value: unknown, what: string, key: string): unknown {
  return read(initializers, value, what, key);
}

export function readRegularizer(value: unknown, what: string, key: string): unknown {
  return read(regularizers, value, what, key);
}

export function readConstraint(value: unknown, what: string, key: string): unknown {
  return read(constraints, value, what, key);
}

export function readActivation(value: unknown, what: string, key: string): unknown {
  return read(activations, value, what, key);
}
