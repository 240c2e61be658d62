/**
 * Room: layers (level 3). One multiplier and one bias for all numbers of a sample, as Fixup puts them into residual branches; Keras has no such layer.
 *
 *   y = x multiplier + bias      dx = dy multiplier      dmultiplier = sum of dy x      dbias = sum of dy
 *
 * The sums of a shard are float64: each place of a sample over the rows in their order, then the places in theirs, rounded once.
 * Source: Zhang, Dauphin and Ma (2019), "Fixup Initialization". A multiplier that begins with 0 at the end of a branch is SkipInit (De and Smith, 2020).
 */
import type { LayerConfigOf } from '../config/layers.ts';
import type { Address } from '../memory/arena.ts';
import { type Shape, sizeOf } from '../memory/shape.ts';
import type { Builder, LayerDefinition, Operation, RankContext, WeightDefinition, WeightPlace } from './layer.ts';

export function defineScalarAffine(config: LayerConfigOf<'scalarAffine'>, inputShape: Shape): LayerDefinition {
  const weights: WeightDefinition[] = [];
  if (config.scale) weights.push({ name: 'multiplier', shape: [1], initializer: config.multiplierInitializer, role: 'summed' });
  if (config.center) weights.push({ name: 'bias', shape: [1], initializer: config.biasInitializer, role: 'summed' });
  return { outputShape: inputShape, weights, inPlaceBackward: true, compile: (builder) => new ScalarAffine(config, builder) };
}

class ScalarAffine implements Operation {
  readonly output: Address;
  readonly #size: number;
  readonly #x: Address;
  readonly #multiplier: WeightPlace | undefined;
  readonly #bias: WeightPlace | undefined;
  /** The kernels of normalisations know a scale and a shift a column: the same number everywhere, and a mean of 0. */
  readonly #scales: Address;
  readonly #shifts: Address;
  readonly #zeros: Address;
  /** The sums of a shard, float64: of dy and of dy x for each place of a sample. */
  readonly #sums: Address;

  constructor(config: LayerConfigOf<'scalarAffine'>, builder: Builder) {
    const size = sizeOf(builder.inputShape);
    this.#size = size;
    this.#x = builder.input;
    this.output = builder.rows(size);
    this.#multiplier = config.scale ? builder.weight('multiplier') : undefined;
    this.#bias = config.center ? builder.weight('bias') : undefined;
    this.#scales = builder.private(4 * size);
    this.#shifts = builder.private(4 * size);
    this.#zeros = builder.constants(size, (place) => place.fill(0));
    this.#sums = builder.private(16 * size);
  }

  forward({ kernels, batch, arena: { f32 } }: RankContext): void {
    const size = this.#size;
    const scales = this.#scales >>> 2;
    const shifts = this.#shifts >>> 2;
    const multiplier = this.#multiplier ? f32[this.#multiplier.value >>> 2]! : 1;
    const bias = this.#bias ? f32[this.#bias.value >>> 2]! : 0;
    // No call of `fill`: it would box the numbers.
    for (let i = 0; i < size; i++) {
      f32[scales + i] = multiplier;
      f32[shifts + i] = bias;
    }
    kernels.normalize(this.#x, this.output, this.#zeros, this.#zeros, this.#scales, this.#bias ? this.#shifts : 0, batch.rows, size);
  }

  backward(context: RankContext, dy: Address, dx: Address): void {
    const { kernels, shards, batch } = context;
    if (!context.frozen && (this.#multiplier || this.#bias)) {
      for (const step of shards.steps) {
        if (step.kind === 'leaf') this.#leaf(context, step.shard, step.buffer, dy);
        else this.#merge(context, step.buffer, step.from);
      }
    }
    if (dx === 0 || !this.#multiplier) return;
    kernels.normalize(dy, dx, this.#zeros, this.#zeros, this.#scales, 0, batch.rows, this.#size);
  }

  /** One shard's dmultiplier and dbias, into the place of `buffer`. */
  #leaf({ kernels, batch, arena: { f32, f64 } }: RankContext, shard: number, buffer: number, dy: Address): void {
    const size = this.#size;
    const first = batch.shardStart[shard]!;
    const rows = batch.shardStart[shard + 1]! - first;
    const at = 4 * first * size;
    kernels.normalizeSums(dy + at, this.#x + at, this.#zeros, this.#zeros, this.#sums, this.#sums + 8 * size, rows, size);
    const sums = this.#sums >>> 3;
    let ofDy = 0;
    let ofDyX = 0;
    for (let i = 0; i < size; i++) {
      ofDy += f64[sums + i]!;
      ofDyX += f64[sums + size + i]!;
    }
    if (this.#multiplier) f32[this.#multiplier.gradients[buffer]! >>> 2] = ofDyX;
    if (this.#bias) f32[this.#bias.gradients[buffer]! >>> 2] = ofDy;
  }

  #merge({ kernels }: RankContext, into: number, from: number): void {
    if (this.#multiplier) kernels.add(this.#multiplier.gradients[into]!, this.#multiplier.gradients[from]!, 1);
    if (this.#bias) kernels.add(this.#bias.gradients[into]!, this.#bias.gradients[from]!, 1);
  }
}
