/**
 * Room: model (level 4). A rank's plan brought to life over an arena: the context that operations are called with, and the
 * forward and backward walk through them. It knows nothing of steps, losses or updates.
 */
import { type Meeting, SharedSync } from '../collectives/shared.ts';
import type { Uplink } from '../collectives/uplink.ts';
import { shardRows, shardStart } from '../data/sampler.ts';
import type { Kernels } from '../kernels/contract.ts';
import type { Batch, OwnShards, RankContext } from '../layers/layer.ts';
import { addPenaltyGradient } from '../layers/penalties.ts';
import type { Address, Arena } from '../memory/arena.ts';
import { seedKey } from '../numerics/philox.ts';
import type { Hold } from './held-gradients.ts';
import { passesOf } from './passes.ts';
import type { RunPlan } from './plan.ts';
import type { RankPlan } from './rank-plan.ts';

/** Called around every operation; for progress words and for looking into tensors. `index` counts operations. */
export type Visit = (index: number) => void;

const ignore: Visit = () => {};

export class RankRuntime {
  readonly plan: RunPlan;
  readonly own: RankPlan;
  readonly rank: number;
  readonly context: { -readonly [K in keyof RankContext]: RankContext[K] };
  readonly sync: SharedSync;
  /** Rows of every shard of the batch. */
  readonly shardRows: Int32Array;
  /** All shards of this rank. */
  readonly #whole: OwnShards;
  /** By operation: 1 for one that learns nothing. */
  readonly #frozen: Uint8Array;
  /** The backward walk ends with this operation. */
  #firstBackward: number;

  constructor(plan: RunPlan, rank: number, arena: Arena, kernels: Kernels, meeting: Meeting, seed: number, uplink?: Uplink) {
    this.plan = plan;
    this.rank = rank;
    this.own = plan.ranks[rank]!;
    this.shardRows = new Int32Array(plan.spec.shards);
    const batch: Batch = { globalRows: 0, firstRow: 0, rows: 0, shardStart: new Int32Array(this.own.shards.count + 1), step: 0 };
    this.#whole = passesOf(this.own.shards, 1)[0]!;
    const [seedLow, seedHigh] = seedKey(seed);
    this.sync = new SharedSync(arena, meeting, plan.shards, rank, this.shardRows, uplink);
    this.context = {
      arena,
      kernels,
      sync: this.sync,
      shards: this.#whole,
      batch,
      frozen: false,
      isLastPass: true,
      rank,
      ranks: plan.spec.ranks,
      totalShards: plan.spec.shards,
      seedLow,
      seedHigh,
    };
    this.#frozen = new Uint8Array(this.own.operations.length);
    this.#firstBackward = this.own.firstBackward;
    this.freeze(() => false);
    for (const { address, length, fill } of this.own.constants) fill(arena.i32.subarray(address >>> 2, (address >>> 2) + length));
  }

  /** From here on layers learn nothing that are not trainable, or of which `isFrozen` is true, and the backward walk ends at the first that learns. */
  freeze(isFrozen: (layer: number) => boolean): void {
    const { operations, firstBackward } = this.own;
    const { tensors, topology, spec } = this.plan;
    for (const [i, { layer }] of operations.entries()) this.#frozen[i] = topology.layers[layer]!.config.trainable === false || isFrozen(layer) ? 1 : 0;
    const learning = operations.findIndex(({ layer }, i) => this.#frozen[i] === 0 && tensors.some((tensor) => tensor.layer === layer));
    this.#firstBackward = spec.inputGradient ? firstBackward : learning === -1 ? operations.length : Math.max(firstBackward, learning);
  }

  /** Says how many rows the global batch has: which of them are ours, shard by shard, follows. All of ours are computed at once, unless `enterPass` says otherwise. */
  setBatch(globalRows: number, step: number): void {
    const { batch } = this.context;
    const total = this.plan.spec.shards;
    for (let shard = 0; shard < total; shard++) this.shardRows[shard] = shardRows(globalRows, total, shard);
    batch.globalRows = globalRows;
    batch.step = step;
    this.#take(this.#whole, true);
  }

  /** What is computed from here on are the shards of pass `pass` of the step whose batch was set. */
  enterPass(pass: number): void {
    const { passes } = this.own;
    this.#take(passes[pass]!, pass === passes.length - 1);
  }

  #take(shards: OwnShards, isLastPass: boolean): void {
    const { context } = this;
    const { batch } = context;
    const total = this.plan.spec.shards;
    const firstRow = shardStart(batch.globalRows, total, shards.first);
    for (let s = 0; s <= shards.count; s++) batch.shardStart[s] = shardStart(batch.globalRows, total, shards.first + s) - firstRow;
    batch.firstRow = firstRow;
    batch.rows = batch.shardStart[shards.count]!;
    context.shards = shards;
    context.isLastPass = isLastPass;
  }

  /** From `own.input` to `own.output`. */
  forward(training: boolean, before: Visit = ignore, after: Visit = ignore): void {
    const { operations } = this.own;
    for (let i = 0; i < operations.length; i++) {
      before(i);
      this.context.frozen = this.#frozen[i] === 1;
      operations[i]!.operation.forward(this.context, training);
      after(i);
    }
  }

  /** From `own.outputGradient` to the gradients of all weights. */
  backward(before: Visit = ignore, after: Visit = ignore): void {
    const { operations, heldInput } = this.own;
    const { arena, batch, kernels } = this.context;
    for (let i = operations.length - 1; i >= this.#firstBackward; i--) {
      before(i);
      this.context.frozen = this.#frozen[i] === 1;
      const { operation, dy, dx, activity, size, held, holds } = operations[i]!;
      if (held !== 0) kernels.add(dy, held, batch.rows * size);
      if (activity) addPenaltyGradient(arena.f32, operation.output >>> 2, dy >>> 2, batch.rows * size, activity, 1 / batch.globalRows);
      for (let h = 0; h < holds.length; h++) this.#hold(holds[h]!, dy, batch.rows * size);
      operation.backward(this.context, dy, dx);
      after(i);
    }
    if (heldInput !== 0) kernels.add(operations[0]!.dx, heldInput, batch.rows * operations[0]!.inputSize);
  }

  /** Keeps a gradient for the operation that it also belongs to, unless the walk ends before that. */
  #hold({ source, into, isFirst }: Hold, dy: Address, count: number): void {
    if (source !== -1 && source < this.#firstBackward) return;
    const { arena, kernels } = this.context;
    if (isFirst) arena.u8.copyWithin(into, dy, dy + 4 * count);
    else kernels.add(into, dy, count);
  }

  /** A forward pass in which normalisations see the batch as in training, and all else is as in inference; their statistics are collected. */
  collect(isFirst: boolean, before: Visit = ignore): void {
    const { operations } = this.own;
    for (let i = 0; i < operations.length; i++) {
      before(i);
      const { operation } = operations[i]!;
      const collects = operation.collect !== undefined && !this.isFrozen(i);
      this.context.frozen = this.#frozen[i] === 1;
      operation.forward(this.context, collects);
      if (collects) operation.collect!(this.context, isFirst);
    }
  }

  /** What was collected takes the place of moving statistics. */
  settle(): void {
    for (const [i, { operation }] of this.own.operations.entries()) if (!this.isFrozen(i)) operation.settle?.(this.context);
  }

  /** What the committed step changes besides trained weights. */
  commit(): void {
    const { operations } = this.own;
    for (let i = 0; i < operations.length; i++) {
      this.context.frozen = this.#frozen[i] === 1;
      operations[i]!.operation.commit?.(this.context);
    }
  }

  /** Whether operation `index` learns nothing. */
  isFrozen(index: number): boolean {
    return this.#frozen[index] === 1;
  }
}
