/**
 * Room: layers (level 3). BatchNormalization with `synchronized: false`: every shard by its own moments, as replicas that do not talk have them ("ghost
 * batches"; Hoffer, Hubara and Soudry, 2017). A shard is the same whoever computes it, so the bits do not depend on the workers; they do on `shards`.
 *
 *   training:  as in batch-normalization.ts, with mean and variance of the shard's rows
 *   commit:    moving = moving * momentum + (mean over shards with rows of their mean, or variance) * (1 - momentum), as Keras averages replicas
 *
 * The one meeting is in the backward pass: sums for dgamma, dbeta and the moving statistics.
 */
import type { LayerConfigOf } from '../config/layers.ts';
import type { Address } from '../memory/arena.ts';
import { sizeOf } from '../memory/shape.ts';
import type { ChannelLayout } from './channels.ts';
import type { Builder, ExchangeArea, Operation, RankContext, WeightPlace } from './layer.ts';
import { maskedBackward, unmaskedMoments } from './masked-statistics.ts';
import { type ChannelVectors, constantStatistics, movingVectors, reserveVectors, shareStart } from './normalization-vectors.ts';
import { Population } from './population.ts';

export class GhostBatchNormalization implements Operation {
  readonly output: Address;
  readonly #config: LayerConfigOf<'batchNormalization'>;
  readonly #channels: number;
  readonly #positions: number;
  readonly #x: Address;
  readonly #centredInput: Address;
  readonly #permutation: { readonly forward: Address; readonly inverse: Address; readonly gradient: Address; readonly output: Address } | undefined;
  readonly #gamma: WeightPlace | undefined;
  readonly #beta: WeightPlace | undefined;
  readonly #movingMean: Address;
  readonly #movingVariance: Address;
  /** Of each own shard, and for inference those of the first. */
  readonly #vectors: readonly ChannelVectors[];
  /** Of each own shard, float64: mean and m2. */
  readonly #moments: readonly Address[];
  readonly #population: Population;
  /** Of the input, see masked-statistics.ts, and room for a vector of zeros; 0 for none. */
  readonly #mask: Address;
  readonly #zeros: Address;
  /** Of each own shard: steps that count in its moments. */
  readonly #counts: Float64Array;
  /** By shard, float64: mean and m2, where those of all shards are asked for; with a mask the count between them. */
  readonly #whole: ExchangeArea;
  /** By shard, float64: sums for dbeta and dgamma, then mean and variance; with a mask 1 for a shard that has any, and an unused number. */
  readonly #sums: ExchangeArea;

  constructor(config: LayerConfigOf<'batchNormalization'>, { channels, positions, permutation }: ChannelLayout, builder: Builder) {
    const size = sizeOf(builder.inputShape);
    this.#config = config;
    this.#channels = channels;
    this.#positions = positions;
    this.#x = builder.input;
    this.output = builder.rows(size);
    this.#gamma = config.scale ? builder.weight('gamma') : undefined;
    this.#beta = config.center ? builder.weight('beta') : undefined;
    this.#movingMean = builder.weight('moving_mean').value;
    this.#movingVariance = builder.weight('moving_variance').value;
    const shards = Math.max(1, builder.shards);
    this.#vectors = Array.from({ length: shards }, () => reserveVectors(builder, channels));
    this.#moments = Array.from({ length: shards }, () => builder.private(16 * channels));
    const isMasked = builder.mask !== 0;
    this.#mask = builder.mask;
    this.#zeros = isMasked ? builder.private(4 * channels) : 0;
    this.#counts = new Float64Array(shards);
    this.#sums = builder.exchange(isMasked ? 2 * channels + 1 : 2 * channels, positions);
    this.#whole = builder.exchange(isMasked ? channels + 1 : channels, positions, isMasked);
    this.#population = new Population(builder, channels);
    this.#permutation = permutation && {
      forward: builder.constants(size, permutation.forward),
      inverse: builder.constants(size, permutation.inverse),
      gradient: builder.rows(size),
      output: builder.rows(size),
    };
    this.#centredInput = permutation ? builder.rows(size) : builder.input;
  }

  forward(context: RankContext, training: boolean): void {
    const { kernels, batch, shards } = context;
    const channels = this.#channels;
    const rowSize = this.#positions * channels;
    const permutation = this.#permutation;
    if (permutation) kernels.permuteRows(this.#x, permutation.forward, this.#centredInput, batch.rows, rowSize);
    const y = permutation ? permutation.output : this.output;
    const beta = this.#beta?.value ?? 0;
    if (!training || context.frozen) {
      const { meanHi, meanLo, scale } = this.#vectors[0]!;
      movingVectors(context.arena, this.#vectors[0]!, channels, this.#movingMean, this.#movingVariance, this.#gamma?.value ?? 0, this.#config.epsilon);
      kernels.normalize(this.#centredInput, y, meanHi, meanLo, scale, beta, batch.rows * this.#positions, channels);
    } else {
      for (let s = 0; s < shards.count; s++) {
        const first = batch.shardStart[s]! * this.#positions;
        const rows = batch.shardStart[s + 1]! * this.#positions - first;
        this.#counts[s] = 0;
        if (rows === 0) continue;
        const at = 4 * first * channels;
        const { meanHi, meanLo, scale } = this.#vectors[s]!;
        const [mean, mask] = [this.#moments[s]!, this.#mask && this.#mask + first];
        // The output has room for what is copied, as it is written later.
        this.#counts[s] = unmaskedMoments(context, mask, this.#centredInput + at, y + at, mean, mean + 8 * channels, rows, channels);
        this.#batchVectors(context, s, this.#counts[s]!);
        kernels.normalize(this.#centredInput + at, y + at, meanHi, meanLo, scale, beta, rows, channels);
      }
    }
    if (permutation) kernels.permuteRows(y, permutation.inverse, this.output, batch.rows, rowSize);
  }

  #batchVectors({ arena: { f32, f64 } }: RankContext, shard: number, count: number): void {
    const { meanHi, meanLo, scale } = this.#vectors[shard]!;
    const moments = this.#moments[shard]! >>> 3;
    const gamma = (this.#gamma?.value ?? 0) >>> 2;
    for (let c = 0; c < this.#channels; c++) {
      const mean = f64[moments + c]!;
      const invStd = 1 / Math.sqrt(f64[moments + this.#channels + c]! / Math.max(1, count) + this.#config.epsilon);
      f32[(meanHi >>> 2) + c] = mean;
      f32[(meanLo >>> 2) + c] = mean - f32[(meanHi >>> 2) + c]!;
      f32[(scale >>> 2) + c] = gamma === 0 ? invStd : f32[gamma + c]! * invStd;
    }
  }

  backward(context: RankContext, dy: Address, dx: Address): void {
    const { kernels, batch, shards } = context;
    const channels = this.#channels;
    const rowSize = this.#positions * channels;
    const permutation = this.#permutation;
    const gradient = permutation ? permutation.gradient : dy;
    if (permutation) kernels.permuteRows(dy, permutation.forward, gradient, batch.rows, rowSize);
    if (context.frozen) {
      const vectors = this.#vectors[0]!;
      constantStatistics(context.arena, vectors, channels);
      const rows = batch.rows * this.#positions;
      const { meanHi, meanLo, scale, a, b } = vectors;
      if (dx !== 0) kernels.normalizeBackward(gradient, this.#centredInput, gradient, meanHi, meanLo, scale, a, b, rows, channels);
      if (permutation && dx !== 0) kernels.permuteRows(gradient, permutation.inverse, dx, batch.rows, rowSize);
      return;
    }
    for (let s = 0; s < shards.count; s++) {
      const first = batch.shardStart[s]! * this.#positions;
      const rows = batch.shardStart[s + 1]! * this.#positions - first;
      const at = 4 * first * channels;
      const block = this.#sums.blocks + 16 * this.#sums.channels * (shards.first + s);
      const { meanHi, meanLo } = this.#vectors[s]!;
      kernels.normalizeSums(gradient + at, this.#centredInput + at, meanHi, meanLo, block, block + 8 * channels, rows, channels);
      this.#shardSums(context, s, block);
      if (dx === 0 || rows === 0) continue;
      const mask = this.#mask && this.#mask + first;
      maskedBackward(context, mask, gradient + at, this.#centredInput + at, this.#vectors[s]!, this.#zeros, rows, channels);
    }
    if (context.isLastPass) {
      context.sync.mergeSums(this.#sums);
      this.#gradients(context);
    }
    if (permutation && dx !== 0) kernels.permuteRows(gradient, permutation.inverse, dx, batch.rows, rowSize);
  }

  /** From a shard's sums of dy and of dy (x - mean) to what its dx subtracts, and to what all shards add up. */
  #shardSums({ arena: { f32, f64 } }: RankContext, shard: number, block: Address): void {
    const channels = this.#channels;
    const count = this.#counts[shard]!;
    const s1 = block >>> 3;
    const s2 = s1 + channels;
    const means = s2 + channels;
    const variances = means + channels;
    const { a, b } = this.#vectors[shard]!;
    const moments = this.#moments[shard]! >>> 3;
    for (let c = 0; c < channels; c++) {
      const variance = count === 0 ? 0 : f64[moments + channels + c]! / count;
      f64[means + c] = count === 0 ? 0 : f64[moments + c]!;
      f64[variances + c] = variance;
      if (count > 0) {
        f32[(a >>> 2) + c] = f64[s1 + c]! / count;
        f32[(b >>> 2) + c] = f64[s2 + c]! / (variance + this.#config.epsilon) / count;
      }
      f64[s2 + c] = f64[s2 + c]! / Math.sqrt(variance + this.#config.epsilon);
    }
    if (this.#mask === 0) return;
    f64[variances + channels] = count === 0 ? 0 : 1;
    f64[variances + channels + 1] = 0;
  }

  /** The global dgamma and dbeta of this rank's share of channels. */
  #gradients(context: RankContext): void {
    const { f32, f64 } = context.arena;
    const result = this.#sums.result >>> 3;
    const dgamma = (this.#gamma?.gradients[0] ?? 0) >>> 2;
    const dbeta = (this.#beta?.gradients[0] ?? 0) >>> 2;
    const from = shareStart(context, this.#channels, context.rank);
    const to = shareStart(context, this.#channels, context.rank + 1);
    for (let c = from; c < to; c++) {
      if (dbeta !== 0) f32[dbeta + c] = f64[result + c]!;
      if (dgamma !== 0) f32[dgamma + c] = f64[result + this.#channels + c]!;
    }
  }

  collect(context: RankContext, isFirst: boolean): void {
    const { batch, shards, sync } = context;
    const { f64 } = context.arena;
    const channels = this.#channels;
    const { channels: squares, blocks, result, isCounted } = this.#whole;
    for (let s = 0; s < shards.count; s++) {
      const [from, to] = [this.#moments[s]! >>> 3, (blocks >>> 3) + 2 * squares * (shards.first + s)];
      f64.fill(0, to, to + 2 * squares);
      if (this.#counts[s] === 0) continue;
      f64.copyWithin(to, from, from + channels);
      f64.copyWithin(to + squares, from + channels, from + 2 * channels);
      if (isCounted) f64[to + channels] = this.#counts[s]!;
    }
    sync.mergeMoments(this.#whole);
    const count = isCounted ? f64[(result >>> 3) + channels]! : batch.globalRows * this.#positions;
    this.#population.add(context, result, result + 8 * squares, count, isFirst);
  }

  settle(context: RankContext): void {
    this.#population.settle(context, this.#movingMean, this.#movingVariance);
  }

  commit(context: RankContext): void {
    const { f32, f64 } = context.arena;
    const channels = this.#channels;
    // No more shards have rows than there are rows.
    const some = Math.min(context.totalShards, context.batch.globalRows);
    const count = this.#mask === 0 ? some : f64[(this.#sums.result >>> 3) + 4 * channels]!;
    if (count === 0 || context.frozen) return;
    const { momentum } = this.#config;
    const means = (this.#sums.result >>> 3) + 2 * channels;
    const movingMean = this.#movingMean >>> 2;
    const movingVariance = this.#movingVariance >>> 2;
    const from = shareStart(context, channels, context.rank);
    const to = shareStart(context, channels, context.rank + 1);
    for (let c = from; c < to; c++) {
      f32[movingMean + c] = f32[movingMean + c]! * momentum + (f64[means + c]! / count) * (1 - momentum);
      f32[movingVariance + c] = f32[movingVariance + c]! * momentum + (f64[means + channels + c]! / count) * (1 - momentum);
    }
  }
}
