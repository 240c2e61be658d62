/**
 * Room: data (level 3). Which rows belong to which step and shard: pure arithmetic. It promises that the shards of a
 * batch are contiguous, cover it once and differ by at most one row; it never allocates and never knows the order of an
 * epoch, which is a permutation of these positions.
 */

/**
 * The first row of a shard in a batch of `rows`: the first `rows % shards` shards have one row more than the others.
 * `shardStart(rows, shards, shards)` is `rows`, so shard s is [shardStart(s), shardStart(s + 1)); it may be empty.
 */
export function shardStart(rows: number, shards: number, shard: number): number {
  return shard * Math.floor(rows / shards) + Math.min(shard, rows % shards);
}

/** Rows of one shard of a batch of `rows`. */
export function shardRows(rows: number, shards: number, shard: number): number {
  return shardStart(rows, shards, shard + 1) - shardStart(rows, shards, shard);
}

/** Steps of an epoch over `length` rows; 0 when the only batch is not full and dropped. */
export function stepsPerEpoch(length: number, batchSize: number, dropRemainder: boolean): number {
  return dropRemainder ? Math.floor(length / batchSize) : Math.ceil(length / batchSize);
}

/** Rows of the global batch of step `step` (from 0) of an epoch; it starts at position `step * batchSize` of the order. */
export function batchRows(length: number, batchSize: number, step: number): number {
  return Math.min(batchSize, length - step * batchSize);
}
