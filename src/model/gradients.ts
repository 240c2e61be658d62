/**
 * Room: model (level 4). Where gradients are and how they become the global one: a vector for every subtree that ranks publish,
 * merged into those of the host; among hosts, buckets in the order in which backward completes them, an equal share of the norm
 * blocks for every host that reduces, and room there for what others contribute to it.
 */
import type { HostRoot, ShardPlan } from '../collectives/shard-plan.ts';
import type { Address } from '../memory/arena.ts';
import { alignmentBytes, type MemoryPlan } from '../memory/plan.ts';
import { type Blocks, blockShare } from '../numerics/norm.ts';
import type { Merge } from '../numerics/tree.ts';

/** A trained tensor within the vectors of parameters, gradients and optimizer slots. */
export interface ParameterTensor {
  /** Its index in `topology.weights`, and the layer whose operation makes its gradient. */
  readonly weight: number;
  readonly layer: number;
  /** Bytes from the start of each vector. */
  readonly offset: number;
  readonly size: number;
  /** True when shards' gradients must be summed; false when the layer's sync point has already made the global one. */
  readonly summed: boolean;
}

/** "Add the vector at `from` to the vector at `into`": addresses to which a tensor's offset is added. */
export interface VectorMerge {
  readonly into: Address;
  readonly from: Address;
}

/** A run of norm blocks [first, end), which is the bytes [from, to) of every vector. */
export interface Range {
  readonly first: number;
  readonly end: number;
  readonly from: number;
  readonly to: number;
}

/** What is sent while backward goes on: complete once backward has left layer `layer`. */
export interface Bucket extends Range {
  readonly layer: number;
}

/** One host's subtree, where its vector is on this host: whole for an own one, else only this host's share of it. */
export interface RootVector extends HostRoot {
  readonly vector: Address;
}

export interface HostGradients {
  readonly roots: readonly RootVector[];
  /** All hosts' subtrees into the global gradient, within the own share. */
  readonly merges: readonly VectorMerge[];
  /** What each host reduces, by host; empty for those that do not. */
  readonly shares: readonly Range[];
  readonly buckets: readonly Bucket[];
}

export interface GradientPlan {
  /** One for every subtree that ranks of this host publish. */
  readonly vectors: readonly Address[];
  /** The ranks' subtrees into the host's. */
  readonly merges: readonly VectorMerge[];
  /** The vector that becomes the global gradient. */
  readonly global: Address;
  readonly hosts: HostGradients | undefined;
}

/** Bytes of a bucket, at least: large enough to use a connection well, small enough to be on its way while backward goes on. */
const bucketBytes = 4 * 2 ** 20;

export function planGradients(memory: MemoryPlan, shards: ShardPlan, tensors: readonly ParameterTensor[], vectorBytes: number, blocks: Blocks): GradientPlan {
  const reserve = (bytes = vectorBytes): Address => memory.reserve('gradients', bytes);
  const vectors = shards.published.map(() => reserve());
  const merges = onVectors(shards.merges, vectors);
  const { hosts } = shards;
  if (!hosts) return { vectors, merges, global: vectors[0]!, hosts: undefined };

  const rangeOf = (first: number, end: number): Range => ({ first, end, from: offsetOf(first), to: offsetOf(end) });
  const offsetOf = (block: number): number => (block === blocks.count ? vectorBytes : tensors[blocks.tensor[block]!]!.offset + 4 * blocks.start[block]!);
  const shares = Array.from({ length: hosts.hosts }, (_, host) => {
    const owner = hosts.owners.indexOf(host);
    if (owner === -1) return rangeOf(0, 0);
    return hosts.direct ? rangeOf(0, blocks.count) : rangeOf(...blockShare(blocks, owner, hosts.owners.length));
  });
  const own = shares[hosts.host]!;
  // Only the share of a foreign vector has a place; its address is that of the whole one, were it there.
  const roots = hosts.published.map((root): RootVector => ({ ...root, vector: root.place === -1 ? reserve(own.to - own.from) - own.from : vectors[root.place]! }));
  const first = roots.find(({ place }) => place !== -1) ?? (own.first === 0 && own.end === blocks.count ? roots[0] : undefined);
  return {
    vectors,
    merges,
    global: first ? first.vector : reserve(),
    hosts: {
      roots,
      merges: onVectors(
        hosts.merges,
        roots.map(({ vector }) => vector),
      ),
      shares,
      buckets: cutBuckets(tensors, blocks, rangeOf),
    },
  };
}

function onVectors(merges: readonly Merge[], vectors: readonly Address[]): VectorMerge[] {
  return merges.map(({ into, from }) => ({ into: vectors[into]!, from: vectors[from]! }));
}

/** Tensors of an operation stand one after the other, operations in model order; backward goes through them from the last. */
function cutBuckets(tensors: readonly ParameterTensor[], blocks: Blocks, rangeOf: (first: number, end: number) => Range): Bucket[] {
  const buckets: Bucket[] = [];
  let end = blocks.count;
  for (let block = blocks.count - 1; block >= 0; block--) {
    const { layer } = tensors[blocks.tensor[block]!]!;
    const isFirstOfLayer = block === 0 || tensors[blocks.tensor[block - 1]!]!.layer !== layer;
    const range = rangeOf(block, end);
    if (!isFirstOfLayer || (block > 0 && range.to - range.from < bucketBytes)) continue;
    buckets.push({ ...range, layer });
    end = block;
  }
  return buckets;
}

/** Bytes of the tensors that the operation of `layer` trains. They stand one after the other, also when layers were fused. */
export function operationBytes(tensors: readonly ParameterTensor[], layer: number): number {
  const own = tensors.filter((tensor) => tensor.layer === layer);
  return own.reduce((bytes, { size }) => bytes + Math.ceil((4 * size) / alignmentBytes) * alignmentBytes, 0);
}
