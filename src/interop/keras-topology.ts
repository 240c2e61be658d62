/**
 * Room: interop (level 4). From the config of a Keras model to its chain of layers: Sequential, and functional models in which every layer
 * takes the output of the one before, and Add those of earlier ones, too. Both spellings: Keras 2's and tfjs-layers', and Keras 3's.
 */
import { show } from '../check.ts';
import { modelInput } from '../config/layer-names.ts';
import type { Shape } from '../memory/shape.ts';
import type { KerasLayer } from './keras-layers.ts';
import { isObject, type JsonObject, malformed, unsupported } from './refusals.ts';

export interface KerasChain {
  readonly name: string | undefined;
  /** Of one sample. */
  readonly inputShape: Shape;
  /** Without input layers. */
  readonly layers: readonly KerasLayer[];
}

/** A layer as the model's config lists it. */
interface Listed extends KerasLayer {
  /** Names of the layers whose outputs it takes, one list for each time that it is used; of functional models. */
  readonly inputs: readonly (readonly string[])[];
  /** The input shape that Keras 3 built it for. */
  readonly builtFor: unknown;
}

/** The chain of `topology`: `{ class_name, config }`. Throws LOCKSTEP_CONFIG for what is no chain, LOCKSTEP_FILE for what is no model. */
export function readChain(topology: unknown, file: string): KerasChain {
  if (!isObject(topology) || typeof topology['class_name'] !== 'string') {
    throw malformed(file, 'hold the layers of a model', 'none', 'save the whole model in the place of weights alone');
  }
  const { class_name: className, config } = topology;
  const isFunctional = className === 'Functional' || className === 'Model';
  if (!isFunctional && className !== 'Sequential') {
    throw unsupported(`the model of ${file}`, 'be a Sequential or Functional one', show(className), 'rebuild it as one of them');
  }
  // Before Keras 2.2.3 the config of a Sequential model was the list itself.
  const listed = isObject(config) ? config['layers'] : config;
  if (!Array.isArray(listed)) throw malformed(file, 'list the layers of its model', show(listed), 'it is damaged');
  const found = listed.map((value: unknown) => readListed(value, file));
  const ordered = isFunctional ? chainOf(found, isObject(config) ? config : {}, file) : found;
  const [first] = ordered;
  if (!first) throw unsupported(`the model of ${file}`, 'have layers', 'none', 'add some');
  const layers = ordered.filter(({ className }) => className !== inputClass);
  const declared = [first.config['batch_input_shape'], first.config['batch_shape'], isObject(config) ? config['build_input_shape'] : undefined, first.builtFor];
  const { name } = isObject(config) ? config : {};
  return { name: typeof name === 'string' && name !== '' ? name : undefined, inputShape: sampleShape(declared.find(Boolean), file), layers };
}

const inputClass = 'InputLayer';

function readListed(value: unknown, file: string): Listed {
  const config = isObject(value) ? value['config'] : undefined;
  if (!isObject(value) || typeof value['class_name'] !== 'string' || !isObject(config)) {
    throw malformed(file, 'describe each layer by `class_name` and `config`', show(value), 'it is damaged');
  }
  const { class_name: className, registered_name: registered, module, build_config: built } = value;
  const name = value['name'] ?? config['name'];
  if (typeof name !== 'string') throw malformed(file, 'name each layer', show(name), 'it is damaged');
  // A class of the user's own may have the name of one of Keras'.
  if (typeof module === 'string' && !/^(?:tf_)?keras(?:\.|$)/.test(module)) {
    throw unsupported(`the layer \`${name}\` of ${file}`, "be of Keras' own classes", show(registered ?? `${module}.${className}`), 'replace it');
  }
  const nodes = value['inbound_nodes'];
  return { className, name, config, inputs: Array.isArray(nodes) ? nodes.map(inputsOf) : [], builtFor: isObject(built) ? built['input_shape'] : undefined };
}

/** The names of the layers that one use of a layer takes its inputs from. */
function inputsOf(node: unknown): string[] {
  if (Array.isArray(node)) return node.map((input: unknown) => String(Array.isArray(input) ? input[0] : input));
  const names: string[] = [];
  const look = (value: unknown): void => {
    if (Array.isArray(value)) for (const item of value) look(item);
    else if (isObject(value)) {
      const { keras_history: history } = isObject(value['config']) ? value['config'] : {};
      if (value['class_name'] === '__keras_tensor__' && Array.isArray(history)) names.push(String(history[0]));
      else for (const item of Object.values(value)) look(item);
    }
  };
  look(node);
  return names;
}

/** The layers from the only input to the only output. */
function chainOf(layers: readonly Listed[], { input_layers: inputs, output_layers: outputs }: JsonObject, file: string): Listed[] {
  const [first, ...more] = layers.filter(({ className }) => className === inputClass);
  const [from, to] = [endsOf(inputs), endsOf(outputs)];
  if (!first || more.length > 0 || from?.length !== 1 || to?.length !== 1 || from[0] !== first.name) {
    throw unsupported(
      `the model of ${file}`,
      'have one input and one output',
      `${from?.length ?? 'no list of'} inputs and ${to?.length ?? 'no list of'} outputs`,
      noChain,
    );
  }
  const users = new Map<string, Listed[]>();
  /** How many of its inputs are not in the chain yet. */
  const missing = new Map<Listed, number>();
  for (const layer of layers) {
    if (layer === first) continue;
    const [only] = layer.inputs;
    if (layer.inputs.length !== 1 || !only || only.length < 1 || (only.length > 1 && layer.className !== addClass)) {
      const what = `the layer \`${layer.name}\` (${layer.className}) of ${file}`;
      throw unsupported(what, 'take the output of one other layer, alone and once', JSON.stringify(layer.inputs), noChain);
    }
    const inputs = new Set(only);
    missing.set(layer, inputs.size);
    for (const name of inputs) users.set(name, [...(users.get(name) ?? []), layer]);
  }
  const chain: Listed[] = [first];
  for (;;) {
    const before = chain.at(-1)!;
    const ready = (users.get(before.name) ?? []).filter((layer) => {
      missing.set(layer, missing.get(layer)! - 1);
      return missing.get(layer) === 0;
    });
    const [next, other] = ready;
    if (other) throw unsupported(`the model of ${file}`, 'be one chain', `\`${next!.name}\` and \`${other.name}\` side by side behind \`${before.name}\``, noChain);
    if (!next || chain.length === layers.length) break;
    chain.push({ ...next, adds: addedTo(next, before.name, first.name) });
  }
  if (chain.length !== layers.length || chain.at(-1)!.name !== to[0]) {
    throw unsupported(`the model of ${file}`, 'be one chain from its input to its output', `one of ${chain.length} of its ${layers.length} layers`, noChain);
  }
  return chain;
}

const addClass = 'Add';

/** What an Add takes beside the output of the layer before it, as we name it; nothing for other layers. */
function addedTo({ inputs: [names = []] }: Listed, before: string, input: string): string[] {
  const own = names.indexOf(before);
  return names.filter((_, i) => i !== own).map((name) => (name === input ? modelInput : name));
}

const noChain = 'only chains of layers are supported, in which Add may take earlier outputs, too';

/** The layers' names in [[name, 0, 0], ...], or in Keras 3's [name, 0, 0] for a single one. */
function endsOf(value: unknown): string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return typeof value[0] === 'string' ? [value[0]] : value.map((end: unknown) => String(Array.isArray(end) ? end[0] : end));
}

/** Without the batch. */
function sampleShape(declared: unknown, file: string): Shape {
  const shape: unknown[] = Array.isArray(declared) ? declared.slice(1) : [];
  const isSize = (size: unknown): size is number => typeof size === 'number' && Number.isSafeInteger(size) && size >= 1;
  if (shape.length > 0 && shape.every(isSize)) return shape;
  throw unsupported(`the model of ${file}`, 'have an input shape of known sizes', show(declared), 'save it with the sizes of a sample fixed');
}
