/**
 * Room: train (level 5). The three parts of a pass that training, evaluation and diagnosis share: gather rows, forward,
 * loss and backward. Nothing here changes a weight.
 */

import { sizeOf } from '../memory/shape.ts';
import type { DataPlace } from '../model/plan.ts';
import { orderKeys } from '../numerics/permutation.ts';
import { enterPhase, type Rank } from './rank.ts';
import { contributeBucket } from './reduce.ts';

/** Puts the keys of the epoch's order where the kernel reads them. Once an epoch. */
export function setOrder({ arena, runtime, spec }: Rank, epoch: number): void {
  arena.i32.set(orderKeys(spec.seed, epoch), runtime.own.orderKeys >>> 2);
}

/**
 * Fills this rank's input and labels with its rows of the batch that starts at position `first` of the epoch's order
 * (`shuffled`) or of the data set itself. The batch must have been set.
 */
export function gather({ arena, runtime }: Rank, data: DataPlace, first: number, shuffled: boolean): void {
  const { own, context } = runtime;
  const { kernels, batch } = context;
  const { i32 } = arena;
  const { length, inputShape, inputType, scale, targetSize } = data.spec;
  const from = first + batch.firstRow;
  const indices = own.indices >>> 2;
  if (shuffled) kernels.epochOrder(own.indices, from, batch.rows, length, own.orderKeys);
  else for (let row = 0; row < batch.rows; row++) i32[indices + row] = from + row;

  const rowSize = sizeOf(inputShape);
  if (inputType === 'uint8') kernels.gatherBytes(data.inputs, own.indices, own.input, batch.rows, rowSize, scale);
  else kernels.gatherFloats(data.inputs, own.indices, own.input, batch.rows, rowSize, scale);

  if (targetSize > 0) {
    kernels.gatherFloats(data.labels, own.indices, own.labels, batch.rows, targetSize, 1);
    return;
  }
  const [source, labels] = [data.labels >>> 2, own.labels >>> 2];
  for (let row = 0; row < batch.rows; row++) i32[labels + row] = i32[source + i32[indices + row]!]!;
}

/** Each own shard's loss sums go to its block; with `training` the gradient of the mean loss goes to the output gradient. */
export function computeLoss({ arena, runtime, loss }: Rank, training: boolean): void {
  const { own, context } = runtime;
  const { kernels, batch, shards } = context;
  const columns = own.outputSize;
  const labelBytes = loss.labels === 'class' ? 4 : 4 * columns;
  for (let s = 0; s < shards.count; s++) {
    const first = batch.shardStart[s]!;
    const at = 4 * first * columns;
    const rows = batch.shardStart[s + 1]! - first;
    const dy = training ? own.outputGradient + at : 0;
    const sums = own.lossSums.blocks + 16 * (shards.first + s);
    loss.run(kernels, arena, own.output + at, own.labels + first * labelBytes, dy, rows, columns, batch.globalRows, sums);
  }
}

/** Forward, loss and backward of the rows that were gathered, in training mode; gradients' buckets leave as they are complete. */
export function forwardBackward(rank: Rank): void {
  const { runtime, markLayer, buckets } = rank;
  enterPhase(rank, 'forward');
  runtime.forward(true, markLayer);
  enterPhase(rank, 'loss');
  computeLoss(rank, true);
  enterPhase(rank, 'backward');
  rank.uplink?.waitFor('flushed');
  if (buckets.length === 0) {
    runtime.backward(markLayer);
    return;
  }
  let complete = 0;
  runtime.backward(markLayer, (i) => {
    while (complete < buckets.length && runtime.own.operations[i]!.layer <= buckets[complete]!.bucket.layer) contributeBucket(rank, complete++);
  });
}
