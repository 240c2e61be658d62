/**
 * Room: layers (level 3). What a layer is to the rest: a definition (shapes and weights, from its config alone) that is
 * compiled once into an operation over preallocated tensors. A layer promises that its forward pass changes nothing but
 * its own tensors, so a step can be thrown away and replayed; what must outlive the step changes in `commit`.
 * It never knows who else takes part: where shards must meet it asks the `ShardSync` it was handed.
 */
import type { InitializerConfig } from '../config/initializers.ts';
import type { ResolvedConstraint } from '../config/regularizers.ts';
import type { Kernels } from '../kernels/contract.ts';
import type { Address, Arena } from '../memory/arena.ts';
import type { Shape } from '../memory/shape.ts';

/** l1 sum |x| + l2 sum x^2 over numbers x. */
export interface Penalty {
  readonly l1: number;
  readonly l2: number;
}

/** One weight of a layer as its definition declares it. */
export interface WeightDefinition {
  /** The last part of its safetensors name: `kernel`, `bias`, `gamma`, `beta`, `multiplier`, `moving_mean`, `moving_variance`. */
  readonly name: string;
  readonly shape: Shape;
  readonly initializer: InitializerConfig;
  /**
   * `summed`: trained; every shard makes a gradient of its own. `synced`: trained; the layer's sync point already makes the
   * global gradient. `state`: not trained; the layer changes it in `commit`.
   */
  readonly role: 'summed' | 'synced' | 'state';
  /** Added to the loss; of a trained weight. */
  readonly penalty?: Penalty;
  /** Holds after every update; of a trained weight. */
  readonly constraint?: ResolvedConstraint;
}

/** The area of one sync point: a block of 2 x channels float64 for every shard, and the rank's own merged block. */
export interface ExchangeArea {
  /** Its number among those of the model. */
  readonly index: number;
  readonly blocks: Address;
  readonly result: Address;
  readonly channels: number;
  /** How many values of a channel one row holds (1 after Dense, height x width in images). */
  readonly positions: number;
  /** True when moments bring their count with them: [mean (channels - 1), count, m2 (channels - 1), unused]. */
  readonly isCounted: boolean;
}

/** What a layer may ask of the other shards of the step. Both block until all ranks of the run have come. */
interface ShardSync {
  /** Merges the shards' [mean, m2] blocks along the tree; the moments of the whole batch are then at `area.result`. */
  mergeMoments(area: ExchangeArea): void;
  /** Adds the shards' blocks along the tree; the sums over the whole batch are then at `area.result`. */
  mergeSums(area: ExchangeArea): void;
}

/** The rows of a step as one rank sees them. Numbers are written by the step; every field is an integer. */
export interface Batch {
  /** Rows of the global batch, and where those that this rank computes now begin in it. */
  globalRows: number;
  firstRow: number;
  /** Rows of this rank, the sum over the shards that it computes now. */
  rows: number;
  /** shardStart[i] is the first row, within this rank's rows, of its i-th shard; shardStart[ownShards] = rows. */
  readonly shardStart: Int32Array;
  /** The optimizer step being computed, from 1. */
  step: number;
}

/** The shards that one rank computes at once, and how it sums the leaves it produces: see `leafProgram`. Shards are counted from the first of these. */
export interface OwnShards {
  /** The first of them, and how many they are. */
  readonly first: number;
  readonly count: number;
  readonly steps: readonly { readonly kind: 'leaf' | 'merge'; readonly shard: number; readonly buffer: number; readonly from: number }[];
}

/** What an operation is given at every call. One object a rank, made once. */
export interface RankContext {
  readonly arena: Arena;
  readonly kernels: Kernels;
  readonly sync: ShardSync;
  readonly shards: OwnShards;
  readonly batch: Batch;
  /** True while the layer that is called learns nothing: it makes no gradient of its weights, and statistics stay as they are. */
  readonly frozen: boolean;
  /** True in the last pass over the rank's shards of a step: what is summed over shards is complete after its backward. */
  readonly isLastPass: boolean;
  /** This rank's number and how many there are: a commit may be split between them. */
  readonly rank: number;
  readonly ranks: number;
  /** Of the whole run, wherever they are computed. */
  readonly totalShards: number;
  /** The run's seed as two uint32 words. */
  readonly seedLow: number;
  readonly seedHigh: number;
}

/** A compiled layer: the same calls for every step, no allocation in any of them. */
export interface Operation {
  /** Where the output (rows, size) of this operation is. */
  readonly output: Address;
  /** Of a layer that makes a mask: uint8 (rows, steps), 0 for a step that is masked. */
  readonly mask?: Address;
  forward(context: RankContext, training: boolean): void;
  /**
   * From the gradient dy of the output to dx of the input. dx is 0 when nobody needs it; dx = dy if `inPlaceBackward`. What goes to other layers whose outputs
   * this one adds is the walk's business.
   */
  backward(context: RankContext, dy: Address, dx: Address): void;
  /** Applies what the committed step changes besides trained weights (moving statistics). */
  commit?(context: RankContext): void;
  /** After a forward pass in training mode: the batch's statistics come to those of the batches before, which `isFirst` forgets. All ranks meet. */
  collect?(context: RankContext, isFirst: boolean): void;
  /** What was collected takes the place of moving statistics. */
  settle?(context: RankContext): void;
  /** How far the batch's statistics are from the moving ones, before `commit`; for observers. */
  drift?(context: RankContext): number;
}

/** A weight's place: its value, and for each summing buffer of this rank the gradient's place. */
export interface WeightPlace {
  readonly value: Address;
  readonly size: number;
  /** For `summed` one address per buffer of the rank's leaf program; for `synced` one: the global gradient's. */
  readonly gradients: readonly Address[];
}

/** Hands out tensors while a plan is made. Addresses are final; nothing may be read or written yet. */
export interface Builder {
  readonly input: Address;
  readonly inputShape: Shape;
  /** The mask of the input, as its maker keeps it; 0 for none. */
  readonly mask: Address;
  /** The outputs of the earlier layers that this one names beside its input, in its order; all of the shape of the input. */
  readonly sources: readonly Address[];
  /** True when somebody needs the gradient of this layer's input. */
  readonly needsInputGradient: boolean;
  /** Shards of this rank. */
  readonly shards: number;
  /** The layer's index in its model, for keys of random numbers. */
  readonly layerIndex: number;
  /** A weight of the layer, or one of another layer that this one's operation was given (their names differ). */
  weight(name: string): WeightPlace;
  /** A tensor of (rows of this rank, size) numbers of `bytesEach` (default 4). */
  rows(size: number, bytesEach?: number): Address;
  /** `bytes` private to this rank. */
  private(bytes: number): Address;
  /** An exchange area shared by all ranks, with a result private to this one. */
  exchange(channels: number, positions: number, isCounted?: boolean): ExchangeArea;
  /** `length` constant int32 values; `fill` writes them to their place when the rank starts, never while a plan is made. */
  constants(length: number, fill: (place: Int32Array) => void): Address;
}

/** A layer by its config: pure, cheap, and enough for summary, memory plan and weights. */
export interface LayerDefinition {
  readonly outputShape: Shape;
  readonly weights: readonly WeightDefinition[];
  /** On the outputs: its mean over rows is added to the loss. */
  readonly activityPenalty?: Penalty;
  /** True when the forward pass meets the other shards, so that all rows of a step must be computed at once. */
  readonly needsWholeBatch?: boolean;
  /** Whether it makes a mask of steps, or ends the one that arrives because its steps are others; absent: a mask passes through. */
  readonly mask?: 'made' | 'ended';
  /** True when backward turns dy into dx in the same tensor. */
  readonly inPlaceBackward: boolean;
  /** Undefined for a layer that only renames dimensions: its output is its input. */
  compile(builder: Builder): Operation | undefined;
}
