/**
 * Room: train (level 5). A close look at one step, when the main thread asks for it: how large updates are against weights, gradients by
 * layer, batches against moving statistics. It reads what the step computed and changes nothing.
 */
import type { Address } from '../memory/arena.ts';
import type { RunPlan } from '../model/plan.ts';
import { countInto, gradientCounters } from '../telemetry/gradient-histogram.ts';
import { observationIndex } from '../telemetry/observation.ts';
import type { Rank } from './rank.ts';

/** Around the update of every block of this rank, then once before the moving statistics follow. */
interface Observer {
  before(block: number, parameters: Address, length: number): void;
  after(block: number, parameters: Address, length: number): void;
  end(step: number): void;
}

/** Blocks that are looked at number by number, at most: some milliseconds, whatever the size of the model. */
const mostBlocks = 256;

/** Of larger models every so many-th block stands for all. */
function strideOf({ blocks }: RunPlan): number {
  return Math.max(1, Math.ceil(blocks.count / mostBlocks));
}

/** An observer when this step is to be observed. All ranks agree on that. */
export function beginObservation(rank: Rank): Observer | undefined {
  const { arena, control, runtime } = rank;
  const agreed = Atomics.load(arena.i32, control.observeAgreed);
  if (agreed === rank.observed) return undefined;
  rank.observed = agreed;
  const { f32, f64 } = arena;
  const at = observationIndex(runtime.plan.observation);
  let [update, weights] = [0, 0];
  let old = new Float32Array(0);
  const stride = strideOf(runtime.plan);
  return {
    before(block, parameters, length) {
      if (block % stride === 0) old = f32.slice(parameters >>> 2, (parameters >>> 2) + length);
    },
    after(block, parameters, length) {
      if (block % stride !== 0) return;
      const first = parameters >>> 2;
      for (let i = 0; i < length; i++) {
        const change = f32[first + i]! - old[i]!;
        weights += old[i]! * old[i]!;
        update += change * change;
      }
    },
    end(step) {
      f64[at.squares + 2 * runtime.rank] = update;
      f64[at.squares + 2 * runtime.rank + 1] = weights;
      if (runtime.rank !== 0) return;
      noteGradients(rank, at.norms);
      if (runtime.plan.observation.counts !== 0) countGradients(rank);
      noteDrifts(rank, at.drifts);
      f64[at.step] = step;
    },
  };
}

/** By layer, from the blocks' square sums, which this host has if it decides. */
function noteGradients({ runtime: { plan }, arena: { f64 } }: Rank, norms: number): void {
  const { blocks, tensors, topology, squareSums } = plan;
  const sums = new Float64Array(topology.layers.length);
  const trained = new Set<number>();
  for (let block = 0; block < blocks.count; block++) {
    const { layer } = topology.weights[tensors[blocks.tensor[block]!]!.weight]!;
    sums[layer]! += f64[(squareSums >>> 3) + block]!;
    trained.add(layer);
  }
  sums.forEach((sum, layer) => {
    f64[norms + layer] = trained.has(layer) ? Math.sqrt(sum) : Number.NaN;
  });
}

/** The global gradient, layer by layer, as all ranks have left it: of the blocks that are looked at. */
function countGradients({ runtime: { plan }, arena: { f64, i32 } }: Rank): void {
  const { topology, tensors, gradients, blocks } = plan;
  const first = plan.observation.counts >>> 3;
  f64.fill(0, first, first + gradientCounters * topology.layers.length);
  for (let block = 0; block < blocks.count; block += strideOf(plan)) {
    const { weight, offset } = tensors[blocks.tensor[block]!]!;
    const { layer } = topology.weights[weight]!;
    const counts = f64.subarray(first + gradientCounters * layer, first + gradientCounters * (layer + 1));
    const from = (gradients.global + offset + 4 * blocks.start[block]!) >>> 2;
    countInto(counts, i32, from, from + blocks.length[block]!);
  }
}

function noteDrifts({ runtime, arena: { f64 } }: Rank, drifts: number): void {
  const { own, plan, context } = runtime;
  f64.fill(Number.NaN, drifts, drifts + plan.topology.layers.length);
  for (const [i, { operation, layer }] of own.operations.entries()) if (operation.drift && !runtime.isFrozen(i)) f64[drifts + layer] = operation.drift(context);
}
