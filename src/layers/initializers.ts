/**
 * Room: layers (level 3). First values of weights, as Keras' initialisers define them. Element i of weight w is a function of
 * (seed, w, i) alone and comes from exact operations and our own logarithm, so every machine starts from the same bits.
 */
import type { ResolvedInitializer } from '../config/initializers.ts';
import { resolveInitializer } from '../config/resolve.ts';
import { log } from '../numerics/elementary.ts';
import { philox, purpose, seedKey } from '../numerics/philox.ts';
import { power } from '../numerics/power.ts';
import type { WeightDefinition } from './layer.ts';
import { orthogonalize } from './orthogonal.ts';

/** Fills `values` (as many as the weight's shape holds) with the first values of weight number `index` of the model. */
export function initialize(values: Float32Array, weight: WeightDefinition, seed: number, index: number): void {
  const fan = { in: weight.shape[0] ?? 1, out: weight.shape.at(-1) ?? 1 };
  const initializer = resolveInitializer(weight.initializer);
  const draws = new Draws(seed, index);
  if (initializer.type === 'orthogonal') {
    orthogonalize(values, fan.out, initializer.gain, (i) => draws.normal(i));
    return;
  }
  const value = elementValue(initializer, fan, draws);
  for (let i = 0; i < values.length; i++) values[i] = value(i);
}

type ElementValue = (element: number) => number;

/** The value of each element under an initialiser. */
function elementValue(initializer: Exclude<ResolvedInitializer, { type: 'orthogonal' }>, fan: { readonly in: number; readonly out: number }, draws: Draws): ElementValue {
  switch (initializer.type) {
    case 'zeros':
      return () => 0;
    case 'ones':
      return () => 1;
    case 'constant':
      return () => initializer.value;
    case 'identity':
      // Row i has its one in column i.
      return (i) => (Math.floor(i / fan.out) === i % fan.out ? initializer.gain : 0);
    case 'varianceScaling':
      return varianceScaling(initializer, fan, draws);
    case 'randomUniform':
      return (i) => draws.uniform(i, initializer.minval, initializer.maxval);
    case 'randomNormal':
      return (i) => initializer.mean + initializer.stddev * draws.normal(i);
    case 'truncatedNormal':
      return (i) => initializer.mean + initializer.stddev * draws.truncatedNormal(i);
    case 'glorotUniform':
      return scaledUniform(draws, 6 / (fan.in + fan.out));
    case 'heUniform':
      return scaledUniform(draws, 6 / fan.in);
    case 'leCunUniform':
      return scaledUniform(draws, 3 / fan.in);
    case 'glorotNormal':
      return scaledNormal(draws, 2 / (fan.in + fan.out));
    case 'heNormal':
      return scaledNormal(draws, 2 / fan.in);
    case 'leCunNormal':
      return scaledNormal(draws, 1 / fan.in);
    case 'fixup': {
      const [value, factor] = [scaledNormal(draws, 2 / fan.in), fixupFactor(initializer)];
      return (i) => factor * value(i);
    }
    default:
      return initializer satisfies never;
  }
}

function scaledUniform(draws: Draws, squaredLimit: number): ElementValue {
  const limit = Math.sqrt(squaredLimit);
  return (i) => draws.uniform(i, -limit, limit);
}

/** Keras: variance scale / fan; `truncatedNormal` is cut at two deviations, `normal` is not. */
function varianceScaling(
  { scale, mode, distribution }: Extract<ResolvedInitializer, { type: 'varianceScaling' }>,
  fan: { readonly in: number; readonly out: number },
  draws: Draws,
): ElementValue {
  const variance = scale / Math.max(1, mode === 'fanIn' ? fan.in : mode === 'fanOut' ? fan.out : (fan.in + fan.out) / 2);
  if (distribution === 'uniform') return scaledUniform(draws, 3 * variance);
  const deviation = Math.sqrt(variance);
  return distribution === 'truncatedNormal' ? scaledNormal(draws, variance) : (i) => deviation * draws.normal(i);
}

/**
 * What Fixup scales heNormal by in a residual branch of m layers with kernels, in a network of L blocks: L^(-1/(2m-2)). Every block then
 * changes what the network computes by about 1/L of a step, however deep it is (Zhang, Dauphin and Ma, 2019).
 */
export function fixupFactor({ blocks, layersPerBlock }: { readonly blocks: number; readonly layersPerBlock: number }): number {
  return power(blocks, -1 / (2 * layersPerBlock - 2));
}

/** The standard deviation of a normal number cut at two: what Keras divides by to keep the variance. */
const truncatedDeviation = 0.8796256610342398;

function scaledNormal(draws: Draws, variance: number): ElementValue {
  const deviation = Math.sqrt(variance) / truncatedDeviation;
  return (i) => deviation * draws.truncatedNormal(i);
}

class Draws {
  readonly #key: readonly [number, number];
  readonly #weight: number;
  readonly #words = new Uint32Array(4);

  constructor(seed: number, weight: number) {
    this.#key = seedKey(seed);
    this.#weight = weight;
  }

  #draw(element: number, attempt: number): Uint32Array {
    return philox(this.#words, element, attempt, this.#weight, purpose.initializer << 16, ...this.#key);
  }

  /** Uniform in [low, high). */
  uniform(element: number, low: number, high: number): number {
    return low + (high - low) * (this.#draw(element, 0)[0]! / 2 ** 32);
  }

  /** Marsaglia's polar method; `attempt` says where in the element's stream to begin, and is returned after the last used. */
  normal(element: number, start = { attempt: 0 }): number {
    for (;;) {
      const words = this.#draw(element, start.attempt++);
      const u = (words[0]! * 2 ** 21 + (words[1]! >>> 11)) / 2 ** 52 - 1;
      const v = (words[2]! * 2 ** 21 + (words[3]! >>> 11)) / 2 ** 52 - 1;
      const s = u * u + v * v;
      if (s > 0 && s < 1) return u * Math.sqrt((-2 * log(s)) / s);
    }
  }

  /** A normal number redrawn until it lies within two standard deviations. */
  truncatedNormal(element: number): number {
    const stream = { attempt: 0 };
    for (;;) {
      const value = this.normal(element, stream);
      if (Math.abs(value) <= 2) return value;
    }
  }
}
