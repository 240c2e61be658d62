/**
 * Room: tests of layers. A chain of layers on one rank, without steps and ranks around it: forward, backward from any
 * gradient of the output, commit. The loss is `given`, so the upstream gradient is whatever the test says.
 */

import type { LayerConfigInput } from '../../src/config/layers.ts';
import { parseModelConfig } from '../../src/config/parse.ts';
import type { Kernels } from '../../src/kernels/contract.ts';
import { createReferenceKernels } from '../../src/kernels/reference.ts';
import { compileWasmKernels, createWasmKernels } from '../../src/kernels/wasm.ts';
import { Arena } from '../../src/memory/arena.ts';
import { type Shape, sizeOf } from '../../src/memory/shape.ts';
import { type PlanSpec, planRun, type RunPlan } from '../../src/model/plan.ts';
import { RankRuntime } from '../../src/model/runtime.ts';
import { initialWeights, loadWeights, storeWeights } from '../../src/model/weights.ts';

export interface NetworkOptions {
  readonly inputShape: Shape;
  readonly rows: number;
  readonly shards?: number;
  readonly kernels?: 'reference' | 'wasm';
  readonly seed?: number;
  readonly inputGradient?: boolean;
}

export interface Gradients {
  readonly dx: Float32Array;
  /** By weight name: those of trained weights. */
  readonly weights: ReadonlyMap<string, Float32Array>;
}

const module = compileWasmKernels();

export class Network {
  readonly plan: RunPlan;
  readonly arena: Arena;
  readonly #runtime: RankRuntime;
  readonly #rows: number;

  constructor(layers: readonly LayerConfigInput[], { inputShape, rows, shards = 1, kernels = 'reference', seed = 1, inputGradient = true }: NetworkOptions) {
    const spec: PlanSpec = {
      model: parseModelConfig({ layers }),
      inputShape,
      loss: { type: 'given' },
      shards,
      ranks: 1,
      batchRows: Math.max(1, rows),
      optimizerSlots: 0,
      train: { length: 1, inputShape, inputType: 'float32', scale: 1, targetSize: 1 },
      inputGradient,
    };
    this.plan = planRun(spec);
    this.arena = Arena.create(this.plan.memory.bytes);
    const scratch = this.plan.ranks[0]!.scratch;
    const set: Kernels = kernels === 'reference' ? createReferenceKernels(this.arena) : createWasmKernels(module, this.arena, scratch);
    // What nobody may rely on: every tensor starts as NaN.
    this.arena.u8.fill(0xff);
    this.#runtime = new RankRuntime(this.plan, 0, this.arena, set, { meet: () => {} }, seed);
    this.#rows = rows;
    storeWeights(initialWeights(this.plan.topology, seed), this.plan, this.arena);
    this.setBatch(rows, 1);
  }

  setBatch(rows: number, step: number): void {
    this.#runtime.setBatch(rows, step);
  }

  /** All weights by name, as copies. */
  get weights(): Map<string, Float32Array> {
    return new Map(loadWeights(this.plan.topology, this.plan.weights, this.arena).map(({ name, data }) => [name, data]));
  }

  setWeight(name: string, values: ArrayLike<number>): void {
    const index = this.plan.topology.weights.findIndex((weight) => weight.name === name);
    if (this.plan.topology.weights[index]?.size !== values.length) throw new Error(`Expected a weight \`${name}\` of ${values.length} numbers; see the plan.`);
    this.arena.f32.set(values, this.plan.weights[index]! >>> 2);
  }

  forward(x: ArrayLike<number>, training = true): Float32Array {
    const { input, output, outputSize } = this.#runtime.own;
    this.arena.f32.set(x, input >>> 2);
    this.#runtime.forward(training);
    return this.#read(output, this.#rows * outputSize);
  }

  /** After `forward(x, true)`. */
  backward(dy: ArrayLike<number>): Gradients {
    const { own } = this.#runtime;
    this.arena.f32.set(dy, own.outputGradient >>> 2);
    this.#runtime.backward();
    const { gradients, tensors, topology } = this.plan;
    const weights = tensors.map(({ weight, offset, size }) => [topology.weights[weight]!.name, this.#read(gradients.global + offset, size)] as const);
    const dx = own.operations[0]?.dx ?? own.outputGradient;
    return { dx: this.#read(dx, dx === 0 ? 0 : this.#rows * sizeOf(topology.inputShape)), weights: new Map(weights) };
  }

  commit(): void {
    this.#runtime.commit();
  }

  #read(address: number, count: number): Float32Array {
    return new Float32Array(this.arena.f32.subarray(address >>> 2, (address >>> 2) + count));
  }
}

/** The largest difference, as a share of the largest expected number. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  const largest = Math.max(1e-3, ...Array.from(expected, Math.abs));
  return Math.max(0, ...Array.from(expected, (value, i) => (Number.isFinite(actual[i]!) ? Math.abs(actual[i]! - value) / largest : Number.POSITIVE_INFINITY)));
}

/** `count` numbers in [-1, 1): the same for the same seed. */
export function numbers(count: number, seed: number): Float32Array {
  let state = Math.imul(seed, 2_654_435_761) || 1;
  return Float32Array.from({ length: count }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state / 2 ** 31;
  });
}
