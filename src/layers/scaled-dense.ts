/**
 * Room: layers (level 3). Dense over inputs that are scaled and shifted, one gamma and one beta an input:
 *
 *   y = f((gamma x + beta) W + b) = f(x W' + b'),   W'[c, u] = gamma[c] W[c, u],   b'[u] = b[u] + sum over c of beta[c] W[c, u]
 *
 * A batch normalisation hands its gamma and beta to the Dense after it when nobody needs the gradient of what it normalised
 * (model/fusion.ts): with x the normalised rows, G = x^T dz and db = sum of dz, which Dense computes anyway,
 *
 *   dgamma[c] = sum over u of W[c, u] G[c, u],   dbeta[c] = sum over u of W[c, u] db[u],   dW[c, u] = gamma[c] G[c, u] + beta[c] db[u]
 *
 * so neither dz W^T nor a sync point is needed, and all four are sums over rows that every shard makes for itself. Nothing is
 * divided: gamma may be 0. W' and b' are made anew at every forward pass, by every rank for itself.
 */
import type { LayerConfigOf } from '../config/layers.ts';
import type { Shape } from '../memory/shape.ts';
import { type CompileScaling, defineDense } from './dense.ts';
import type { Builder, LayerDefinition, WeightPlace } from './layer.ts';

/** `scale` and `center` say which of the weights `gamma` and `beta` there are; another layer declares them. */
export function defineScaledDense(
  config: LayerConfigOf<'dense'>,
  inputShape: Shape,
  { scale, center }: { readonly scale: boolean; readonly center: boolean },
): LayerDefinition {
  const inputs = inputShape.at(-1) ?? 1;
  const compileScaling: CompileScaling = (builder, kernel, bias) => {
    const gamma = scale ? builder.weight('gamma') : undefined;
    const beta = center ? builder.weight('beta') : undefined;
    const gammaValue = gamma?.value ?? constant(builder, inputs, 1);
    const betaValue = beta?.value ?? constant(builder, inputs, 0);
    const trained = [gamma, beta].filter((weight) => weight !== undefined);
    /** Where gradients go that nobody asked for. */
    const unused = gamma && beta ? 0 : builder.private(4 * inputs);
    const [foldedKernel, foldedBias] = [builder.private(4 * kernel.size), builder.private(4 * config.units)];
    return {
      kernel: foldedKernel,
      bias: foldedBias,
      biasGradient: bias ? 0 : builder.private(4 * config.units),
      fold({ kernels, batch }) {
        if (batch.rows > 0) kernels.fold(kernel.value, bias?.value ?? 0, gammaValue, betaValue, foldedKernel, foldedBias, inputs, config.units);
      },
      unfold({ kernels }, buffer, db) {
        const dgamma = gamma ? gamma.gradients[buffer]! : unused;
        const dbeta = beta ? beta.gradients[buffer]! : unused;
        kernels.unfold(kernel.value, kernel.gradients[buffer]!, db, gammaValue, betaValue, dgamma, dbeta, inputs, config.units);
      },
      merge({ kernels }, into, from) {
        for (const weight of trained) kernels.add(weight.gradients[into]!, weight.gradients[from]!, weight.size);
      },
    };
  };
  return defineDense(config, inputShape, compileScaling);
}

/** A vector of one float32 number: what stands in the place of a weight that the layer does not have. */
function constant(builder: Builder, length: number, value: number): WeightPlace['value'] {
  return builder.constants(length, (place) => new Float32Array(place.buffer, place.byteOffset, length).fill(value));
}
