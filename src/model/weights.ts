/**
 * Room: model (level 4). A model's weights outside the arena: first values, the way in and out of a plan's arena, and the
 * hash by which two runs are compared.
 */
import { createHash } from 'node:crypto';
import { show } from '../check.ts';
import type { NamedTensor, Tensor } from '../checkpoint/safetensors.ts';
import { LockstepError } from '../errors.ts';
import { initialize } from '../layers/initializers.ts';
import type { Address, Arena } from '../memory/arena.ts';
import { formatShape, sameShape } from '../memory/shape.ts';
import type { Topology, WeightEntry } from './topology.ts';

/** All weights of a model, in model order. */
export type Weights = readonly NamedTensor[];

/** First values: a function of the seed and the topology alone. */
export function initialWeights({ weights }: Topology, seed: number): Weights {
  return weights.map(({ name, definition, size }, index) => {
    const data = new Float32Array(size);
    initialize(data, definition, seed, index);
    return { name, shape: definition.shape, data };
  });
}

/**
 * The tensors of a file as the model's weights. Throws LOCKSTEP_WEIGHTS when a weight is missing, has another shape or
 * not all its numbers, or belongs to no layer; `what` names the file.
 */
export function matchWeights({ weights }: Topology, tensors: ReadonlyMap<string, Tensor>, what: string): Weights {
  const known = new Set(weights.map(({ name }) => name));
  const missing = weights.filter(({ name }) => !tensors.has(name)).map(({ name }) => name);
  const foreign = [...tensors.keys()].filter((name) => !known.has(name));
  if (missing.length > 0 || foreign.length > 0) {
    throw new LockstepError(
      'LOCKSTEP_WEIGHTS',
      `Expected ${what} to hold exactly the weights of the model, got ${[list('without', missing), list('with the unknown', foreign)].filter(Boolean).join(' and ')}; it belongs to another model or its layers have other names.`,
    );
  }
  return weights.map((entry) => ({ name: entry.name, ...checkedTensor(entry, tensors.get(entry.name)!, what) }));
}

function list(words: string, names: readonly string[]): string {
  if (names.length === 0) return '';
  const shown = names.slice(0, 3).map((name) => `\`${name}\``);
  return `${words} ${shown.join(', ')}${names.length > 3 ? ` and ${names.length - 3} more` : ''}`;
}

/** Tensors by name, their numbers copied. Throws LOCKSTEP_WEIGHTS when one is no tensor of float32 numbers or comes twice. */
export function copyTensors(tensors: Iterable<NamedTensor>, what: string): Map<string, Tensor> {
  const copies = new Map<string, Tensor>();
  for (const { name, shape, data } of tensors) {
    if (!(data instanceof Float32Array)) {
      throw new LockstepError('LOCKSTEP_WEIGHTS', `Expected \`${name}\` of ${what} to have a Float32Array as its \`data\`, got ${show(data)}; convert it.`);
    }
    if (!Array.isArray(shape)) {
      throw new LockstepError('LOCKSTEP_WEIGHTS', `Expected \`${name}\` of ${what} to have a list of sizes as its \`shape\`, got ${show(shape)}; add it.`);
    }
    if (copies.has(name)) throw new LockstepError('LOCKSTEP_WEIGHTS', `Expected ${what} to hold each weight once, got \`${name}\` twice; leave one out.`);
    copies.set(name, { shape: [...shape], data: Float32Array.from(data) });
  }
  return copies;
}

function checkedTensor({ name, definition, size }: WeightEntry, tensor: Tensor, what: string): Tensor {
  if (!sameShape(tensor.shape, definition.shape)) {
    throw new LockstepError(
      'LOCKSTEP_WEIGHTS',
      `Expected \`${name}\` of ${what} to have the shape ${formatShape(definition.shape)}, got ${formatShape(tensor.shape)}; it belongs to another model.`,
    );
  }
  if (tensor.data.length !== size) {
    throw new LockstepError('LOCKSTEP_WEIGHTS', `Expected \`${name}\` of ${what} to hold the ${size} numbers of its shape, got ${tensor.data.length}; give all of them.`);
  }
  return tensor;
}

/** Where a plan has its weights: `weights[i]` is the place of `topology.weights[i]`. */
interface WeightPlaces {
  readonly topology: Topology;
  readonly weights: readonly Address[];
}

/** Writes weights to their places in an arena. Nothing is written unless all of them are exactly as large as their places. */
export function storeWeights(weights: Weights, { topology, weights: places }: WeightPlaces, { f32 }: Arena): void {
  const sizes = topology.weights.map(({ size }) => size);
  const lengths = weights.map(({ data }) => data.length);
  if (lengths.join() !== sizes.join()) {
    throw new LockstepError('LOCKSTEP_INTERNAL', `Expected weights of ${sizes.join(', ')} numbers for the plan, got ${lengths.join(', ')}; report this defect.`);
  }
  weights.forEach(({ data }, i) => {
    f32.set(data, places[i]! >>> 2);
  });
}

/** Copies of the weights at their places in an arena. */
export function loadWeights({ weights }: Topology, places: readonly Address[], { f32 }: Arena): Weights {
  return weights.map(({ name, definition, size }, i) => {
    const at = places[i]! >>> 2;
    return { name, shape: definition.shape, data: f32.slice(at, at + size) as Float32Array };
  });
}

/** SHA-256, in hex, over the raw little-endian float32 of all weights, moving statistics included, in model order. */
export function weightsHash(weights: Weights): string {
  const hash = createHash('sha256');
  for (const { data } of weights) hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return hash.digest('hex');
}
