/**
 * Room: layers (level 3). `layers.dense({ ... })` and its siblings, spelt as in tfjs-layers: they give plain config objects,
 * checked when a model is made of them.
 */
import type { LayerConfigInput } from '../config/layers.ts';

type Options<T extends LayerConfigInput['type']> = Omit<Extract<LayerConfigInput, { type: T }>, 'type'>;

export const layers = {
  /** y = activation(x kernel + bias). */
  dense: (options: Options<'dense'>): LayerConfigInput => ({ type: 'dense', ...options }),
  /** Normalises each channel over the global batch, then scales by gamma and shifts by beta. */
  batchNormalization: (options: Options<'batchNormalization'> = {}): LayerConfigInput => ({ type: 'batchNormalization', ...options }),
  /** Normalises each sample by its own mean and variance, then scales by gamma and shifts by beta. */
  layerNormalization: (options: Options<'layerNormalization'> = {}): LayerConfigInput => ({ type: 'layerNormalization', ...options }),
  /** An activation as a layer of its own. */
  activation: (options: Options<'activation'>): LayerConfigInput => ({ type: 'activation', ...options }),
  /** Steps whose features all equal `maskValue` become zeros and do not count in the statistics of batch normalizations after it. */
  masking: (options: Options<'masking'> = {}): LayerConfigInput => ({ type: 'masking', ...options }),
  /** (a, b, ...) becomes (a x b x ...). */
  flatten: (options: Options<'flatten'> = {}): LayerConfigInput => ({ type: 'flatten', ...options }),
  /** The same numbers under `targetShape`, of which one dimension may be -1. */
  reshape: (options: Options<'reshape'>): LayerConfigInput => ({ type: 'reshape', ...options }),
  /** Images (height, width) or (height, width, channels) of another size. */
  resizing: (options: Options<'resizing'>): LayerConfigInput => ({ type: 'resizing', ...options }),
  /** Drops a share `rate` of the numbers in training and scales the others up. */
  dropout: (options: Options<'dropout'>): LayerConfigInput => ({ type: 'dropout', ...options }),
  /** Dropout for selu: what is dropped becomes what selu tends to, and mean and variance stay. */
  alphaDropout: (options: Options<'alphaDropout'>): LayerConfigInput => ({ type: 'alphaDropout', ...options }),
  /** Adds normal numbers of deviation `stddev` in training. */
  gaussianNoise: (options: Options<'gaussianNoise'>): LayerConfigInput => ({ type: 'gaussianNoise', ...options }),
  /** Its input plus the outputs of the earlier layers `from` (a name or several; `@input` is the model's input), all of one shape: the end of a residual block. */
  add: (options: Options<'add'>): LayerConfigInput => ({ type: 'add', ...options }),
  /** y = multiplier x + bias, one number each for the whole sample: Fixup's scalars. Keras has none. */
  scalarAffine: (options: Options<'scalarAffine'> = {}): LayerConfigInput => ({ type: 'scalarAffine', ...options }),
};
