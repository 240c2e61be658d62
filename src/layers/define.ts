/**
 * Room: layers (level 3). From a layer's config to its definition: the one place that knows all layer types.
 */
import type { LayerConfig } from '../config/layers.ts';
import type { Shape } from '../memory/shape.ts';
import { defineActivation } from './activation.ts';
import { defineAdd } from './add.ts';
import { defineBatchNormalization } from './batch-normalization.ts';
import { defineDense } from './dense.ts';
import { defineDropout } from './dropout.ts';
import type { LayerDefinition } from './layer.ts';
import { defineLayerNormalization } from './layer-normalization.ts';
import { defineMasking } from './masking.ts';
import { defineAlphaDropout, defineGaussianNoise } from './noise.ts';
import { defineFlatten, defineReshape } from './reshape.ts';
import { defineResizing } from './resizing.ts';
import { defineScalarAffine } from './scalar-affine.ts';

/**
 * `place` is where the layer stands in the config, for messages: `model.layers[2]`; `isMasked` is true when its input has a mask. Throws LOCKSTEP_SHAPE, and
 * LOCKSTEP_CONFIG for a mask that the layer cannot heed.
 */
export function defineLayer(config: LayerConfig, inputShape: Shape, place: string, isMasked = false): LayerDefinition {
  switch (config.type) {
    case 'dense':
      return defineDense(config, inputShape);
    case 'batchNormalization':
      return defineBatchNormalization(config, inputShape, place, isMasked);
    case 'layerNormalization':
      return defineLayerNormalization(config, inputShape, place);
    case 'activation':
      return defineActivation(config, inputShape);
    case 'dropout':
      return defineDropout(config, inputShape);
    case 'alphaDropout':
      return defineAlphaDropout(config, inputShape);
    case 'gaussianNoise':
      return defineGaussianNoise(config, inputShape);
    case 'masking':
      return defineMasking(config, inputShape);
    case 'add':
      return defineAdd(inputShape);
    case 'scalarAffine':
      return defineScalarAffine(config, inputShape);
    case 'flatten':
      return defineFlatten(inputShape);
    case 'reshape':
      return defineReshape(config, inputShape, place);
    case 'resizing':
      return defineResizing(config, inputShape, place);
    default:
      return config satisfies never;
  }
}
