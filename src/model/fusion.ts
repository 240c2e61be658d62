/**
 * Room: model (level 4). What a plan computes otherwise than layer by layer. Pure, and seen by nobody: names, shapes, order and
 * values of weights stay as they are.
 *
 * A batch normalisation that is the first trained layer needs dgamma and dbeta, but nobody needs the gradient of its input. When a
 * Dense over the same numbers follows, gamma and beta become part of the Dense (layers/scaled-dense.ts), and the normalisation
 * keeps the statistics only: it has nothing left to do in the backward pass, and the Dense need not make the gradient of its
 * input, a third of its products. One that a mask reaches stays whole: its gradients are not those of all rows alike.
 */
import type { LayerConfig, LayerConfigOf } from '../config/layers.ts';
import { defineBatchNormalization, normalizationLayout } from '../layers/batch-normalization.ts';
import type { LayerDefinition } from '../layers/layer.ts';
import { onlyRenames } from '../layers/reshape.ts';
import { defineScaledDense } from '../layers/scaled-dense.ts';
import { type Shape, sizeOf } from '../memory/shape.ts';
import type { Topology } from './topology.ts';

/** The same model with gamma and beta of its first normalisation in the operation of the Dense after it, where that can be. */
export function fuseFirstNormalization(topology: Topology): Topology {
  const { layers, weights } = topology;
  const first = weights.find(({ definition }) => definition.role !== 'state')?.layer ?? layers.length;
  const next = layers.findIndex(({ config }, i) => i > first && !onlyRenames(config));
  const [normalization, dense] = [layers[first], layers[next]];
  if (!normalization || !dense || normalization.isMasked || !isNormalization(normalization.config) || !isDense(dense.config)) return topology;
  // What is added elsewhere is what gamma and beta were applied to.
  if (layers.some(({ sources }) => sources.some((source) => source >= first && source < next))) return topology;
  const layout = normalizationLayout(normalization.config, normalization.inputShape, normalization.name);
  if (layout.permutation || layout.positions !== 1 || sizeOf(dense.inputShape.slice(0, -1)) !== 1) return topology;

  const statistics = statisticsOnly(normalization.config, normalization.inputShape, normalization.definition);
  const scaled = defineScaledDense(dense.config, dense.inputShape, normalization.config);
  const definitions = new Map([
    [first, statistics],
    [next, scaled],
  ]);
  return {
    ...topology,
    layers: layers.map((layer, i) => ({ ...layer, definition: definitions.get(i) ?? layer.definition })),
    weights: weights.map((weight) => {
      if (weight.layer !== first) return weight;
      const definition = statistics.weights.find(({ name }) => name === weight.definition.name)!;
      return { ...weight, definition, operation: definition.role === 'state' ? first : next };
    }),
  };
}

/** Of a shard's own statistics dgamma and dbeta are not those of the batch. */
function isNormalization(config: LayerConfig): config is LayerConfigOf<'batchNormalization'> {
  return config.type === 'batchNormalization' && config.synchronized && config.trainable !== false;
}

function isDense(config: LayerConfig): config is LayerConfigOf<'dense'> {
  return config.type === 'dense' && config.trainable !== false;
}

/** All weights of the layer, but the operation of one without gamma and beta, which every shard now makes gradients of. */
function statisticsOnly(config: LayerConfigOf<'batchNormalization'>, inputShape: Shape, definition: LayerDefinition): LayerDefinition {
  const bare = defineBatchNormalization({ ...config, scale: false, center: false }, inputShape, '');
  return { ...bare, weights: definition.weights.map((weight) => (weight.role === 'synced' ? { ...weight, role: 'summed' } : weight)) };
}
