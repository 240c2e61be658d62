/**
 * Room: optimizers (level 3). The update rule of a run: how one block of parameters follows its gradient. It joins a formula with what is
 * common to all of them. A block is small enough for the first cache, so that its decay before the formula and its average after it are
 * still one pass over memory.
 *
 *   w -= learningRate * weightDecay * w                     decoupled (Loshchilov and Hutter, 2019), as Keras' `weight_decay`
 *   the formula, with the learning rate of the schedule times the weight's factor
 *   average = emaMomentum * average + (1 - emaMomentum) * w   Keras' `use_ema`; after the first update average = w
 */
import { optimizerDefaults } from '../config/defaults.ts';
import type { OptimizerConfig } from '../config/optimizers.ts';
import type { Kernels } from '../kernels/contract.ts';
import type { Address } from '../memory/arena.ts';
import { formulaOf } from './formulas.ts';
import { type NormRule, normRule } from './norms.ts';
import { scheduleOf } from './schedules.ts';
import { rateFactors, weightDecays } from './selection.ts';

export interface UpdateRule {
  /** Of the update that was last prepared; before any, of the first. */
  readonly learningRate: number;
  /** From the next `prepare` on, rates of the schedule are multiplied by `scale` (0 < scale <= 1), but by that not made lower than `least`. */
  scaleRates(scale: number, least: number): void;
  /** By tensor: 1 for those that no update changes from here on, 0 for those that it does. */
  freeze(frozen: Uint8Array): void;
  /** Once a step, before any `apply`: `update` counts the updates applied so far plus this one, from 1. */
  prepare(update: number): void;
  /**
   * Updates `count` parameters at w, which belong to tensor `tensor`, in place. `slots` are addresses of whole vectors, of which the
   * parameters' part is `offset` bytes from the start. A tensor whose factor is 0 stays as it is.
   */
  apply(kernels: Kernels, tensor: number, w: Address, slots: readonly Address[], offset: number, g: Address, count: number, gradScale: number, gradLimit: number): void;
  /** Present when a tensor's learning rate follows from norms, for which all of its blocks must be looked at before any is changed. */
  readonly norms: NormRule | undefined;
}

/** The slot of the weights' moving average. */
const averageSlot = 'average';

/** Names of the vectors, each as long as the parameters, that are kept between steps; safetensors names of the optimizer's state. They begin as zeros. */
export function slotsOf(config: OptimizerConfig): readonly string[] {
  return [...formulaOf(config).slots, ...(config.useEma ? [averageSlot] : [])];
}

/** Which slot the weights of a trained model are taken from; -1 for the weights themselves. */
export function averageSlotOf(config: OptimizerConfig): number {
  return slotsOf(config).indexOf(averageSlot);
}

/** The rate of the next update when `updates` were applied. */
export function learningRateAfter({ learningRate }: OptimizerConfig, updates: number): number {
  return scheduleOf(learningRate)(updates);
}

/** The rule of an optimizer's config for trained tensors of these names. */
export function updateRule(config: OptimizerConfig, names: readonly string[]): UpdateRule {
  const formula = formulaOf(config);
  const schedule = scheduleOf(config.learningRate);
  const ownFactors = rateFactors(config, names);
  const factors = ownFactors.slice();
  const decays = weightDecays(config, names);
  const { emaMomentum = optimizerDefaults.emaMomentum, emaOverwriteFrequency = Number.POSITIVE_INFINITY } = config;
  /** By tensor: what its norms make of its learning rate. */
  const ratios = new Float64Array(names.length).fill(1);
  const average = averageSlotOf(config);
  /** Numbers of the update: its learning rate, and what the average keeps. */
  const now = Float64Array.of(schedule(0), 0);
  let overwrites = false;
  let [rateScale, leastRate] = [1, 0];
  /** The share of tensor `tensor` that stays when it decays. */
  const kept = (tensor: number): number => 1 - now[0]! * factors[tensor]! * decays[tensor]!;
  return {
    norms: formula.trust && normRule(formula.trust, ratios, kept),
    get learningRate() {
      return now[0]!;
    },
    scaleRates(scale, least) {
      rateScale = scale;
      leastRate = least;
    },
    freeze(frozen) {
      for (const [tensor, factor] of ownFactors.entries()) factors[tensor] = frozen[tensor] === 1 ? 0 : factor;
    },
    prepare(update) {
      const rate = schedule(update - 1);
      now[0] = rateScale === 1 ? rate : Math.min(rate, Math.max(rate * rateScale, leastRate));
      now[1] = update === 1 ? 0 : emaMomentum;
      overwrites = update % emaOverwriteFrequency === 0;
      formula.prepare(update);
    },
    apply(kernels, tensor, w, slots, offset, g, count, gradScale, gradLimit) {
      const factor = factors[tensor]!;
      if (factor !== 0) {
        const rate = now[0]! * factor;
        const decay = decays[tensor]!;
        if (decay !== 0) kernels.decay(w, count, rate * decay);
        formula.apply(kernels, w, slots, offset, g, count, gradScale, gradLimit, rate * ratios[tensor]!);
      }
      if (average === -1) return;
      kernels.movingAverage(slots[average]! + offset, w, count, now[1]!);
      // The average of the weights with nothing kept is a copy.
      if (overwrites) kernels.movingAverage(w, slots[average]! + offset, count, 0);
    },
  };
}
