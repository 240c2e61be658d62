/**
 * Room: optimizers (level 3). Update rules: how one block of parameters follows its gradient. The arithmetic itself is a
 * kernel; here is what a rule remembers between steps and what it computes once a step.
 */
import type { OptimizerConfig } from '../config/optimizers.ts';
import type { Kernels } from '../kernels/contract.ts';
import type { Address } from '../memory/arena.ts';
import { integerPower } from '../numerics/elementary.ts';

export interface UpdateRule {
  /** Names of the vectors, each as long as the parameters, that are kept between steps; safetensors names of the optimizer's state. */
  readonly slots: readonly string[];
  /** Once a step, before any `apply`: `update` counts the updates applied so far plus this one, from 1. */
  prepare(update: number): void;
  /** Updates `count` parameters at w in place; slots[i] is the address of the i-th slot's part for them. */
  apply(kernels: Kernels, w: Address, slots: readonly Address[], offset: number, g: Address, count: number, gradScale: number, gradLimit: number): void;
  readonly learningRate: number;
}

/** The rule of an optimizer's config. `slots` addresses given to `apply` are of whole vectors; `offset` is in bytes. */
export function updateRule(config: OptimizerConfig): UpdateRule {
  switch (config.type) {
    case 'sgd':
      return sgd(config);
    case 'adam':
      return adam(config, 0);
    case 'adamw':
      return adam(config, config.weightDecay);
    default:
      return config satisfies never;
  }
}

/** v = momentum v - lr g; w += v, or w += momentum v - lr g with nesterov (Keras' SGD). */
function sgd({ learningRate, momentum, nesterov }: Extract<OptimizerConfig, { type: 'sgd' }>): UpdateRule {
  return {
    learningRate,
    slots: momentum === 0 ? [] : ['momentum'],
    prepare: () => {},
    apply(kernels, w, slots, offset, g, count, gradScale, gradLimit) {
      const v = momentum === 0 ? 0 : slots[0]! + offset;
      kernels.sgd(w, v, g, count, gradScale, gradLimit, learningRate, momentum, nesterov ? 1 : 0);
    },
  };
}

/** Adam (Kingma and Ba, 2015) with bias-corrected moments; with decay > 0 AdamW (Loshchilov and Hutter, 2019). */
function adam({ learningRate, beta1, beta2, epsilon }: Extract<OptimizerConfig, { type: 'adam' | 'adamw' }>, decay: number): UpdateRule {
  const corrections = new Float64Array(2);
  return {
    learningRate,
    slots: ['m', 'v'],
    prepare(update) {
      corrections[0] = 1 - integerPower(beta1, update);
      corrections[1] = 1 - integerPower(beta2, update);
    },
    apply(kernels, w, slots, offset, g, count, gradScale, gradLimit) {
      kernels.adam(
        w,
        slots[0]! + offset,
        slots[1]! + offset,
        g,
        count,
        gradScale,
        gradLimit,
        learningRate,
        beta1,
        beta2,
        corrections[0]!,
        corrections[1]!,
        epsilon,
        decay,
      );
    },
  };
}
