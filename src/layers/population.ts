/**
 * Room: layers (level 3). The statistics of a whole data set for a batch normalisation, to be used after training in the place of moving averages: moments of
 * batches, merged in their order ("precise BN"; Wu and Johnson, 2021). Every rank has the same numbers and merges them for itself.
 */
import type { Address } from '../memory/arena.ts';
import { mergeMoments } from '../numerics/moments.ts';
import type { Builder, RankContext } from './layer.ts';
import { shareStart } from './normalization-vectors.ts';

export class Population {
  readonly #channels: number;
  /** float64: mean and m2 of all values so far, then those of a batch. */
  readonly #moments: Address;
  #count = 0;

  constructor(builder: Builder, channels: number) {
    this.#channels = channels;
    this.#moments = builder.private(32 * channels);
  }

  /** The moments of a batch, of `count` values a channel, come to those before; `isFirst` forgets them. */
  add({ arena: { f64 } }: RankContext, mean: Address, m2: Address, count: number, isFirst: boolean): void {
    if (isFirst) this.#count = 0;
    const channels = this.#channels;
    const [whole, own] = [this.#moments >>> 3, (this.#moments >>> 3) + 2 * channels];
    f64.copyWithin(own, mean >>> 3, (mean >>> 3) + channels);
    f64.copyWithin(own + channels, m2 >>> 3, (m2 >>> 3) + channels);
    mergeMoments(f64, whole, this.#count, own, count, channels);
    this.#count += count;
  }

  /** Writes this rank's share of channels: mean, and the biased variance, as Keras keeps it; nothing when all steps of all batches were masked. */
  settle(context: RankContext, mean: Address, variance: Address): void {
    if (this.#count === 0) return;
    const { f32, f64 } = context.arena;
    const from = this.#moments >>> 3;
    const end = shareStart(context, this.#channels, context.rank + 1);
    for (let c = shareStart(context, this.#channels, context.rank); c < end; c++) {
      f32[(mean >>> 2) + c] = f64[from + c]!;
      f32[(variance >>> 2) + c] = f64[from + this.#channels + c]! / this.#count;
    }
  }
}
