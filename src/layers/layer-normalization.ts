/**
 * Room: layers (level 3). LayerNormalization: every sample by its own mean and variance over `axis`, in training and outside alike.
 *
 *   y = xhat * gamma + beta,   xhat = (x - mean) / sqrt(variance + epsilon),   biased variance
 *   dx = (g - mean(g) - xhat * mean(g * xhat)) / sqrt(variance + epsilon),   g = dy * gamma
 *   dgamma = sum of dy * xhat,   dbeta = sum of dy
 *
 * Sources: Ba, Kiros and Hinton (2016); Keras' LayerNormalization for conventions.
 */
import type { LayerConfigOf } from '../config/layers.ts';
import type { Address } from '../memory/arena.ts';
import { type Shape, sizeOf } from '../memory/shape.ts';
import { checkedAxes } from './axes.ts';
import { type ChannelLayout, channelLayout } from './channels.ts';
import type { Builder, LayerDefinition, Operation, RankContext, WeightDefinition, WeightPlace } from './layer.ts';
import { bounded } from './penalties.ts';

type LayerNormalizationConfig = LayerConfigOf<'layerNormalization'>;

/** Throws LOCKSTEP_SHAPE for axes that the sample does not have. */
export function defineLayerNormalization(config: LayerNormalizationConfig, inputShape: Shape, place: string): LayerDefinition {
  const axes = checkedAxes(config.axis, inputShape, place);
  const layout = channelLayout(inputShape, axes);
  const shape = axes.map((axis) => inputShape[axis]!);
  const weights: WeightDefinition[] = [];
  if (config.scale)
    weights.push({ name: 'gamma', shape, initializer: config.gammaInitializer, role: 'summed', ...bounded(config.gammaRegularizer, config.gammaConstraint) });
  if (config.center)
    weights.push({ name: 'beta', shape, initializer: config.betaInitializer, role: 'summed', ...bounded(config.betaRegularizer, config.betaConstraint) });
  return { outputShape: inputShape, weights, inPlaceBackward: true, compile: (builder) => new LayerNormalization(config, layout, builder) };
}

class LayerNormalization implements Operation {
  readonly output: Address;
  readonly #epsilon: number;
  readonly #columns: number;
  readonly #positions: number;
  readonly #x: Address;
  /** The normalised numbers, the columns of a position side by side, and 1 / deviation of every position. */
  readonly #xhat: Address;
  readonly #invStds: Address;
  readonly #permutation: { readonly forward: Address; readonly inverse: Address; readonly x: Address; readonly gradient: Address; readonly y: Address } | undefined;
  readonly #gamma: WeightPlace | undefined;
  readonly #beta: WeightPlace | undefined;
  /** For `normalize` and `normalizeSums`, whose mean is 0 here: zeros, and ones in the place of an absent gamma. */
  readonly #zeros: Address;
  readonly #ones: Address;
  /** The sums of a shard, float64. */
  readonly #sums: Address;

  constructor(config: LayerNormalizationConfig, { channels, positions, permutation }: ChannelLayout, builder: Builder) {
    const size = sizeOf(builder.inputShape);
    this.#epsilon = config.epsilon;
    this.#columns = channels;
    this.#positions = positions;
    this.#x = builder.input;
    this.output = builder.rows(size);
    this.#xhat = builder.rows(size);
    this.#invStds = builder.rows(positions);
    this.#gamma = config.scale ? builder.weight('gamma') : undefined;
    this.#beta = config.center ? builder.weight('beta') : undefined;
    this.#zeros = builder.constants(channels, (place) => place.fill(0));
    this.#ones = builder.constants(channels, (place) => new Float32Array(place.buffer, place.byteOffset, place.length).fill(1));
    this.#sums = builder.private(16 * channels);
    this.#permutation = permutation && {
      forward: builder.constants(size, permutation.forward),
      inverse: builder.constants(size, permutation.inverse),
      x: builder.rows(size),
      gradient: builder.rows(size),
      y: builder.rows(size),
    };
  }

  forward({ kernels, batch }: RankContext): void {
    const columns = this.#columns;
    const rowSize = this.#positions * columns;
    const permutation = this.#permutation;
    if (permutation) kernels.permuteRows(this.#x, permutation.forward, permutation.x, batch.rows, rowSize);
    const rows = batch.rows * this.#positions;
    kernels.standardizeRows(permutation?.x ?? this.#x, this.#xhat, this.#invStds, rows, columns, this.#epsilon);
    const y = permutation?.y ?? this.output;
    kernels.normalize(this.#xhat, y, this.#zeros, this.#zeros, this.#gamma?.value ?? this.#ones, this.#beta?.value ?? 0, rows, columns);
    if (permutation) kernels.permuteRows(y, permutation.inverse, this.output, batch.rows, rowSize);
  }

  backward(context: RankContext, dy: Address, dx: Address): void {
    const { kernels, shards, batch } = context;
    const columns = this.#columns;
    const rowSize = this.#positions * columns;
    const permutation = this.#permutation;
    const gradient = permutation?.gradient ?? dy;
    if (permutation) kernels.permuteRows(dy, permutation.forward, gradient, batch.rows, rowSize);
    if (!context.frozen && (this.#gamma || this.#beta)) {
      for (const step of shards.steps) {
        if (step.kind === 'leaf') this.#leaf(context, step.shard, step.buffer, gradient);
        else this.#merge(context, step.buffer, step.from);
      }
    }
    if (dx === 0) return;
    const rows = batch.rows * this.#positions;
    if (this.#gamma) kernels.normalize(gradient, gradient, this.#zeros, this.#zeros, this.#gamma.value, 0, rows, columns);
    kernels.standardizeRowsBackward(gradient, this.#xhat, this.#invStds, gradient, rows, columns);
    if (permutation) kernels.permuteRows(gradient, permutation.inverse, dx, batch.rows, rowSize);
  }

  /** One shard's dgamma and dbeta, into the place of `buffer`. */
  #leaf({ kernels, batch, arena: { f32, f64 } }: RankContext, shard: number, buffer: number, gradient: Address): void {
    const columns = this.#columns;
    const first = batch.shardStart[shard]! * this.#positions;
    const rows = batch.shardStart[shard + 1]! * this.#positions - first;
    const at = 4 * first * columns;
    kernels.normalizeSums(gradient + at, this.#xhat + at, this.#zeros, this.#zeros, this.#sums, this.#sums + 8 * columns, rows, columns);
    const sums = this.#sums >>> 3;
    const dgamma = (this.#gamma?.gradients[buffer] ?? 0) >>> 2;
    const dbeta = (this.#beta?.gradients[buffer] ?? 0) >>> 2;
    for (let c = 0; c < columns; c++) {
      if (dbeta !== 0) f32[dbeta + c] = f64[sums + c]!;
      if (dgamma !== 0) f32[dgamma + c] = f64[sums + columns + c]!;
    }
  }

  #merge({ kernels }: RankContext, into: number, from: number): void {
    if (this.#gamma) kernels.add(this.#gamma.gradients[into]!, this.#gamma.gradients[from]!, this.#columns);
    if (this.#beta) kernels.add(this.#beta.gradients[into]!, this.#beta.gradients[from]!, this.#columns);
  }
}
