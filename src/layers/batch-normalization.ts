/**
 * Room: layers (level 3). BatchNormalization over all shards of the global batch, wherever they are computed.
 *
 *   training:   mean, variance = moments of x over the global batch (biased), per channel
 *   inference:  mean, variance = moving_mean, moving_variance
 *   y  = ((x - meanHi) - meanLo) * (gamma * invStd) + beta,   invStd = 1 / sqrt(variance + epsilon), mean = meanHi + meanLo
 *   commit:     moving = moving * momentum + batch * (1 - momentum)
 *
 * The mean is a pair of float32 and is subtracted before anything is multiplied, so that a mean of 1000 with a spread of
 * 0.01 survives. Sources: Ioffe and Szegedy (2015); Keras' BatchNormalization for conventions.
 */
import type { LayerConfigOf } from '../config/layers.ts';
import type { Address, Arena } from '../memory/arena.ts';
import { type Shape, sizeOf } from '../memory/shape.ts';
import { checkedAxes } from './axes.ts';
import { type ChannelLayout, channelLayout } from './channels.ts';
import { GhostBatchNormalization } from './ghost-batch-normalization.ts';
import type { Builder, ExchangeArea, LayerDefinition, Operation, RankContext, WeightDefinition, WeightPlace } from './layer.ts';
import { checkMaskedAxis, maskedBackward, unmaskedMoments } from './masked-statistics.ts';
import { type ChannelVectors, constantStatistics, movingVectors, reserveVectors, shareStart } from './normalization-vectors.ts';
import { bounded } from './penalties.ts';
import { Population } from './population.ts';

export function defineBatchNormalization(config: BatchNormalizationConfig, inputShape: Shape, place: string, isMasked = false): LayerDefinition {
  if (isMasked) checkMaskedAxis(config.axis, inputShape, place);
  const layout = normalizationLayout(config, inputShape, place);
  const shape = [layout.channels];
  const weights: WeightDefinition[] = [];
  if (config.scale)
    weights.push({ name: 'gamma', shape, initializer: config.gammaInitializer, role: 'synced', ...bounded(config.gammaRegularizer, config.gammaConstraint) });
  if (config.center)
    weights.push({ name: 'beta', shape, initializer: config.betaInitializer, role: 'synced', ...bounded(config.betaRegularizer, config.betaConstraint) });
  weights.push({ name: 'moving_mean', shape, initializer: config.movingMeanInitializer, role: 'state' });
  weights.push({ name: 'moving_variance', shape, initializer: config.movingVarianceInitializer, role: 'state' });
  return {
    outputShape: inputShape,
    weights,
    needsWholeBatch: config.synchronized && config.trainable !== false,
    inPlaceBackward: true,
    compile: (builder) => (config.synchronized ? new BatchNormalization(config, layout, builder) : new GhostBatchNormalization(config, layout, builder)),
  };
}

/** Which numbers of a sample share statistics. Throws LOCKSTEP_SHAPE for axes that the sample does not have. */
export function normalizationLayout({ axis }: BatchNormalizationConfig, inputShape: Shape, place: string): ChannelLayout {
  return channelLayout(inputShape, checkedAxes(axis, inputShape, place));
}

type BatchNormalizationConfig = LayerConfigOf<'batchNormalization'>;

class BatchNormalization implements Operation {
  readonly output: Address;
  readonly #config: BatchNormalizationConfig;
  readonly #channels: number;
  readonly #positions: number;
  readonly #x: Address;
  /** x with channels last: x itself, or a permuted copy when the channels are not the last dimensions. */
  readonly #centredInput: Address;
  readonly #permutation: { readonly forward: Address; readonly inverse: Address; readonly gradient: Address; readonly output: Address } | undefined;
  readonly #gamma: WeightPlace | undefined;
  readonly #beta: WeightPlace | undefined;
  readonly #movingMean: Address;
  readonly #movingVariance: Address;
  /** Of the input, see masked-statistics.ts, and room for a vector of zeros; 0 for none. */
  readonly #mask: Address;
  readonly #zeros: Address;
  readonly #moments: ExchangeArea;
  /** Float64 numbers from means to m2: the count of unmasked steps may stand between. */
  readonly #squares: number;
  readonly #sums: ExchangeArea;
  readonly #vectors: ChannelVectors;
  readonly #population: Population;

  constructor(config: BatchNormalizationConfig, layout: ChannelLayout, builder: Builder) {
    const { channels, positions } = layout;
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
    this.#mask = builder.mask;
    this.#zeros = builder.mask === 0 ? 0 : builder.private(4 * channels);
    this.#squares = builder.mask === 0 ? channels : channels + 1;
    this.#moments = builder.exchange(this.#squares, positions, builder.mask !== 0);
    this.#sums = builder.exchange(channels, positions);
    this.#vectors = reserveVectors(builder, channels);
    this.#population = new Population(builder, channels);
    this.#permutation = layout.permutation && {
      forward: builder.constants(size, layout.permutation.forward),
      inverse: builder.constants(size, layout.permutation.inverse),
      gradient: builder.rows(size),
      output: builder.rows(size),
    };
    this.#centredInput = layout.permutation ? builder.rows(size) : builder.input;
  }

  forward(context: RankContext, training: boolean): void {
    const { kernels, batch } = context;
    const rowSize = this.#positions * this.#channels;
    const permutation = this.#permutation;
    if (permutation) kernels.permuteRows(this.#x, permutation.forward, this.#centredInput, batch.rows, rowSize);
    if (training && !context.frozen) this.#batchStatistics(context);
    else this.#movingStatistics(context.arena);
    const y = permutation ? permutation.output : this.output;
    const rows = batch.rows * this.#positions;
    kernels.normalize(this.#centredInput, y, this.#vectors.meanHi, this.#vectors.meanLo, this.#vectors.scale, this.#beta?.value ?? 0, rows, this.#channels);
    if (permutation) kernels.permuteRows(y, permutation.inverse, this.output, batch.rows, rowSize);
  }

  /** Every shard's (mean, m2), merged along the tree, become the vectors that normalise. */
  #batchStatistics(context: RankContext): void {
    const { shards, batch, arena } = context;
    const channels = this.#channels;
    for (let s = 0; s < shards.count; s++) {
      const first = batch.shardStart[s]! * this.#positions;
      const rows = batch.shardStart[s + 1]! * this.#positions - first;
      const mean = this.#moments.blocks + 16 * this.#squares * (shards.first + s);
      const m2 = mean + 8 * this.#squares;
      const at = 4 * first * channels;
      // The output has room for what is copied, as it is written later.
      const counted = unmaskedMoments(context, this.#mask && this.#mask + first, this.#centredInput + at, this.output + at, mean, m2, rows, channels);
      if (this.#mask !== 0) arena.f64[(m2 >>> 3) - 1] = counted;
    }
    context.sync.mergeMoments(this.#moments);
    const count = Math.max(1, this.#count(context));
    const mean = this.#moments.result >>> 3;
    const m2 = mean + this.#squares;
    const { f32, f64 } = arena;
    const hi = this.#vectors.meanHi >>> 2;
    const lo = this.#vectors.meanLo >>> 2;
    const scale = this.#vectors.scale >>> 2;
    const gamma = (this.#gamma?.value ?? 0) >>> 2;
    for (let c = 0; c < channels; c++) {
      const invStd = 1 / Math.sqrt(f64[m2 + c]! / count + this.#config.epsilon);
      f32[hi + c] = f64[mean + c]!;
      f32[lo + c] = f64[mean + c]! - f32[hi + c]!;
      f32[scale + c] = gamma === 0 ? invStd : f32[gamma + c]! * invStd;
    }
  }

  /** Of steps that count in the statistics of the global batch; m2 is 0 when there are none. */
  #count({ arena: { f64 }, batch }: RankContext): number {
    return this.#mask === 0 ? batch.globalRows * this.#positions : f64[(this.#moments.result >>> 3) + this.#channels]!;
  }

  #movingStatistics(arena: Arena): void {
    movingVectors(arena, this.#vectors, this.#channels, this.#movingMean, this.#movingVariance, this.#gamma?.value ?? 0, this.#config.epsilon);
  }

  /**
   * S1 = sum dy, S2 = sum dy * (x - mean), over the global batch of N;
   * dbeta = S1; dgamma = S2 * invStd; dx = gamma * invStd * (dy - S1/N - (x - mean) * (S2 * invStd^2 / N)).
   */
  backward(context: RankContext, dy: Address, dx: Address): void {
    const { kernels, shards, batch } = context;
    const channels = this.#channels;
    const rowSize = this.#positions * channels;
    const permutation = this.#permutation;
    const gradient = permutation ? permutation.gradient : dy;
    if (permutation) kernels.permuteRows(dy, permutation.forward, gradient, batch.rows, rowSize);
    if (context.frozen) {
      // Moving statistics do not depend on the rows: dx = gamma * invStd * dy.
      constantStatistics(context.arena, this.#vectors, channels);
    } else {
      for (let s = 0; s < shards.count; s++) {
        const first = batch.shardStart[s]! * this.#positions;
        const rows = batch.shardStart[s + 1]! * this.#positions - first;
        const block = this.#sums.blocks + 16 * channels * (shards.first + s);
        const at = 4 * first * channels;
        kernels.normalizeSums(gradient + at, this.#centredInput + at, this.#vectors.meanHi, this.#vectors.meanLo, block, block + 8 * channels, rows, channels);
      }
      context.sync.mergeSums(this.#sums);
      this.#gradients(context);
    }
    if (dx === 0) return;
    maskedBackward(context, this.#mask, gradient, this.#centredInput, this.#vectors, this.#zeros, batch.rows * this.#positions, channels);
    if (permutation) kernels.permuteRows(gradient, permutation.inverse, dx, batch.rows, rowSize);
  }

  /** The global dgamma and dbeta of this rank's share of channels, and for all channels the means that dx subtracts. */
  #gradients(context: RankContext): void {
    const { f32, f64 } = context.arena;
    const channels = this.#channels;
    const count = Math.max(1, this.#count(context));
    const s1 = this.#sums.result >>> 3;
    const m2 = (this.#moments.result >>> 3) + this.#squares;
    const s2 = s1 + channels;
    const a = this.#vectors.a >>> 2;
    const b = this.#vectors.b >>> 2;
    const dgamma = (this.#gamma?.gradients[0] ?? 0) >>> 2;
    const dbeta = (this.#beta?.gradients[0] ?? 0) >>> 2;
    const from = shareStart(context, channels, context.rank);
    const to = shareStart(context, channels, context.rank + 1);
    for (let c = 0; c < channels; c++) {
      const variance = f64[m2 + c]! / count + this.#config.epsilon;
      f32[a + c] = f64[s1 + c]! / count;
      f32[b + c] = f64[s2 + c]! / variance / count;
      if (c < from || c >= to) continue;
      if (dbeta !== 0) f32[dbeta + c] = f64[s1 + c]!;
      if (dgamma !== 0) f32[dgamma + c] = f64[s2 + c]! / Math.sqrt(variance);
    }
  }

  collect(context: RankContext, isFirst: boolean): void {
    const { result } = this.#moments;
    this.#population.add(context, result, result + 8 * this.#squares, this.#count(context), isFirst);
  }

  settle(context: RankContext): void {
    this.#population.settle(context, this.#movingMean, this.#movingVariance);
  }

  /** Root mean square over channels of (batch mean - moving mean) / sqrt(moving variance + epsilon); NaN without a mean. */
  drift(context: RankContext): number {
    const { f32, f64 } = context.arena;
    if (this.#count(context) === 0) return Number.NaN;
    const mean = this.#moments.result >>> 3;
    const movingMean = this.#movingMean >>> 2;
    const movingVariance = this.#movingVariance >>> 2;
    let sum = 0;
    for (let c = 0; c < this.#channels; c++) {
      const distance = f64[mean + c]! - f32[movingMean + c]!;
      sum += (distance * distance) / (f32[movingVariance + c]! + this.#config.epsilon);
    }
    return Math.sqrt(sum / this.#channels);
  }

  /** Keras: moving = moving * momentum + batch * (1 - momentum), biased variance; untouched when the batch was empty, or masked as a whole. */
  commit(context: RankContext): void {
    const { f32, f64 } = context.arena;
    const channels = this.#channels;
    const count = this.#count(context);
    if (count === 0 || context.frozen) return;
    const { momentum } = this.#config;
    const mean = this.#moments.result >>> 3;
    const movingMean = this.#movingMean >>> 2;
    const movingVariance = this.#movingVariance >>> 2;
    const from = shareStart(context, channels, context.rank);
    const to = shareStart(context, channels, context.rank + 1);
    for (let c = from; c < to; c++) {
      f32[movingMean + c] = f32[movingMean + c]! * momentum + f64[mean + c]! * (1 - momentum);
      f32[movingVariance + c] = f32[movingVariance + c]! * momentum + (f64[mean + this.#squares + c]! / count) * (1 - momentum);
    }
  }
}
