/**
 * Room: model (level 4). A model's config made concrete: names, shapes, weights. Pure; nothing is allocated.
 */
import type { ActivationName } from '../config/initializers.ts';
import type { LayerConfig, ModelConfig } from '../config/layers.ts';
import { LockstepError } from '../errors.ts';
import { defineLayer } from '../layers/define.ts';
import type { LayerDefinition, WeightDefinition } from '../layers/layer.ts';
import { formatShape, type Shape, sameShape, sizeOf } from '../memory/shape.ts';

export interface NamedLayer {
  readonly name: string;
  readonly config: LayerConfig;
  readonly inputShape: Shape;
  /** True when a mask reaches it. */
  readonly isMasked: boolean;
  readonly definition: LayerDefinition;
}

/** One weight of the model. `name` is its name in safetensors files: `<layer name>/<weight name>`. */
export interface WeightEntry {
  readonly name: string;
  readonly layer: number;
  /** The layer whose operation uses it: its own, unless fusion gave it to another (fusion.ts). */
  readonly operation: number;
  readonly definition: WeightDefinition;
  readonly size: number;
}

export interface Topology {
  readonly inputShape: Shape;
  readonly outputShape: Shape;
  readonly layers: readonly NamedLayer[];
  /** All weights in model order: the order of files, hashes and gradients. */
  readonly weights: readonly WeightEntry[];
}

/**
 * The topology of `config` for samples of `inputShape`; the first layer's own `inputShape` is taken when that is absent,
 * and must agree with it otherwise. Throws LOCKSTEP_SHAPE with the place in the config, and
 * LOCKSTEP_CONFIG for a mask that cannot be heeded.
 */
export function resolveTopology(config: ModelConfig, inputShape?: Shape): Topology {
  const declared = config.layers[0]?.inputShape;
  const start = inputShape ?? declared;
  if (!start) {
    throw new LockstepError(
      'LOCKSTEP_SHAPE',
      'Expected `model.layers[0].inputShape` to be set, as there is no data to take it from; add the shape of one sample, without the batch dimension.',
    );
  }
  if (declared && !sameShape(declared, start)) {
    throw new LockstepError(
      'LOCKSTEP_SHAPE',
      `Expected \`model.layers[0].inputShape\` to be the shape of the data's samples, ${formatShape(start)}, got ${formatShape(declared)}; change it or leave it out.`,
    );
  }
  const names = layerNames(config.layers);
  let shape = start;
  let maskedBy: string | undefined;
  const layers = config.layers.map((layer, i): NamedLayer => {
    const isMasked = maskedBy !== undefined;
    const entry = { name: names[i]!, config: layer, inputShape: shape, isMasked, definition: defineLayer(layer, shape, `model.layers[${i}]`, isMasked) };
    shape = entry.definition.outputShape;
    if (entry.definition.mask === 'made') maskedBy = entry.name;
    if (entry.definition.mask === 'ended') maskedBy = undefined;
    return entry;
  });
  if (maskedBy !== undefined) {
    throw new LockstepError(
      'LOCKSTEP_CONFIG',
      `Expected the mask of \`${maskedBy}\` to end before the model's output, got one that reaches it, which losses do not know; put a flatten or a reshape behind the last normalization that is to heed it.`,
    );
  }
  const weights = layers.flatMap(({ name, definition, config: { trainable = true } }, layer) =>
    definition.weights.map((weight): WeightEntry => {
      const own: WeightDefinition = trainable ? weight : untrained(weight);
      return { name: `${name}/${weight.name}`, layer, operation: layer, definition: own, size: sizeOf(weight.shape) };
    }),
  );
  return { inputShape: start, outputShape: shape, layers, weights };
}

/** A weight that never changes: neither penalty nor constraint has a say. */
function untrained({ name, shape, initializer }: WeightDefinition): WeightDefinition {
  return { name, shape, initializer, role: 'state' };
}

/** Keras' names: the type in snake case, `_1`, `_2`, ... from the second of a type on; given names are kept and skipped. */
export function layerNames(layers: readonly Pick<LayerConfig, 'type' | 'name'>[]): string[] {
  const taken = new Set(layers.flatMap(({ name }) => (name === undefined ? [] : [name])));
  const counts = new Map<string, number>();
  return layers.map(({ type, name }) => {
    if (name !== undefined) return name;
    const base = type.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    for (;;) {
      const count = counts.get(base) ?? 0;
      counts.set(base, count + 1);
      const candidate = count === 0 ? base : `${base}_${count}`;
      if (!taken.has(candidate)) return candidate;
    }
  });
}

/** Whether the model's last layer ends in this activation. */
export function endsIn({ layers }: ModelConfig, activation: ActivationName): boolean {
  const last = layers.at(-1);
  return last !== undefined && 'activation' in last && (typeof last.activation === 'string' ? last.activation : last.activation.type) === activation;
}

/** The same model without this activation at its end, which a loss on logits does itself. */
export function withoutFinal(config: ModelConfig, activation: ActivationName): ModelConfig {
  if (!endsIn(config, activation)) return config;
  const layers = config.layers.map((layer, i) => (i === config.layers.length - 1 ? ({ ...layer, activation: 'linear' } as LayerConfig) : layer));
  return { ...config, layers };
}

/** Names of the weights that are trained, in the order of a plan's tensors. */
export function trainedNames({ weights }: Pick<Topology, 'weights'>): string[] {
  return weights.filter(({ definition }) => definition.role !== 'state').map(({ name }) => name);
}
