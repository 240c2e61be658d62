/**
 * Room: model (level 4). A rank's plan brought to life over an arena: the context that operations are called with, and the
 * forward and backward walk through them. It knows nothing of steps, losses or updates.
 */
import { type Meeting, SharedSync } from '../collectives/shared.ts';
import type { Uplink } from '../collectives/uplink.ts';
import { shardRows, shardStart } from '../data/sampler.ts';
import type { Kernels } from '../kernels/contract.ts';
import type { Batch, OwnShards, RankContext } from '../layers/layer.ts';
import type { Arena } from '../memory/arena.ts';
import { seedKey } from '../numerics/philox.ts';
import type { RunPlan } from './plan.ts';
import type { RankPlan } from './rank-plan.ts';

/** Called around every operation; for progress words and for looking into tensors. `index` counts operations. */
export type Visit = (index: number) => void;

const ignore: Visit = () => {};

export class RankRuntime {
  readonly plan: RunPlan;
  readonly own: RankPlan;
  readonly rank: number;
  readonly context: RankContext;
  readonly sync: SharedSync;
  /** Rows of every shard of the batch. */
  readonly shardRows: Int32Array;

  constructor(plan: RunPlan, rank: number, arena: Arena, kernels: Kernels, meeting: Meeting, seed: number, uplink?: Uplink) {
    this.plan = plan;
    this.rank = rank;
    this.own = plan.ranks[rank]!;
    const { first, count, steps } = this.own.shards;
    this.shardRows = new Int32Array(plan.spec.shards);
    const batch: Batch = { globalRows: 0, firstRow: 0, rows: 0, shardStart: new Int32Array(count + 1), step: 0 };
    const own: OwnShards = {
      first,
      count,
      // One shape of object for both kinds, so that the loops over them stay monomorphic.
      steps: steps.map((step) => (step.kind === 'leaf' ? { ...step, from: -1 } : { ...step, shard: -1 })),
    };
    const [seedLow, seedHigh] = seedKey(seed);
    this.sync = new SharedSync(arena, meeting, plan.shards, rank, this.shardRows, uplink);
    this.context = {
      arena,
      kernels,
      sync: this.sync,
      shards: own,
      batch,
      rank,
      ranks: plan.spec.ranks,
      totalShards: plan.spec.shards,
      seedLow,
      seedHigh,
    };
    for (const { address, length, fill } of this.own.constants) fill(arena.i32.subarray(address >>> 2, (address >>> 2) + length));
  }

  /** Says how many rows the global batch has: which of them are ours, shard by shard, follows. */
  setBatch(globalRows: number, step: number): void {
    const { batch, shards } = this.context;
    const total = this.plan.spec.shards;
    for (let shard = 0; shard < total; shard++) this.shardRows[shard] = shardRows(globalRows, total, shard);
    const firstRow = shardStart(globalRows, total, shards.first);
    for (let s = 0; s <= shards.count; s++) batch.shardStart[s] = shardStart(globalRows, total, shards.first + s) - firstRow;
    batch.globalRows = globalRows;
    batch.firstRow = firstRow;
    batch.rows = batch.shardStart[shards.count]!;
    batch.step = step;
  }

  /** From `own.input` to `own.output`. */
  forward(training: boolean, before: Visit = ignore, after: Visit = ignore): void {
    const { operations } = this.own;
    for (let i = 0; i < operations.length; i++) {
      before(i);
      operations[i]!.operation.forward(this.context, training);
      after(i);
    }
  }

  /** From `own.outputGradient` to the gradients of all weights. */
  backward(before: Visit = ignore, after: Visit = ignore): void {
    const { operations, firstBackward } = this.own;
    for (let i = operations.length - 1; i >= firstBackward; i--) {
      before(i);
      const { operation, dy, dx } = operations[i]!;
      operation.backward(this.context, dy, dx);
      after(i);
    }
  }

  /** What the committed step changes besides trained weights. */
  commit(): void {
    const { operations } = this.own;
    for (let i = 0; i < operations.length; i++) operations[i]!.operation.commit?.(this.context);
  }
}
