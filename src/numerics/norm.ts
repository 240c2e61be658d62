/**
 * Room: numerics (level 1). The canonical norm: the square sum of each fixed block of 4,096 gradient elements in float64, the
 * blocks added in index order, one square root. Blocks start anew at every tensor, so the same blocks give the norm of one
 * tensor and of all; which rank computed a block changes nothing.
 */

/** Elements of a block. */
export const blockLength = 4096;

/** Fixed pieces of a list of tensors, in order. All arrays have one entry a block. */
export interface Blocks {
  readonly count: number;
  /** The tensor a block belongs to, its first element within that tensor, and how many it has. */
  readonly tensor: Int32Array;
  readonly start: Int32Array;
  readonly length: Int32Array;
}

/** Cuts tensors of the given sizes (elements) into blocks. */
export function cutBlocks(sizes: readonly number[]): Blocks {
  const pieces = sizes.flatMap((size, tensor) =>
    Array.from({ length: Math.ceil(size / blockLength) }, (_, i) => ({
      tensor,
      start: i * blockLength,
      length: Math.min(blockLength, size - i * blockLength),
    })),
  );
  return {
    count: pieces.length,
    tensor: Int32Array.from(pieces, (piece) => piece.tensor),
    start: Int32Array.from(pieces, (piece) => piece.start),
    length: Int32Array.from(pieces, (piece) => piece.length),
  };
}

/**
 * The blocks [from, to) of one of `ranks` equal shares of the blocks [first, end), by elements rather than by number of blocks:
 * boundaries fall on the start of a block that is nearest to the share's, counted over all elements.
 */
export function blockShare(blocks: Blocks, rank: number, ranks: number, first = 0, end = blocks.count): readonly [from: number, to: number] {
  let total = 0;
  for (let block = first; block < end; block++) total += blocks.length[block]!;
  const boundary = (share: number): number => {
    const target = (total * share) / ranks;
    let before = 0;
    let block = first;
    while (block < end && before + blocks.length[block]! / 2 <= target) before += blocks.length[block++]!;
    return share === 0 ? first : share === ranks ? end : block;
  };
  return [boundary(rank), boundary(rank + 1)];
}
