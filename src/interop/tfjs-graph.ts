/**
 * Room: interop (level 4). Our models as tfjs-layers writes them: a Sequential one, or where layers add the outputs of earlier ones a functional one.
 */
import type { NamedLayer, Topology } from '../model/topology.ts';
import { type WrittenLayer, writeLayer } from './tfjs-layers.ts';

interface WrittenTopology {
  readonly class_name: 'Sequential' | 'Model';
  readonly config: Readonly<Record<string, unknown>>;
}

/** Throws LOCKSTEP_CONFIG for a layer that TensorFlow.js cannot compute. */
export function writeTopology(topology: Topology, name: string | undefined): WrittenTopology {
  const { inputShape, layers } = topology;
  const taken = new Set(layers.map((layer) => layer.name));
  const parts = layers.map((layer) => writeNamed(layer, taken));
  const input = { batch_input_shape: [null, ...inputShape], dtype: 'float32' };
  if (layers.some(({ sources }) => sources.length > 0)) return { class_name: 'Model', config: graphOf(layers, parts, input, name ?? 'model', taken) };
  const [first, ...rest] = parts.flat();
  return { class_name: 'Sequential', config: { name: name ?? 'sequential', layers: [{ ...first!, config: { ...first!.config, ...input } }, ...rest] } };
}

/** A layer, and behind it one for its activation where that is a layer there, with their names. */
function writeNamed(layer: NamedLayer, taken: Set<string>): (WrittenLayer & { readonly name: string })[] {
  const { trainable = true } = layer.config;
  return writeLayer(layer).map((part, i) => {
    const name = i === 0 ? layer.name : freeName(`${layer.name}_activation`, taken);
    return { ...part, name, config: { ...part.config, name, trainable } };
  });
}

/** Every layer with the names of those whose outputs it takes. */
function graphOf(
  layers: readonly NamedLayer[],
  parts: readonly (readonly (WrittenLayer & { readonly name: string })[])[],
  input: Readonly<Record<string, unknown>>,
  name: string,
  taken: Set<string>,
): Readonly<Record<string, unknown>> {
  const inputName = freeName('input', taken);
  const outputOf = (layer: number): string => (layer === -1 ? inputName : parts[layer]!.at(-1)!.name);
  const node = (names: readonly string[]) => [names.map((from) => [from, 0, 0, {}])];
  const written = layers.flatMap(({ name: layer, sources }, i) => {
    const inputs = [i - 1, ...sources].map(outputOf);
    const [first, ...rest] = parts[i]!;
    const behind = rest.map((part, p) => ({ ...part, inbound_nodes: node([parts[i]![p]!.name]) }));
    if (!sources.includes(i - 1)) return [{ ...first!, inbound_nodes: node(inputs) }, ...behind];
    // TensorFlow.js loses a tensor that a layer takes twice, when another takes it later: one of the two goes through a layer that changes nothing.
    const copy = freeName(`${layer}_copy`, taken);
    const copied = { class_name: 'Activation', name: copy, config: { activation: 'linear', name: copy, trainable: true }, inbound_nodes: node([inputs[0]!]) };
    return [copied, { ...first!, inbound_nodes: node([copy, ...inputs.slice(1)]) }, ...behind];
  });
  return {
    name,
    layers: [{ class_name: 'InputLayer', name: inputName, config: { ...input, sparse: false, name: inputName }, inbound_nodes: [] }, ...written],
    input_layers: [[inputName, 0, 0]],
    output_layers: [[outputOf(layers.length - 1), 0, 0]],
  };
}

function freeName(name: string, taken: Set<string>): string {
  let free = name;
  for (let i = 1; taken.has(free); i++) free = `${name}_${i}`;
  taken.add(free);
  return free;
}
