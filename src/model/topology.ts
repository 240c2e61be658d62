/**
 * Room: model (level 4). A model's config made concrete: names, shapes, weights. Pure; nothing is allocated.
 */
import type { ActivationName } from '../config/initializers.ts';
import { layerNames, modelInput, sourcesOf } from '../config/layer-names.ts';
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
  /** The layers whose outputs it takes beside its input, by number; -1 is the model's input. */
  readonly sources: readonly number[];
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
  /** By layer: whose mask its output carries; the model's input has none. */
  const masks: (string | undefined)[] = [];
  const layers = config.layers.map((layer, i): NamedLayer => {
    const isMasked = maskedBy !== undefined;
    const sources = 'from' in layer ? sourcesOf(layer.from, names) : [];
    const definition = defineLayer(layer, shape, `model.layers[${i}]`, isMasked);
    const entry = { name: names[i]!, config: layer, inputShape: shape, isMasked, definition, sources };
    const other = sources.find((source) => masks[source] !== maskedBy);
    if (other !== undefined) throw mixedMasks(`model.layers[${i}].from`, other === -1 ? modelInput : names[other]!, masks[other], maskedBy);
    shape = entry.definition.outputShape;
    if (entry.definition.mask === 'made') maskedBy = entry.name;
    if (entry.definition.mask === 'ended') maskedBy = undefined;
    masks.push(maskedBy);
    return entry;
  });
  checkSourceShapes(layers, start);
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

/** What is added has one mask, or none. */
function mixedMasks(place: string, source: string, mask: string | undefined, own: string | undefined): LockstepError {
  const told = (maker: string | undefined): string => (maker === undefined ? 'no mask' : `the mask of \`${maker}\``);
  const mend = 'put the masking before both ways, or a flatten or a reshape into each';
  return new LockstepError(
    'LOCKSTEP_CONFIG',
    `Expected \`${place}\` to name layers whose outputs have ${told(own)}, as its input, got ${told(mask)} of \`${source}\`; ${mend}.`,
  );
}

/** What is added has one shape. */
function checkSourceShapes(layers: readonly NamedLayer[], modelShape: Shape): void {
  for (const [i, { inputShape, sources }] of layers.entries()) {
    for (const source of sources) {
      const shape = source === -1 ? modelShape : layers[source]!.definition.outputShape;
      if (sameShape(shape, inputShape)) continue;
      const name = source === -1 ? modelInput : layers[source]!.name;
      throw new LockstepError(
        'LOCKSTEP_SHAPE',
        `Expected \`model.layers[${i}].from\` to name layers whose outputs have the shape of its input, ${formatShape(inputShape)}, got ${formatShape(shape)} of \`${name}\`; put a dense or reshape layer into one of the two ways.`,
      );
    }
  }
}

/** A weight that never changes: neither penalty nor constraint has a say. */
function untrained({ name, shape, initializer }: WeightDefinition): WeightDefinition {
  return { name, shape, initializer, role: 'state' };
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
