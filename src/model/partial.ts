/**
 * Room: model (level 4). Weights of another model taken layer by layer: those layers that have all their weights there, in the right shapes, perhaps under other names.
 * The rest stays as it is, and every layer of both sides is accounted for.
 */
import type { Tensor } from '../checkpoint/safetensors.ts';
import { LockstepError } from '../errors.ts';
import { formatShape, sameShape } from '../memory/shape.ts';
import type { Topology } from './topology.ts';

/** Names of layers there and here: `{ 'encoder_*': '*' }`; a `*` on both sides stands for the same characters, and the first pattern that fits counts. */
export type LayerNames = Readonly<Record<string, string>>;

/** What became of each layer with weights. */
export interface LoadReport {
  /** Layers that took their weights, and the layer there that they are of. */
  readonly loaded: readonly { readonly layer: string; readonly from: string }[];
  /** Layers of this model that keep what they have, or get first weights when training begins. */
  readonly kept: readonly { readonly layer: string; readonly reason: string }[];
  /** Layers there that nobody took. */
  readonly unused: readonly string[];
}

/** What a layer there is called here. */
function renamed(name: string, names: LayerNames): string {
  for (const [pattern, target] of Object.entries(names)) {
    const [begin, end] = pattern.split('*') as [string, string | undefined];
    if (end === undefined) {
      if (name === begin) return target;
      continue;
    }
    if (name.length < begin.length + end.length || !name.startsWith(begin) || !name.endsWith(end)) continue;
    return target.replace('*', () => name.slice(begin.length, name.length - end.length));
  }
  return name;
}

/** Throws LOCKSTEP_USAGE for patterns with several `*`, or with one on the right alone. */
export function checkLayerNames(names: LayerNames): void {
  const stars = (text: string): number => text.split('*').length - 1;
  const wrong = Object.entries(names).find(([from, to]) => stars(from) > 1 || stars(to) > stars(from));
  if (!wrong) return;
  throw new LockstepError(
    'LOCKSTEP_USAGE',
    `Expected names of layers with at most one \`*\`, and none on the right without one on the left, got \`${wrong[0]}\` and \`${wrong[1]}\`; name what differs.`,
  );
}

/** The layer of a weight: what is before the last `/`. */
export function layerOf(weight: string): string {
  return weight.slice(0, Math.max(0, weight.lastIndexOf('/')));
}

/** The layers of weights by their names there, and what each is called here. Throws LOCKSTEP_USAGE as `checkLayerNames`, LOCKSTEP_WEIGHTS when two get one name. */
export function renamedLayers(weights: Iterable<string>, names: LayerNames, what: string): ReadonlyMap<string, string> {
  checkLayerNames(names);
  const here = new Map<string, string>();
  for (const from of new Set([...weights].map(layerOf))) {
    const layer = renamed(from, names);
    const other = [...here].find(([, taken]) => taken === layer)?.[0];
    if (other !== undefined) {
      throw new LockstepError('LOCKSTEP_WEIGHTS', `Expected one layer of ${what} for \`${layer}\`, got \`${other}\` and \`${from}\`; give them different names.`);
    }
    here.set(from, layer);
  }
  return here;
}

/**
 * The weights that layers of the model find among `tensors`, by their names here. Throws LOCKSTEP_WEIGHTS when two layers there have the same name here, or no
 * layer takes anything; `what` names the origin.
 */
export function takeLayers(
  { layers, weights }: Topology,
  tensors: ReadonlyMap<string, Tensor>,
  names: LayerNames,
  what: string,
): { readonly found: ReadonlyMap<string, Tensor>; readonly report: LoadReport } {
  const origins = new Map([...renamedLayers(tensors.keys(), names, what)].map(([from, here]) => [here, from]));
  const found = new Map<string, Tensor>();
  const loaded: { layer: string; from: string }[] = [];
  const kept: { layer: string; reason: string }[] = [];
  for (const [index, { name: layer }] of layers.entries()) {
    const own = weights.filter((weight) => weight.layer === index);
    if (own.length === 0) continue;
    const from = origins.get(layer);
    const reason = from === undefined ? 'there is no layer of this name' : misfit(own, from);
    if (reason !== undefined) {
      kept.push({ layer, reason });
      continue;
    }
    for (const { name } of own) found.set(name, tensors.get(`${from}${name.slice(name.lastIndexOf('/'))}`)!);
    loaded.push({ layer, from: from! });
  }

  /** Why a layer does not fit the weights of layer `from`. */
  function misfit(own: Topology['weights'], from: string): string | undefined {
    for (const { definition, size } of own) {
      const tensor = tensors.get(`${from}/${definition.name}`);
      if (!tensor) return `\`${from}\` has no \`${definition.name}\``;
      if (!sameShape(tensor.shape, definition.shape) || tensor.data.length !== size)
        return `\`${from}/${definition.name}\` has the shape ${formatShape(tensor.shape)}, not ${formatShape(definition.shape)}`;
    }
    const surplus = [...tensors.keys()].find((name) => layerOf(name) === from && !own.some(({ definition }) => name === `${from}/${definition.name}`));
    return surplus === undefined ? undefined : `\`${from}\` has \`${surplus.slice(from.length + 1)}\`, which this layer has not`;
  }

  const taken = new Set(loaded.map(({ from }) => from));
  if (loaded.length === 0) {
    const [first] = kept;
    const because = first ? ` (\`${first.layer}\`: ${first.reason})` : '';
    throw new LockstepError('LOCKSTEP_WEIGHTS', `Expected ${what} to hold the weights of some layer of the model, got none that fit${because}; map the names of layers.`);
  }
  return { found, report: { loaded, kept, unused: [...origins.values()].filter((from) => !taken.has(from)) } };
}
