/**
 * Room: train (level 5). How the ranks of a host share the work on each bucket of the gradient, when there are several hosts.
 */
import type { Bucket } from '../model/gradients.ts';
import type { RunPlan } from '../model/plan.ts';
import { blockShare } from '../numerics/norm.ts';

/** A bucket with the blocks of it that are one rank's work: to merge within the host, and to reduce over all hosts. */
export interface BucketWork {
  readonly bucket: Bucket;
  readonly mergeFirst: number;
  readonly mergeEnd: number;
  /** False when no block of the bucket is reduced on this host. */
  readonly reduces: boolean;
  readonly reduceFirst: number;
  readonly reduceEnd: number;
}

/** What `rank` does with each bucket. Made once. */
export function bucketWork({ blocks, shards, spec, gradients }: RunPlan, rank: number): BucketWork[] {
  if (!shards.hosts || !gradients.hosts) return [];
  const own = gradients.hosts.shares[shards.hosts.host]!;
  return gradients.hosts.buckets.map((bucket) => {
    const [mergeFirst, mergeEnd] = blockShare(blocks, rank, spec.ranks, bucket.first, bucket.end);
    const [first, end] = [Math.max(own.first, bucket.first), Math.min(own.end, bucket.end)];
    const reduces = first < end;
    const [reduceFirst, reduceEnd] = reduces ? blockShare(blocks, rank, spec.ranks, first, end) : [0, 0];
    return { bucket, mergeFirst, mergeEnd, reduces, reduceFirst, reduceEnd };
  });
}
