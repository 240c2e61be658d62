/**
 * Room: numerics (level 1). The shard tree: the one order in which anything is summed over shards. For n shards the left
 * subtree takes the largest power of two below n, recursively. Everything here is a pure function of counts, so that bits
 * never depend on who computed what.
 */

/** The shards [start, end) of a node of the tree. */
export interface Subtree {
  readonly start: number;
  readonly end: number;
}

/** "Add what is in place `from` to what is in place `into`", places being indices into a list of subtrees. */
export interface Merge {
  readonly into: number;
  readonly from: number;
}

/** How many of n >= 2 leaves go left: the largest power of two below n. */
export function leftLeaves(n: number): number {
  return 2 ** (31 - Math.clz32(n - 1));
}

/** The largest nodes of the tree over `shards` leaves that lie inside [a, b), from left to right. */
export function maximalSubtrees(shards: number, a: number, b: number): Subtree[] {
  const found: Subtree[] = [];
  const visit = (start: number, end: number): void => {
    if (end <= a || b <= start) return;
    if (a <= start && end <= b) {
      found.push({ start, end });
      return;
    }
    const middle = start + leftLeaves(end - start);
    visit(start, middle);
    visit(middle, end);
  };
  if (a < b) visit(0, shards);
  return found;
}

/**
 * The merges that turn disjoint `nodes` of the tree over `shards` leaves into the largest nodes they cover, in an order
 * that can be run from first to last. The result of a node is in the place of its leftmost part; when the nodes cover all
 * shards, the sum ends in the place of the node that starts at 0; or, with `keep`, in place `keep` whatever that node is:
 * an addition of two finite numbers gives the same bits either way round.
 */
export function mergeProgram(shards: number, nodes: readonly Subtree[], keep = -1): Merge[] {
  const places = new Map(nodes.map((node, place) => [`${node.start}:${node.end}`, place]));
  const merges: Merge[] = [];
  const visit = (start: number, end: number): number | undefined => {
    const place = places.get(`${start}:${end}`);
    if (place !== undefined || end - start === 1) return place;
    const middle = start + leftLeaves(end - start);
    const left = visit(start, middle);
    const right = visit(middle, end);
    if (left === undefined || right === undefined) return undefined;
    const [into, from] = right === keep ? [right, left] : [left, right];
    merges.push({ into, from });
    return into;
  };
  visit(0, shards);
  return merges;
}

/** One act of summing leaves that are produced one at a time: put leaf `shard` into `buffer`, or add `from` to `buffer`. */
export type LeafStep =
  | { readonly kind: 'leaf'; readonly shard: number; readonly buffer: number }
  | { readonly kind: 'merge'; readonly buffer: number; readonly from: number };

/**
 * The order in which one owner of the given subtrees produces and sums their leaves with few buffers: buffer i < roots.length
 * ends up holding root i; buffers from there on are temporaries, at most log2 of the largest root.
 */
export function leafProgram(roots: readonly Subtree[]): { readonly steps: LeafStep[]; readonly buffers: number } {
  const steps: LeafStep[] = [];
  let buffers = roots.length;
  const visit = (start: number, end: number, buffer: number, nextTemporary: number): void => {
    if (end - start === 1) {
      steps.push({ kind: 'leaf', shard: start, buffer });
      return;
    }
    const middle = start + leftLeaves(end - start);
    visit(start, middle, buffer, nextTemporary);
    visit(middle, end, nextTemporary, nextTemporary + 1);
    steps.push({ kind: 'merge', buffer, from: nextTemporary });
    buffers = Math.max(buffers, nextTemporary + 1);
  };
  for (const [i, root] of roots.entries()) visit(root.start, root.end, i, roots.length);
  return { steps, buffers };
}
