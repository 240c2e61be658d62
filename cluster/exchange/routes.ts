/**
 * Room: cluster (level 7), exchange. Which bytes of the gradient go between which hosts, as both ends work it out from the plan.
 */

import type { Address } from '../../src/memory/arena.ts';
import type { HostGradients, Range, RootVector } from '../../src/model/gradients.ts';
import type { StreamPart } from './stream.ts';

/** Bytes of the arena. */
export interface Place {
  readonly address: Address;
  readonly bytes: number;
}

/** A host's subtree with its number among all that are published, which names it in messages. */
export type NumberedRoot = RootVector & { readonly number: number };

/** The subtrees of each of `hosts` hosts. */
export function rootsByHost({ roots }: HostGradients, hosts: number): readonly (readonly NumberedRoot[])[] {
  return Array.from({ length: hosts }, (_, host) => roots.map((root, number) => ({ ...root, number })).filter((root) => root.host === host));
}

/** The bytes that two ranges have in common; none when `from` is `to`. */
export function overlap(a: Pick<Range, 'from' | 'to'>, b: Pick<Range, 'from' | 'to'>): { readonly from: number; readonly to: number } {
  const from = Math.max(a.from, b.from);
  return { from, to: Math.max(from, Math.min(a.to, b.to)) };
}

/** What a host with these subtrees contributes to the share of host `owner`, bucket by bucket. */
export function contributionParts({ buckets, shares }: HostGradients, owner: number, roots: readonly NumberedRoot[]): StreamPart[] {
  return buckets.flatMap((bucket, i) => {
    const range = overlap(bucket, shares[owner]!);
    if (range.from === range.to) return [];
    return roots.map(({ number, vector }, r) => ({ ...range, bucket: i, root: number, vector, completes: r === roots.length - 1 }));
  });
}

/** What host `owner` sends of its share in a step. */
export function shareParts({ buckets, shares }: HostGradients, owner: number, vector: Address): StreamPart[] {
  const ranges = buckets.map((bucket) => overlap(bucket, shares[owner]!)).filter(({ from, to }) => from < to);
  return ranges.map((range, i) => ({ ...range, bucket: 0, root: 0, vector, completes: i === ranges.length - 1 }));
}
