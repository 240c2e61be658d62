/**
 * Room: model (level 4). Batch normalisations made part of the Dense beside them, for use after training: in inference a normalisation is y = s x + t a channel, with
 *
 *     s = gamma / sqrt(moving variance + epsilon)        t = beta - s moving mean
 *
 *   after a Dense without activation    (x W + b) s + t = x W' + b'      W'[c, u] = W[c, u] s[u]     b'[u] = b[u] s[u] + t[u]
 *   before a Dense                      (s x + t) W + b = x W' + b'      W'[c, u] = s[c] W[c, u]     b'[u] = b[u] + sum over c of t[c] W[c, u]
 *
 * Computed in float64 and rounded once. Layers that only rename, and those that do nothing in inference, may stand between the two.
 */
import type { LayerConfig, LayerConfigOf, ModelConfig } from '../config/layers.ts';
import { normalizationLayout } from '../layers/batch-normalization.ts';
import { onlyRenames } from '../layers/reshape.ts';
import { sizeOf } from '../memory/shape.ts';
import type { NamedLayer, Topology } from './topology.ts';
import type { Weights } from './weights.ts';

/** What became of each normalisation, by the names of layers. */
export interface FoldReport {
  readonly folded: readonly { readonly layer: string; readonly into: string }[];
  readonly kept: readonly { readonly layer: string; readonly reason: string }[];
}

export interface Folded extends FoldReport {
  readonly config: ModelConfig;
  readonly weights: Weights;
}

/** y = scale x + shift, for each number of a sample, row-major. */
interface Affine {
  readonly scale: Float64Array;
  readonly shift: Float64Array;
}

interface DenseWeights {
  readonly kernel: Float64Array;
  readonly bias: Float64Array;
}

/** The same model, for inference, without the normalisations that can be part of another layer. Layers keep their names. */
export function fold({ layers, weights: entries }: Topology, config: ModelConfig, weights: Weights): Folded {
  const byName = new Map(weights.map((tensor) => [tensor.name, tensor]));
  const denses = new Map<number, DenseWeights>();
  const removed = new Set<number>();
  const folded: { layer: string; into: string }[] = [];
  const kept: { layer: string; reason: string }[] = [];
  const numbersOf = (layer: NamedLayer, name: string): Float32Array | undefined => byName.get(`${layer.name}/${name}`)?.data;
  const denseAt = (index: number): DenseWeights => {
    const units = denseOf(layers[index]!)!.units;
    const found = denses.get(index) ?? {
      kernel: Float64Array.from(numbersOf(layers[index]!, 'kernel')!),
      bias: Float64Array.from(numbersOf(layers[index]!, 'bias') ?? new Float32Array(units)),
    };
    denses.set(index, found);
    return found;
  };

  const added = new Set(layers.flatMap(({ sources }) => sources));
  /** The first of the layers [from, to) whose output another layer adds: nothing may change it. */
  const addedAmong = (from: number, to: number): NamedLayer | undefined => layers.find((_, i) => i >= from && i < to && added.has(i));

  for (const [index, layer] of layers.entries()) {
    const normalization = layer.config;
    if (normalization.type !== 'batchNormalization') continue;
    const affine = affineOf(normalization, layer, (name) => numbersOf(layer, name));
    const before = neighbour(layers, index, -1, removed);
    const after = neighbour(layers, index, 1, removed);
    const [above, below] = [before === undefined ? undefined : denseOf(layers[before]!), after === undefined ? undefined : denseOf(layers[after]!)];
    const [heldAbove, heldBelow] = [above && addedAmong(before!, index + 1), below && addedAmong(index, after!)];
    if (above && !heldAbove && isLinear(above) && repeats(affine, above.units)) {
      foldAfter(denseAt(before!), affine, above.units);
      folded.push({ layer: layer.name, into: layers[before!]!.name });
      removed.add(index);
    } else if (below && !heldBelow && repeats(affine, inputsOf(layers[after!]!))) {
      foldBefore(denseAt(after!), affine, inputsOf(layers[after!]!), below.units);
      folded.push({ layer: layer.name, into: layers[after!]!.name });
      removed.add(index);
    } else {
      const held = heldBelow ?? (above && isLinear(above) ? heldAbove : undefined);
      kept.push({ layer: layer.name, reason: held ? `another layer adds the output of \`${held.name}\`, which would change` : reasonOf(above, below) });
    }
  }

  const remaining = layers.flatMap((layer, i): LayerConfig[] => {
    if (removed.has(i)) return [];
    // Names that were counted would be counted anew.
    const named = { ...layer.config, name: layer.name };
    return [denses.has(i) ? ({ ...named, useBias: true } as LayerConfig) : named];
  });
  const [first, ...rest] = remaining;
  const tensors = entries.flatMap(({ name, layer }) => (removed.has(layer) || denses.has(layer) ? [] : [byName.get(name)!]));
  const made = [...denses].flatMap(([index, { kernel, bias }]) => [
    { name: `${layers[index]!.name}/kernel`, shape: byName.get(`${layers[index]!.name}/kernel`)!.shape, data: Float32Array.from(kernel) },
    { name: `${layers[index]!.name}/bias`, shape: [bias.length], data: Float32Array.from(bias) },
  ]);
  return { config: { ...config, layers: first ? [{ ...first, inputShape: [...layers[0]!.inputShape] }, ...rest] : [] }, weights: [...tensors, ...made], folded, kept };
}

function affineOf(config: LayerConfigOf<'batchNormalization'>, { inputShape, name }: NamedLayer, numbersOf: (name: string) => Float32Array | undefined): Affine {
  const { channels, permutation } = normalizationLayout(config, inputShape, name);
  const size = sizeOf(inputShape);
  const [mean, variance, gamma, beta] = [numbersOf('moving_mean')!, numbersOf('moving_variance')!, numbersOf('gamma'), numbersOf('beta')];
  const table = Int32Array.from({ length: size }, (_, i) => i);
  permutation?.inverse(table);
  const [scale, shift] = [new Float64Array(size), new Float64Array(size)];
  for (let i = 0; i < size; i++) {
    const channel = table[i]! % channels;
    scale[i] = (gamma?.[channel] ?? 1) / Math.sqrt(variance[channel]! + config.epsilon);
    shift[i] = (beta?.[channel] ?? 0) - scale[i]! * mean[channel]!;
  }
  return { scale, shift };
}

/** The next layer in a direction that computes anything in inference and is there still. */
function neighbour(layers: readonly NamedLayer[], index: number, step: 1 | -1, removed: ReadonlySet<number>): number | undefined {
  for (let i = index + step; i >= 0 && i < layers.length; i += step) {
    const { config } = layers[i]!;
    if (!removed.has(i) && !onlyRenames(config) && !restsInInference(config)) return i;
  }
  return undefined;
}

function restsInInference({ type }: LayerConfig): boolean {
  return type === 'dropout' || type === 'alphaDropout' || type === 'gaussianNoise';
}

function denseOf({ config }: NamedLayer): LayerConfigOf<'dense'> | undefined {
  return config.type === 'dense' ? config : undefined;
}

function isLinear({ activation }: LayerConfigOf<'dense'>): boolean {
  return (typeof activation === 'string' ? activation : activation.type) === 'linear';
}

function inputsOf({ inputShape }: NamedLayer): number {
  return inputShape.at(-1) ?? 1;
}

/** True when numbers that meet the same weights of a Dense of `period` features are scaled and shifted alike. */
function repeats({ scale, shift }: Affine, period: number): boolean {
  return scale.every((value, i) => value === scale[i % period] && shift[i] === shift[i % period]);
}

function foldAfter({ kernel, bias }: DenseWeights, { scale, shift }: Affine, units: number): void {
  for (let i = 0; i < kernel.length; i++) kernel[i]! *= scale[i % units]!;
  for (let u = 0; u < units; u++) bias[u] = bias[u]! * scale[u]! + shift[u]!;
}

function foldBefore({ kernel, bias }: DenseWeights, { scale, shift }: Affine, inputs: number, units: number): void {
  for (let c = 0; c < inputs; c++) {
    for (let u = 0; u < units; u++) {
      bias[u]! += shift[c]! * kernel[c * units + u]!;
      kernel[c * units + u]! *= scale[c]!;
    }
  }
}

function reasonOf(above: LayerConfigOf<'dense'> | undefined, below: LayerConfigOf<'dense'> | undefined): string {
  if (below || (above && isLinear(above))) return 'its channels are not those of the dense layer beside it, which has the same weights for all of them';
  if (above) return 'the dense layer before it has an activation, and none follows';
  return 'no dense layer stands beside it';
}
