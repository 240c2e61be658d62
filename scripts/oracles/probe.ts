/**
 * Room: scripts (level 8). A model's forward and backward pass on real ranks for given inputs and a given upstream gradient:
 * one step of a run whose loss is the sum of output x gradient, read back from the arena.
 */
import type { LayerConfigInput } from '../../src/config/layers.ts';
import { parseModelConfig, parseOptimizer } from '../../src/config/parse.ts';
import { memorySource } from '../../src/data/source.ts';
import { openStation } from '../../src/local/session.ts';
import { Model } from '../../src/model/model.ts';
import { loadWeights } from '../../src/model/weights.ts';
import { roomOf } from '../../src/optimizers/room.ts';
import { scheduledRates } from '../../src/train/loop.ts';
import type { Expected } from './compare.ts';

export interface ProbeOptions {
  readonly layers: readonly LayerConfigInput[];
  readonly x: Expected;
  readonly dy: Expected;
  /** First values of weights, by their name in the model; the others are initialised. */
  readonly weights?: Readonly<Record<string, Expected>>;
  readonly kernels: 'wasm' | 'blas';
  readonly workers: number;
  readonly shards: number;
}

export interface ProbeResult {
  readonly y: Float32Array;
  readonly dx: Float32Array;
  /** By the weight's name: its gradient, or for moving statistics the new value. */
  readonly weights: ReadonlyMap<string, Float32Array>;
}

/** Rows are the first dimension of x and dy. The optimizer is SGD with learning rate 0, so weights stay what they were. */
export async function probe({ layers, x, dy, weights = {}, kernels, workers, shards }: ProbeOptions): Promise<ProbeResult> {
  const rows = x.shape[0]!;
  const model = new Model(parseModelConfig({ layers }));
  model.build(x.shape.slice(1));
  model.initialize(0);
  model.setWeights(model.getWeights().map((weight) => (weights[weight.name] ? { ...weight, data: Float32Array.from(weights[weight.name]!.data) } : weight)));
  const optimizer = parseOptimizer({ type: 'sgd', learningRate: 0 });
  const source = memorySource({
    name: 'the case',
    inputShape: x.shape.slice(1),
    scale: 1,
    values: Float32Array.from(x.data),
    labels: { kind: 'target', values: Float32Array.from(dy.data), shape: dy.shape.slice(1) },
  });
  const station = openStation({
    model,
    loss: { type: 'given' },
    settings: { workers, shards, kernels, batchSize: rows, metrics: [] },
    training: { optimizer, seed: 0, shuffle: false, batchSize: rows, validationBatchSize: rows, onNonFinite: 'halt', haltAfterSkipped: 1 },
    ...roomOf(optimizer),
    train: source,
    inputGradient: true,
  });
  const { plan, arena, team } = station;
  try {
    station.begin();
    await team.obey({ kind: 'train', epoch: 0, firstBatch: 0, batches: 1, firstStep: 1, updates: 0, skippedInARow: 0, ...scheduledRates });
    const take = (address: number, length: number): Float32Array => Float32Array.from(arena.f32.subarray(address >>> 2, (address >>> 2) + length));
    const joined = (size: number, address: (rank: (typeof plan.ranks)[number]) => number): Float32Array =>
      Float32Array.from(plan.ranks.flatMap((rank) => [...take(address(rank), rank.capacity * size)]));
    const gradients = plan.tensors.map(({ weight, offset, size }) => [plan.topology.weights[weight]!.name, take(plan.gradients.global + offset, size)] as const);
    const state = loadWeights(plan.topology, plan.weights, arena).filter((_, i) => plan.topology.weights[i]!.definition.role === 'state');
    const inputSize = x.data.length / rows;
    return {
      y: joined(plan.ranks[0]!.outputSize, (rank) => rank.output),
      dx: joined(inputSize, (rank) => rank.operations[0]?.dx ?? rank.outputGradient),
      weights: new Map([...gradients, ...state.map(({ name, data }) => [name, data] as const)]),
    };
  } finally {
    await team.end();
  }
}
