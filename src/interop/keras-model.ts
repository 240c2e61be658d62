/**
 * Room: interop (level 4). A model from the config and the weights that a file of Keras or tfjs-layers holds. Its layers keep their names.
 */
import type { NamedTensor, Tensor } from '../checkpoint/safetensors.ts';
import type { LayerConfig } from '../config/layers.ts';
import { parseLayer, parseModelConfig } from '../config/parse.ts';
import { defineLayer } from '../layers/define.ts';
import type { Shape } from '../memory/shape.ts';
import { Model } from '../model/model.ts';
import { type KerasLayer, readLayer } from './keras-layers.ts';
import { readChain } from './keras-topology.ts';

/** A weight that a layer must have, by the last part of its name; `index` is its place among those of the layer. */
interface WantedWeight {
  readonly name: string;
  readonly index: number;
  readonly count: number;
  readonly shape: Shape;
}

/** Finds the weights of a layer where the file has them. */
export type FindWeight = (layer: KerasLayer, weight: WantedWeight, layers: readonly KerasLayer[]) => Tensor;

/** Throws LOCKSTEP_CONFIG for layers and options without a counterpart, LOCKSTEP_SHAPE, LOCKSTEP_WEIGHTS and LOCKSTEP_FILE. `file` is its name in messages. */
export function kerasModel(topology: unknown, find: FindWeight, file: string): Model {
  const { name, inputShape, layers } = readChain(topology, file);
  const tensors: NamedTensor[] = [];
  let shape = inputShape;
  const configs = layers.map((layer, i): LayerConfig => {
    const config = parseLayer({ ...readLayer(layer, shape.length, file), ...(i === 0 && { inputShape }) }, layer.name);
    const { outputShape, weights } = defineLayer(config, shape, layer.name);
    weights.forEach((weight, index) => {
      const { data, shape } = find(layer, { name: weight.name, index, count: weights.length, shape: weight.shape }, layers);
      tensors.push({ name: `${layer.name}/${weight.name}`, shape, data });
    });
    shape = outputShape;
    return config;
  });
  const model = new Model(parseModelConfig({ ...(name !== undefined && { name }), layers: configs }));
  model.setWeights(tensors, file);
  return model;
}
