/**
 * Room: tests of layers. What a chain of layers means, written anew in float64 from Keras' definitions, without a kernel or a
 * shard; and gradients of it by central differences. Nothing here is fast, and nothing is shared with what it judges.
 */

import type { LayerConfigOf } from '../../src/config/layers.ts';
import { resolveActivation } from '../../src/config/resolve.ts';
import type { Shape } from '../../src/memory/shape.ts';
import type { NamedLayer } from '../../src/model/topology.ts';

type WeightValues = ReadonlyMap<string, Float64Array>;

const size = (shape: Shape): number => shape.reduce((product, dimension) => product * dimension, 1);

/** The error function by its Taylor series: at least ten digits for |x| <= 4. */
function erf(x: number): number {
  let sum = 0;
  for (let n = 0, term = x; n < 120; n++, term *= (-x * x) / n) sum += term / (2 * n + 1);
  return (2 / Math.sqrt(Math.PI)) * sum;
}

/** Keras' constants of selu. */
const [seluScale, seluAlpha] = [1.0507009873554805, 1.6732632423543772];

function elementwise(type: string, alpha: number): (x: number) => number {
  switch (type) {
    case 'linear':
      return (x) => x;
    case 'relu':
      return (x) => Math.max(0, x);
    case 'leakyReLU':
      return (x) => (x < 0 ? alpha * x : x);
    case 'elu':
      return (x) => (x < 0 ? alpha * Math.expm1(x) : x);
    case 'selu':
      return (x) => seluScale * (x < 0 ? seluAlpha * Math.expm1(x) : x);
    case 'gelu':
      return (x) => 0.5 * x * (1 + erf(x / Math.SQRT2));
    case 'swish':
      return (x) => x / (1 + Math.exp(-x));
    case 'softplus':
      return (x) => Math.log1p(Math.exp(x));
    case 'tanh':
      return Math.tanh;
    case 'sigmoid':
      return (x) => 1 / (1 + Math.exp(-x));
    default:
      throw new Error(`Expected an elementwise activation, got ${type}; write it here.`);
  }
}

function activated(config: LayerConfigOf<'activation'>['activation'], z: Float64Array, columns: number): Float64Array {
  const { type, alpha } = resolveActivation(config);
  if (type !== 'softmax') return z.map(elementwise(type, alpha));
  const y = z.map(Math.exp);
  for (let start = 0; start < y.length; start += columns) {
    const row = y.subarray(start, start + columns);
    const sum = row.reduce((total, value) => total + value, 0);
    for (let c = 0; c < columns; c++) row[c]! /= sum;
  }
  return y;
}

function dense({ name, config, inputShape }: NamedLayer & { readonly config: LayerConfigOf<'dense'> }, weights: WeightValues, x: Float64Array): Float64Array {
  const { units } = config;
  const inputs = inputShape.at(-1)!;
  const kernel = weights.get(`${name}/kernel`)!;
  const bias = weights.get(`${name}/bias`);
  const z = new Float64Array((x.length / inputs) * units);
  for (let row = 0; row < x.length / inputs; row++) {
    for (let unit = 0; unit < units; unit++) {
      let sum = bias?.[unit] ?? 0;
      for (let i = 0; i < inputs; i++) sum += x[row * inputs + i]! * kernel[i * units + unit]!;
      z[row * units + unit] = sum;
    }
  }
  return activated(config.activation, z, units);
}

/** The channel of element `i` of a sample: its coordinates along the axes, in ascending order of the axes. */
function channelOf(shape: Shape, axes: readonly number[], i: number): number {
  const coordinates = shape.map((dimension, axis) => Math.floor(i / size(shape.slice(axis + 1))) % dimension);
  return axes.reduce((channel, axis) => channel * shape[axis]! + coordinates[axis]!, 0);
}

function batchNormalization(
  { name, config, inputShape }: NamedLayer & { readonly config: LayerConfigOf<'batchNormalization'> },
  weights: WeightValues,
  x: Float64Array,
  training: boolean,
  mask: readonly boolean[] | undefined,
): Float64Array {
  const counts = (i: number): boolean => mask === undefined || mask[Math.floor(i / inputShape.at(-1)!)]!;
  const axes = [config.axis]
    .flat()
    .map((axis) => (axis < 0 ? axis + inputShape.length : axis - 1))
    .sort((a, b) => a - b);
  const channels = size(axes.map((axis) => inputShape[axis]!));
  const channel = Int32Array.from({ length: x.length }, (_, i) => channelOf(inputShape, axes, i % size(inputShape)));
  const average = (value: (i: number) => number): Float64Array => {
    const sums = new Float64Array(channels);
    const numbers = new Float64Array(channels);
    for (let i = 0; i < x.length; i++) {
      if (!counts(i)) continue;
      sums[channel[i]!]! += value(i);
      numbers[channel[i]!]! += 1;
    }
    return sums.map((sum, c) => sum / numbers[c]!);
  };
  const mean = training ? average((i) => x[i]!) : weights.get(`${name}/moving_mean`)!;
  const variance = training ? average((i) => (x[i]! - mean[channel[i]!]!) ** 2) : weights.get(`${name}/moving_variance`)!;
  const gamma = weights.get(`${name}/gamma`);
  const beta = weights.get(`${name}/beta`);
  return x.map((value, i) => {
    const c = channel[i]!;
    return ((value - mean[c]!) / Math.sqrt(variance[c]! + config.epsilon)) * (gamma?.[c] ?? 1) + (beta?.[c] ?? 0);
  });
}

function layerNormalization(
  { name, config, inputShape }: NamedLayer & { readonly config: LayerConfigOf<'layerNormalization'> },
  weights: WeightValues,
  x: Float64Array,
): Float64Array {
  const axes = [config.axis].flat().map((axis) => (axis < 0 ? axis + inputShape.length : axis - 1));
  const others = inputShape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const sample = size(inputShape);
  // What shares statistics: the same sample, and the same place along the other axes.
  const groups = new Map<number, number[]>();
  for (let i = 0; i < x.length; i++) {
    const key = Math.floor(i / sample) * sample + channelOf(inputShape, others, i % sample);
    groups.set(key, [...(groups.get(key) ?? []), i]);
  }
  const [gamma, beta] = [weights.get(`${name}/gamma`), weights.get(`${name}/beta`)];
  const y = new Float64Array(x.length);
  for (const members of groups.values()) {
    const mean = members.reduce((sum, i) => sum + x[i]!, 0) / members.length;
    const variance = members.reduce((sum, i) => sum + (x[i]! - mean) ** 2, 0) / members.length;
    for (const i of members) {
      const c = channelOf(
        inputShape,
        axes.toSorted((a, b) => a - b),
        i % sample,
      );
      y[i] = ((x[i]! - mean) / Math.sqrt(variance + config.epsilon)) * (gamma?.[c] ?? 1) + (beta?.[c] ?? 0);
    }
  }
  return y;
}

/** Each output pixel by the hat function around every input pixel's centre, the place held within the centres; nearest by the pixel whose interval has the place. */
function resizing({ config, inputShape }: NamedLayer & { readonly config: LayerConfigOf<'resizing'> }, x: Float64Array): Float64Array {
  const [height, width, channels = 1] = inputShape as [number, number, number?];
  const share = (i: number, outputs: number, pixel: number, inputs: number): number => {
    const place = ((i + 0.5) * inputs) / outputs;
    if (config.interpolation === 'nearest') return pixel <= place && place < pixel + 1 ? 1 : 0;
    const held = Math.min(Math.max(place, 0.5), inputs - 0.5);
    return Math.max(0, 1 - Math.abs(held - pixel - 0.5));
  };
  const rows = x.length / (height * width * channels);
  const y = new Float64Array(rows * config.height * config.width * channels);
  y.forEach((_, at) => {
    const c = at % channels;
    const j = Math.floor(at / channels) % config.width;
    const i = Math.floor(at / channels / config.width) % config.height;
    const row = Math.floor(at / channels / config.width / config.height);
    for (let h = 0; h < height; h++)
      for (let w = 0; w < width; w++)
        y[at]! += share(i, config.height, h, height) * share(j, config.width, w, width) * x[((row * height + h) * width + w) * channels + c]!;
  });
  return y;
}

/** By step, whether any number differs from the value by more than differences change it. */
function unmasked({ config, inputShape }: NamedLayer & { readonly config: LayerConfigOf<'masking'> }, x: Float64Array): boolean[] {
  const features = inputShape.at(-1)!;
  return Array.from({ length: x.length / features }, (_, step) =>
    x.subarray(step * features, (step + 1) * features).some((value) => Math.abs(value - config.maskValue) > 1e-4),
  );
}

/** The outputs of the chain for rows x. Nothing is random here: use dropout with rate 0 and noise with deviation 0 only. */
export function meaning(layers: readonly NamedLayer[], weights: WeightValues, x: Float64Array, training: boolean): Float64Array {
  /** What is there to be added, by name. */
  const outputs = new Map([['@input', x]]);
  let values = x;
  let mask: readonly boolean[] | undefined;
  for (const layer of layers) {
    const { config } = layer;
    if (config.type === 'masking') mask = unmasked({ ...layer, config }, values);
    if (config.type === 'flatten' || config.type === 'reshape' || config.type === 'resizing') mask = undefined;
    values = outputOf(layer, weights, values, outputs, training, mask);
    outputs.set(layer.name, values);
  }
  return values;
}

function outputOf(
  layer: NamedLayer,
  weights: WeightValues,
  values: Float64Array,
  outputs: ReadonlyMap<string, Float64Array>,
  training: boolean,
  mask: readonly boolean[] | undefined,
): Float64Array {
  const { config, name } = layer;
  switch (config.type) {
    case 'dense':
      return dense({ ...layer, config }, weights, values);
    case 'batchNormalization':
      return batchNormalization({ ...layer, config }, weights, values, training, mask);
    case 'layerNormalization':
      return layerNormalization({ ...layer, config }, weights, values);
    case 'activation':
      return activated(config.activation, values, layer.inputShape.at(-1)!);
    case 'masking':
      return values.map((value, i) => (mask![Math.floor(i / layer.inputShape.at(-1)!)] ? value : 0));
    case 'resizing':
      return resizing({ ...layer, config }, values);
    case 'dropout':
    case 'alphaDropout':
    case 'gaussianNoise':
    case 'flatten':
    case 'reshape':
      return values;
    case 'add':
      return values.map((value, i) => [config.from].flat().reduce((sum, source) => sum + outputs.get(source)![i]!, value));
    case 'scalarAffine': {
      const [multiplier, bias] = [weights.get(`${name}/multiplier`)?.[0] ?? 1, weights.get(`${name}/bias`)?.[0] ?? 0];
      return values.map((value) => multiplier * value + bias);
    }
    default:
      return config satisfies never;
  }
}

/** d sum(dy * f) / dv for each number of `v`, which f reads, by central differences. */
export function differences(v: Float64Array, dy: ArrayLike<number>, f: () => Float64Array): Float64Array {
  const h = 1e-5;
  const value = (): number => f().reduce((sum, y, i) => sum + y * dy[i]!, 0);
  return v.map((_, i) => {
    const kept = v[i]!;
    v[i] = kept + h;
    const above = value();
    v[i] = kept - h;
    const below = value();
    v[i] = kept;
    return (above - below) / (2 * h);
  });
}
