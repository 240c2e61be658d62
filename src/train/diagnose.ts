/**
 * Room: train (level 5). Finding out what was not finite first in a step that was skipped: nothing was committed, so the
 * step is computed again with a look into every tensor. Costs a step; runs only after a skipped one. Every rank takes part,
 * because layers meet.
 */
import type { Address } from '../memory/arena.ts';
import { sizeOf } from '../memory/shape.ts';
import { findingPhases } from '../telemetry/reports.ts';
import { computeLoss, gather } from './pass.ts';
import type { Rank } from './rank.ts';

/** Indices into `findingPhases` and the model's layers (-1: none); the shard within the global batch. */
export interface Finding {
  readonly phase: number;
  readonly layer: number;
  readonly shard: number;
}

export const noFinding: Finding = { phase: -1, layer: -1, shard: -1 };

/** Larger than any place in the order of looks. */
const nothing = 0x7fffffff;

/** Of the batch that starts at position `batchStart` of the epoch's order. */
export function diagnose(rank: Rank, batchStart: number): Finding {
  const { runtime, arena } = rank;
  const { own, context, plan } = runtime;
  const { batch } = context;
  let looks: Finding[] = [];
  let found = nothing;

  /** Looks at every own shard's rows of a tensor; remembers the first look, and in it the first shard, that found something. */
  const look = (phase: (typeof findingPhases)[number], layer: number, tensor: Address, size: number): void => {
    for (let s = 0; s < plan.spec.shards; s++) {
      const place = looks.push({ phase: findingPhases.indexOf(phase), layer, shard: s }) - 1;
      const mine = s - context.shards.first;
      if (found < place || mine < 0 || mine >= context.shards.count) continue;
      const from = (tensor >>> 2) + batch.shardStart[mine]! * size;
      const to = (tensor >>> 2) + batch.shardStart[mine + 1]! * size;
      if (!allFinite(arena.f32, from, to)) found = place;
    }
  };

  rank.uplink?.waitFor('flushed');
  for (let pass = 0; pass < own.passes.length; pass++) {
    // In every pass the same looks in the same order, at other shards.
    looks = [];
    if (own.passes.length > 1) {
      runtime.enterPass(pass);
      gather(rank, plan.train!, batchStart, rank.spec.shuffle);
    }
    look('data', -1, own.input, sizeOf(plan.topology.inputShape));
    runtime.forward(true, undefined, (i) => look('forward', own.operations[i]!.layer, own.operations[i]!.operation.output, own.operations[i]!.size));
    computeLoss(rank, plan.train!, true);
    look('loss', -1, own.outputGradient, own.outputSize);
    runtime.backward(undefined, (i) => {
      const { dx, inputSize, layer } = own.operations[i]!;
      if (dx !== 0) look('backward', layer, dx, inputSize);
    });
  }

  arena.i32[(plan.findings >>> 2) + runtime.rank] = found;
  rank.meeting.meet();
  let first = nothing;
  for (let r = 0; r < plan.spec.ranks; r++) first = Math.min(first, arena.i32[(plan.findings >>> 2) + r]!);
  first = overHosts(rank, first);
  return looks[first] ?? firstGradient(rank);
}

/** On the coordinator the least of all hosts; elsewhere the host's own. */
function overHosts({ runtime, uplink, arena }: Rank, first: number): number {
  const { hosts } = runtime.plan.shards;
  if (!uplink || !hosts) return first;
  const place = (runtime.plan.findings >>> 2) + runtime.plan.spec.ranks;
  if (hosts.host === 0) {
    uplink.take('findings');
    return Math.min(first, arena.i32[place]!);
  }
  if (runtime.rank === 0) arena.i32[place] = first;
  uplink.announce('findings');
  return first;
}

/** When every tensor of rows was finite, a sum over them was not: the first layer whose gradient shows it. */
function firstGradient({ runtime, arena }: Rank): Finding {
  const { blocks, squareSums, tensors, topology } = runtime.plan;
  for (let block = 0; block < blocks.count; block++) {
    if (Number.isFinite(arena.f64[(squareSums >>> 3) + block]!)) continue;
    return { phase: findingPhases.indexOf('gradient'), layer: topology.weights[tensors[blocks.tensor[block]!]!.weight]!.layer, shard: -1 };
  }
  return noFinding;
}

function allFinite(numbers: Float32Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (!Number.isFinite(numbers[i]!)) return false;
  return true;
}
