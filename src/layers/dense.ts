/**
 * Room: layers (level 3). Dense: y = f(x W + b) for x (rows, in), W (in, units), b (units). The GEMMs run shard by shard, so
 * that a shard's bits depend on nothing but its rows and the weights; what is elementwise runs over all rows at once.
 */
import type { LayerConfigOf } from '../config/layers.ts';
import { activationCode, gemmForm } from '../kernels/contract.ts';
import type { Address } from '../memory/arena.ts';
import { type Shape, sizeOf } from '../memory/shape.ts';
import { activationParts, keepsPreActivation } from './activation.ts';
import type { Builder, LayerDefinition, Operation, RankContext, WeightDefinition, WeightPlace } from './layer.ts';
import { activityPenalty, bounded } from './penalties.ts';

/** What a Dense whose inputs are scaled and shifted does otherwise: see scaled-dense.ts. */
interface InputScaling {
  /** Where `fold` puts the kernel and the bias that the product takes in the place of the layer's own. */
  readonly kernel: Address;
  readonly bias: Address;
  /** Room for a shard's sum of dz, for a layer without a bias. */
  readonly biasGradient: Address;
  fold(context: RankContext): void;
  /** Makes a shard's gradients, of the kernel in place, from those of what was folded. */
  unfold(context: RankContext, buffer: number, biasGradient: Address): void;
  merge(context: RankContext, into: number, from: number): void;
}

/** Makes the scaling of a layer with these weights. */
export type CompileScaling = (builder: Builder, kernel: WeightPlace, bias: WeightPlace | undefined) => InputScaling;

/** Dense works on the last dimension; the dimensions before it are positions of a row. */
export function defineDense(config: LayerConfigOf<'dense'>, inputShape: Shape, compileScaling?: CompileScaling): LayerDefinition {
  const inputs = inputShape.at(-1) ?? 1;
  const { units } = config;
  const weights: WeightDefinition[] = [
    { name: 'kernel', shape: [inputs, units], initializer: config.kernelInitializer, role: 'summed', ...bounded(config.kernelRegularizer, config.kernelConstraint) },
  ];
  if (config.useBias)
    weights.push({ name: 'bias', shape: [units], initializer: config.biasInitializer, role: 'summed', ...bounded(config.biasRegularizer, config.biasConstraint) });
  return {
    outputShape: [...inputShape.slice(0, -1), units],
    weights,
    inPlaceBackward: false,
    ...activityPenalty(config.activityRegularizer),
    compile: (builder) => compileDense(config, sizeOf(inputShape.slice(0, -1)), inputs, builder, compileScaling),
  };
}

function compileDense(config: LayerConfigOf<'dense'>, positions: number, inputs: number, builder: Builder, compileScaling?: CompileScaling): Operation {
  const { units } = config;
  const { code, alpha, softmax } = activationParts(config.activation);
  const kernel = builder.weight('kernel');
  const bias = config.useBias ? builder.weight('bias') : undefined;
  const scaling = compileScaling?.(builder, kernel, bias);
  const kernelValue = scaling?.kernel ?? kernel.value;
  const biasValue = scaling?.bias ?? bias?.value ?? 0;
  const x = builder.input;
  const z = builder.rows(positions * units);
  const y = !softmax && keepsPreActivation(code) ? builder.rows(positions * units) : z;

  /** Rows of the (rows x positions) matrix where an own shard begins. */
  const rowOf = (context: RankContext, shard: number): number => context.batch.shardStart[shard]! * positions;

  /** One shard's dW = x^T dz and db = sum of dz, into the place of `buffer`. */
  function leaf(context: RankContext, shard: number, buffer: number, dy: Address): void {
    const first = rowOf(context, shard);
    const rows = rowOf(context, shard + 1) - first;
    const db = bias ? bias.gradients[buffer]! : (scaling?.biasGradient ?? 0);
    context.kernels.gemm(gemmForm.TN, inputs, units, rows, x + 4 * first * inputs, dy + 4 * first * units, kernel.gradients[buffer]!);
    if (db !== 0) context.kernels.columnSums(dy + 4 * first * units, db, rows, units);
    scaling?.unfold(context, buffer, db);
  }

  function merge(context: RankContext, into: number, from: number): void {
    context.kernels.add(kernel.gradients[into]!, kernel.gradients[from]!, kernel.size);
    if (bias) context.kernels.add(bias.gradients[into]!, bias.gradients[from]!, bias.size);
    scaling?.merge(context, into, from);
  }

  return {
    output: y,
    forward(context) {
      const { kernels, shards, batch } = context;
      scaling?.fold(context);
      for (let s = 0; s < shards.count; s++) {
        const first = rowOf(context, s);
        const rows = rowOf(context, s + 1) - first;
        if (rows > 0) kernels.gemm(gemmForm.NN, rows, units, inputs, x + 4 * first * inputs, kernelValue, z + 4 * first * units);
      }
      const rows = batch.rows * positions;
      kernels.biasActivation(code, alpha, z, biasValue, y, rows, units);
      if (softmax) kernels.softmax(y, y, rows, units);
    },
    backward(context, dy, dx) {
      const { kernels, shards, batch } = context;
      const rows = batch.rows * positions;
      if (softmax) kernels.softmaxBackward(dy, y, dy, rows, units);
      else if (code !== activationCode.linear) kernels.activationBackward(code, alpha, dy, z, y, dy, rows * units);
      if (!context.frozen) {
        for (const step of shards.steps) {
          if (step.kind === 'leaf') leaf(context, step.shard, step.buffer, dy);
          else merge(context, step.buffer, step.from);
        }
      }
      if (dx === 0) return;
      for (let s = 0; s < shards.count; s++) {
        const first = rowOf(context, s);
        const shardRows = rowOf(context, s + 1) - first;
        if (shardRows > 0) kernels.gemm(gemmForm.NT, shardRows, inputs, units, dy + 4 * first * units, kernelValue, dx + 4 * first * inputs);
      }
    },
  };
}
