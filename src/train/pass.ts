/**
 * Room: train (level 5). The three parts of a pass that training, evaluation and diagnosis share: gather rows, forward,
 * loss and backward. Nothing here changes a weight.
 */
import { activationCode } from '../kernels/contract.ts';
import type { Address } from '../memory/arena.ts';
import { sizeOf } from '../memory/shape.ts';
import type { DataPlace } from '../model/plan.ts';
import { orderKeys } from '../numerics/permutation.ts';
import { addActivityPenalties } from './activity.ts';
import type { Feed } from './feed.ts';
import { enterPhase, type Rank } from './rank.ts';
import { contributeBucket } from './reduce.ts';

/** Puts the keys of the epoch's order where the kernel reads them. Once an epoch. */
export function setOrder({ arena, runtime, spec }: Rank, epoch: number): void {
  arena.i32.set(orderKeys(spec.seed, epoch), runtime.own.orderKeys >>> 2);
}

/** Where the inputs of a data set come from when they are read ahead; undefined when they are in memory. */
export function feedOf({ feed }: Rank, { spec }: DataPlace): Feed | undefined {
  return spec.streamed ? feed : undefined;
}

/**
 * Fills this rank's input and labels with its rows of the batch that starts at position `first` of the epoch's order
 * (`shuffled`) or of the data set itself. The batch must have been set.
 */
export function gather(rank: Rank, data: DataPlace, first: number, shuffled: boolean): void {
  const { arena, runtime } = rank;
  const { own, context } = runtime;
  const { kernels, batch } = context;
  const { i32 } = arena;
  const { length, targetSize } = data.spec;
  const from = first + batch.firstRow;
  const indices = own.indices >>> 2;
  const feed = feedOf(rank, data);
  if (feed) {
    // Its rows come in the order of the batch.
    for (let row = 0; row < batch.rows; row++) i32[indices + row] = batch.firstRow + row;
    gatherInputs(rank, data, feed.inputs());
  }
  if (shuffled) kernels.epochOrder(own.indices, from, batch.rows, length, own.orderKeys);
  else for (let row = 0; row < batch.rows; row++) i32[indices + row] = from + row;

  if (!feed) gatherInputs(rank, data, data.inputs);

  if (targetSize > 0) {
    kernels.gatherFloats(data.labels, own.indices, own.labels, batch.rows, targetSize, 1);
    return;
  }
  const source = data.labels >>> 2;
  const labels = own.labels >>> 2;
  for (let row = 0; row < batch.rows; row++) i32[labels + row] = i32[source + i32[indices + row]!]!;
}

/** The rows of this rank, by their indices, from inputs that begin at `inputs`. */
function gatherInputs({ runtime: { own, context } }: Rank, { spec: { inputShape, inputType, scale } }: DataPlace, inputs: Address): void {
  const { kernels, batch } = context;
  const rowSize = sizeOf(inputShape);
  if (inputType === 'uint8') kernels.gatherBytes(inputs, own.indices, own.input, batch.rows, rowSize, scale);
  else kernels.gatherFloats(inputs, own.indices, own.input, batch.rows, rowSize, scale);
}

/**
 * What the losses of the batch that starts at position `first` of the epoch's order are divided by. Weights of all rows are in every
 * host's memory and are added in the order of the batch: the same number everywhere. The batch must have been set.
 */
export function setDivisor(rank: Rank, { spec, weights }: DataPlace, first: number): void {
  const { runtime, arena } = rank;
  const { own, context } = runtime;
  const { kernels, batch } = context;
  rank.divisor = batch.globalRows;
  rank.rowWeight = 1;
  if (!spec.weighted) return;
  const { f32, i32 } = arena;
  const samples = own.batchSamples >>> 2;
  if (rank.spec.shuffle) kernels.epochOrder(own.batchSamples, first, batch.globalRows, spec.length, own.orderKeys);
  else for (let row = 0; row < batch.globalRows; row++) i32[samples + row] = first + row;
  let sum = 0;
  for (let row = 0; row < batch.globalRows; row++) sum += f32[(weights >>> 2) + i32[samples + row]!]!;
  rank.divisor = sum;
  rank.rowWeight = sum / batch.globalRows;
}

/** Each own shard's sums go to its block; with `training` the gradient of the mean loss goes to the output gradient. */
export function computeLoss(rank: Rank, data: DataPlace, training: boolean): void {
  const { arena, runtime, loss } = rank;
  const { own, context, plan } = runtime;
  const { measures } = plan;
  const { kernels, batch, shards } = context;
  const columns = own.outputSize;
  const labelBytes = loss.labels === 'class' ? 4 : 4 * columns;
  for (let s = 0; s < shards.count; s++) {
    const first = batch.shardStart[s]!;
    const at = 4 * first * columns;
    const rows = batch.shardStart[s + 1]! - first;
    const dy = training ? own.outputGradient + at : 0;
    const sums = own.lossSums.blocks + 8 * measures.length * (shards.first + s);
    if (data.spec.weighted) runWeighted(rank, data, first, rows, dy, sums);
    else loss.run(kernels, arena, own.output + at, own.labels + first * labelBytes, dy, rows, columns, rank.divisor, sums);
  }
  if (rank.hasActivities) addActivityPenalties(rank);
  if (measures.metrics.length > 0) measure(rank);
}

/** The loss of rows that count differently: row by row, each with a divisor of its own. A row of weight 0 has no say at all. */
function runWeighted({ arena, runtime, loss, divisor }: Rank, { weights }: DataPlace, first: number, rows: number, dy: Address, sums: Address): void {
  const { own, context } = runtime;
  const { f32, f64, i32 } = arena;
  const columns = own.outputSize;
  const labelBytes = loss.labels === 'class' ? 4 : 4 * columns;
  const at = sums >>> 3;
  let total = 0;
  let correct = 0;
  for (let row = 0; row < rows; row++) {
    const weight = f32[(weights >>> 2) + i32[(own.indices >>> 2) + first + row]!]!;
    const dyRow = dy === 0 ? 0 : dy + 4 * row * columns;
    const counts = weight > 0;
    const predictions = own.output + 4 * (first + row) * columns;
    const labels = own.labels + (first + row) * labelBytes;
    loss.run(context.kernels, arena, predictions, labels, counts ? dyRow : 0, 1, columns, divisor / weight, sums);
    if (counts) total += weight * f64[at]!;
    else if (dyRow !== 0) f32.fill(0, dyRow >>> 2, (dyRow >>> 2) + columns);
    correct += f64[at + 1]!;
  }
  f64[at] = total;
  f64[at + 1] = correct;
}

/** Each own shard's numbers of the metrics go behind those of the loss. */
function measure({ arena, runtime, loss }: Rank): void {
  const { own, context, plan } = runtime;
  const { kernels, batch, shards } = context;
  const { metrics, activation, length } = plan.measures;
  const columns = own.outputSize;
  const labelBytes = loss.labels === 'class' ? 4 : 4 * columns;
  if (activation === 'softmax') kernels.softmax(own.output, own.activated, batch.rows, columns);
  if (activation === 'sigmoid') kernels.biasActivation(activationCode.sigmoid, 0, own.output, 0, own.activated, batch.rows, columns);
  for (let s = 0; s < shards.count; s++) {
    const first = batch.shardStart[s]!;
    const rows = batch.shardStart[s + 1]! - first;
    const sums = own.lossSums.blocks + 8 * length * (shards.first + s);
    for (let m = 0; m < metrics.length; m++) {
      const { metric, at } = metrics[m]!;
      const predictions = (metric.activated && activation ? own.activated : own.output) + 4 * first * columns;
      metric.measure(kernels, arena, predictions, own.labels + first * labelBytes, rows, columns, sums + 8 * at);
    }
  }
}

/** From the batch that starts at position `first` of the epoch's order to the gradients of this rank's subtrees, in training mode. The batch must have been set, and its phase `data` have begun. */
export function computePasses(rank: Rank, first: number): void {
  const { runtime, spec } = rank;
  const { passes } = runtime.own;
  for (let pass = 0; pass < passes.length; pass++) {
    runtime.enterPass(pass);
    if (pass > 0) enterPhase(rank, 'data');
    gather(rank, runtime.plan.train!, first, spec.shuffle);
    forwardBackward(rank);
  }
}

/** Forward, loss and backward of the rows that were gathered; gradients' buckets leave as they are complete. */
function forwardBackward(rank: Rank): void {
  const { runtime, markLayer, buckets } = rank;
  enterPhase(rank, 'forward');
  runtime.forward(true, markLayer);
  enterPhase(rank, 'loss');
  computeLoss(rank, runtime.plan.train!, true);
  enterPhase(rank, 'backward');
  rank.uplink?.waitFor('flushed');
  if (buckets.length === 0 || !runtime.context.isLastPass) {
    runtime.backward(markLayer);
    return;
  }
  let complete = 0;
  runtime.backward(markLayer, (i) => {
    while (complete < buckets.length && runtime.own.operations[i]!.layer <= buckets[complete]!.bucket.layer) contributeBucket(rank, complete++);
  });
  // The walk ends early where the first layers are frozen; others wait for their buckets all the same.
  while (complete < buckets.length) contributeBucket(rank, complete++);
}
