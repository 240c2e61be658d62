/**
 * Room: model (level 4). One layer of a model, in hand: what it is, and the weights that it has there. Put into another model it brings its weights along, and
 * both use the same ones from then on; a copy has weights of its own.
 */

import type { NamedTensor } from '../checkpoint/safetensors.ts';
import type { LayerConfig, LayerConfigInput, ModelConfig } from '../config/layers.ts';
import { parseLayer } from '../config/parse.ts';
import { LockstepError } from '../errors.ts';
import type { Shape } from '../memory/shape.ts';

/** The weights of a layer, for every model that has it: absent until somebody draws, loads or trains them. Names are `kernel`, `bias`, ... */
export interface LayerWeights {
  tensors: readonly NamedTensor[] | undefined;
}

/** Throws LOCKSTEP_CONFIG for a model in which one layer is twice: each place would learn weights of its own, and only one of them could be kept. */
export function checkOnce({ layers }: ModelConfig, weights: readonly (LayerWeights | undefined)[]): void {
  const again = weights.findIndex((own, i) => own !== undefined && weights.indexOf(own) < i);
  if (again === -1) return;
  const name = (i: number): string => layers[i]?.name ?? `layers[${i}]`;
  throw new LockstepError(
    'LOCKSTEP_CONFIG',
    `Expected every layer once in a model, got one as \`${name(weights.indexOf(weights[again]))}\` and \`${name(again)}\`, with the same weights; put a \`copy()\` in one of the places.`,
  );
}

export class Layer {
  readonly name: string;
  readonly config: LayerConfig;
  /** Of one sample, in the model that it comes from. */
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  /** @internal */
  readonly shared: LayerWeights;

  constructor(name: string, config: LayerConfig, inputShape: Shape, outputShape: Shape, shared: LayerWeights) {
    this.name = name;
    this.config = config;
    this.inputShape = inputShape;
    this.outputShape = outputShape;
    this.shared = shared;
  }

  /** Its weights as they are now, named `kernel`, `bias`, `gamma`, ...; none before there are any. */
  getWeights(): readonly NamedTensor[] {
    return this.shared.tensors ?? [];
  }

  /** The same layer, sharing its weights, with other options: `trainable: false`, another `name`. */
  with(options: Partial<Pick<LayerConfigInput, 'name' | 'trainable'>>): Layer {
    const config = parseLayer({ ...this.config, ...options });
    return new Layer(config.name ?? this.name, config, this.inputShape, this.outputShape, this.shared);
  }

  /** The same layer with weights of its own: those that it has now. */
  copy(): Layer {
    const tensors = this.shared.tensors?.map((tensor) => ({ ...tensor, data: tensor.data.slice() as Float32Array }));
    return new Layer(this.name, this.config, this.inputShape, this.outputShape, { tensors });
  }
}
