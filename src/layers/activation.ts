/**
 * Room: layers (level 3). Activation as a layer of its own, and what other layers must know to fuse one.
 */
import type { ActivationConfig } from '../config/initializers.ts';
import type { LayerConfigOf } from '../config/layers.ts';
import { resolveActivation } from '../config/resolve.ts';
import { type ActivationCode, activationCode, activationNeedsInput } from '../kernels/contract.ts';
import { type Shape, sizeOf } from '../memory/shape.ts';
import type { LayerDefinition } from './layer.ts';
import { activityPenalty } from './penalties.ts';

/** An activation as kernels take it: softmax is not elementwise, so it comes as a flag over `linear`. */
export interface ActivationParts {
  readonly code: ActivationCode;
  readonly alpha: number;
  readonly softmax: boolean;
}

export function activationParts(config: ActivationConfig): ActivationParts {
  const { type, alpha } = resolveActivation(config);
  if (type === 'softmax') return { code: activationCode.linear, alpha: 0, softmax: true };
  return { code: activationCode[type], alpha, softmax: false };
}

const codesThatNeedInput: ReadonlySet<ActivationCode> = new Set([...activationNeedsInput].map((name) => activationCode[name]));

/** True when backward reads the pre-activation, so that it needs a tensor of its own beside the output. */
export function keepsPreActivation(code: ActivationCode): boolean {
  return codesThatNeedInput.has(code);
}

/** y = f(x), elementwise; softmax over the last dimension. */
export function defineActivation(config: LayerConfigOf<'activation'>, inputShape: Shape): LayerDefinition {
  const { code, alpha, softmax } = activationParts(config.activation);
  const size = sizeOf(inputShape);
  const columns = inputShape.at(-1) ?? 1;
  const rowsPerSample = size / columns;
  return {
    outputShape: inputShape,
    weights: [],
    inPlaceBackward: true,
    ...activityPenalty(config.activityRegularizer),
    compile(builder) {
      const x = builder.input;
      const y = builder.rows(size);
      return {
        output: y,
        forward({ kernels, batch }) {
          const rows = batch.rows * rowsPerSample;
          if (softmax) kernels.softmax(x, y, rows, columns);
          else kernels.biasActivation(code, alpha, x, 0, y, rows, columns);
        },
        backward({ kernels, batch }, dy, dx) {
          const rows = batch.rows * rowsPerSample;
          if (softmax) kernels.softmaxBackward(dy, y, dx, rows, columns);
          else kernels.activationBackward(code, alpha, dy, x, y, dx, rows * columns);
        },
      };
    },
  };
}
