/**
 * Room: train (level 5). From the shards' gradients to the global one, along the tree. On one host each rank reduces its blocks
 * over all published subtrees. Among hosts each host first merges its ranks' subtrees, bucket by bucket while backward goes on,
 * and contributes them; then it reduces its own share of the blocks over all hosts' subtrees and sends that to everybody.
 * The additions are the same, so the bits are.
 */
import type { VectorMerge } from '../model/gradients.ts';
import { measurePenalties, penalizeBlock } from './bounds.ts';
import { enterPhase, type Rank } from './rank.ts';

/** One host: the global gradient, its blocks' square sums and the loss sums. Two meetings. */
export function sumOnHost(rank: Rank): void {
  const { runtime, blocksFrom, blocksTo, meeting } = rank;
  const { plan, own } = runtime;
  enterPhase(rank, 'reduce');
  measurePenalties(rank);
  // The loss's sums travel with the first meeting.
  runtime.sync.mergeSums(own.lossSums);
  reduceBlocks(rank, plan.gradients.merges, blocksFrom, blocksTo, true);
  meeting.meet();
}

/** Among hosts, called during backward: one more bucket of this host is complete and leaves. */
export function contributeBucket(rank: Rank, index: number): void {
  const { runtime, meeting, uplink, buckets } = rank;
  const { gradients } = runtime.plan;
  const { mergeFirst, mergeEnd } = buckets[index]!;
  meeting.meet();
  if (gradients.merges.length > 0) {
    reduceBlocks(rank, gradients.merges, mergeFirst, mergeEnd, false);
    meeting.meet();
  }
  uplink!.announce('contribution', index);
  uplink!.expect('flushed');
}

/** Among hosts, after backward: this host's share of the global gradient, sent to everybody, and its sums to the coordinator. */
export function reduceShare(rank: Rank): void {
  const { runtime, meeting, buckets } = rank;
  const uplink = rank.uplink!;
  const { plan, own } = runtime;
  const { host, owners, direct } = plan.shards.hosts!;
  const isOwner = owners.includes(host);
  enterPhase(rank, 'reduce');
  if (host === 0) measurePenalties(rank);
  runtime.sync.publishSums(own.lossSums);
  if (host !== 0 && !isOwner) uplink.announce('losses');
  for (let i = 0; i < buckets.length; i++) {
    const { reduces, reduceFirst, reduceEnd } = buckets[i]!;
    if (!reduces) continue;
    uplink.take('contributions');
    // What is reduced in place here is what was sent.
    if (direct) uplink.waitFor('flushed');
    reduceBlocks(rank, plan.gradients.hosts!.merges, reduceFirst, reduceEnd, true);
    meeting.meet();
    if (direct) continue;
    uplink.announce('reduced', i);
    uplink.expect('flushed');
  }
  // The verdict lets others send the next step's gradients: not before what they would overwrite has been reduced.
  if (host !== 0 && isOwner) uplink.announce(direct ? 'losses' : 'sums');
}

/** `completes` says that the blocks are then those of the global gradient. */
function reduceBlocks(rank: Rank, merges: readonly VectorMerge[], first: number, end: number, completes: boolean): void {
  const { plan, context } = rank.runtime;
  const { kernels, arena } = context;
  const { blocks, tensors, gradients, squareSums } = plan;
  for (let block = first; block < end; block++) {
    const tensor = tensors[blocks.tensor[block]!]!;
    const offset = tensor.offset + 4 * blocks.start[block]!;
    const length = blocks.length[block]!;
    if (rank.frozen[blocks.tensor[block]!] === 1) {
      // Nobody made a gradient of it.
      if (completes) arena.f64[(squareSums >>> 3) + block] = 0;
      continue;
    }
    if (tensor.summed) for (const { into, from } of merges) kernels.add(into + offset, from + offset, length);
    if (!completes) continue;
    penalizeBlock(rank, block);
    kernels.squareSum(gradients.global + offset, length, squareSums + 8 * block);
  }
}
