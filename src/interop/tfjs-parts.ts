/**
 * Room: interop (level 4). Our initialisers, regularizers, constraints and activations as tfjs-layers writes them.
 */
import type { ActivationConfig, InitializerConfig } from '../config/initializers.ts';
import type { ConstraintConfig, RegularizerConfig } from '../config/regularizers.ts';
import { resolveActivation, resolveConstraint, resolveInitializer, resolveRegularizer } from '../config/resolve.ts';
import { fixupFactor } from '../layers/initializers.ts';
import { formatShape, type Shape } from '../memory/shape.ts';
import { unsupported } from './refusals.ts';

/** A class of tfjs with its options, spelt as in Python. */
interface Written {
  readonly class_name: string;
  readonly config: Readonly<Record<string, unknown>>;
}

const seed = null;

/** What Keras calls the named fan initialisers, and tfjs writes them as. */
const scalings = {
  glorotUniform: { scale: 1, mode: 'fan_avg', distribution: 'uniform' },
  glorotNormal: { scale: 1, mode: 'fan_avg', distribution: 'normal' },
  heUniform: { scale: 2, mode: 'fan_in', distribution: 'uniform' },
  heNormal: { scale: 2, mode: 'fan_in', distribution: 'normal' },
  leCunUniform: { scale: 1, mode: 'fan_in', distribution: 'uniform' },
  leCunNormal: { scale: 1, mode: 'fan_in', distribution: 'normal' },
} as const;

const modes = { fanIn: 'fan_in', fanOut: 'fan_out', fanAvg: 'fan_avg' } as const;

/** tfjs draws first values when it loads a model, before it puts the weights in their place: it must be able to. */
export function writeInitializer(config: InitializerConfig, shape: Shape, what: string): Written {
  const initializer = resolveInitializer(config);
  const { type } = initializer;
  const isSquare = shape.length === 2 && shape[0] === shape[1];
  if ((type === 'orthogonal' && shape.length !== 2) || (type === 'identity' && !isSquare)) {
    const received = `${type} for ${formatShape(shape)}`;
    throw unsupported(what, 'have initialisers that TensorFlow.js can draw from', received, 'choose another one: the weights stay as they are');
  }
  switch (initializer.type) {
    case 'zeros':
      return { class_name: 'Zeros', config: {} };
    case 'ones':
      return { class_name: 'Ones', config: {} };
    case 'constant':
      return { class_name: 'Constant', config: { value: initializer.value } };
    case 'randomUniform':
      return { class_name: 'RandomUniform', config: { minval: initializer.minval, maxval: initializer.maxval, seed } };
    case 'randomNormal':
      return { class_name: 'RandomNormal', config: { mean: initializer.mean, stddev: initializer.stddev, seed } };
    case 'truncatedNormal':
      return { class_name: 'TruncatedNormal', config: { mean: initializer.mean, stddev: initializer.stddev, seed } };
    case 'orthogonal':
      return { class_name: 'Orthogonal', config: { gain: initializer.gain, seed } };
    case 'identity':
      return { class_name: 'Identity', config: { gain: initializer.gain } };
    case 'varianceScaling': {
      if (initializer.distribution === 'normal') {
        throw unsupported(what, 'have initialisers that TensorFlow.js has', 'varianceScaling with a normal distribution that is not truncated', 'choose truncatedNormal');
      }
      const distribution = initializer.distribution === 'uniform' ? 'uniform' : 'normal';
      return { class_name: 'VarianceScaling', config: { scale: initializer.scale, mode: modes[initializer.mode], distribution, seed } };
    }
    case 'fixup': {
      // heNormal times a factor, whose square the variance has.
      const factor = fixupFactor(initializer);
      return { class_name: 'VarianceScaling', config: { ...scalings.heNormal, scale: 2 * factor * factor, seed } };
    }
    default:
      return { class_name: 'VarianceScaling', config: { ...scalings[initializer.type], seed } };
  }
}

/** tfjs has one class for all of them. */
export function writeRegularizer(config: RegularizerConfig | undefined): Written | null {
  return config === undefined ? null : { class_name: 'L1L2', config: { ...resolveRegularizer(config) } };
}

export function writeConstraint(config: ConstraintConfig | undefined): Written | null {
  if (config === undefined) return null;
  const constraint = resolveConstraint(config);
  switch (constraint.type) {
    case 'maxNorm':
      return { class_name: 'MaxNorm', config: { max_value: constraint.maxValue, axis: constraint.axis } };
    case 'minMaxNorm':
      return { class_name: 'MinMaxNorm', config: { min_value: constraint.minValue, max_value: constraint.maxValue, rate: constraint.rate, axis: constraint.axis } };
    case 'nonNeg':
      return { class_name: 'NonNeg', config: {} };
    case 'unitNorm':
      return { class_name: 'UnitNorm', config: { axis: constraint.axis } };
    default:
      return constraint satisfies never;
  }
}

/** The name of an activation, or the layer that it is where tfjs has no such activation. */
export function writeActivation(config: ActivationConfig, what: string): string | Written {
  const { type, alpha } = resolveActivation(config);
  if (type === 'leakyReLU') return { class_name: 'LeakyReLU', config: { alpha } };
  if (type === 'elu' && alpha !== 1) throw unsupported(what, 'have elu with alpha 1, the only one that TensorFlow.js has', `alpha ${alpha}`, 'write another format');
  return type;
}
