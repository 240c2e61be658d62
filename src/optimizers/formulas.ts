/**
 * Room: optimizers (level 3). The formulas of the update rules: what each remembers between steps, what it computes once a step, and
 * which kernel does the arithmetic. Names, defaults and formulas are Keras 3's (keras/src/optimizers); where PyTorch's differ, it is said.
 */
import type { OptimizerConfig } from '../config/optimizers.ts';
import type { Kernels } from '../kernels/contract.ts';
import type { Address } from '../memory/arena.ts';
import { integerPower } from '../numerics/elementary.ts';
import { nadamMomentum } from './nadam-momentum.ts';

export interface Formula {
  /**
   * Names of the vectors, each as long as the parameters, that are kept between steps; safetensors names of the optimizer's state.
   * All begin as zeros, so whoever copies the state, or has none yet, needs to know nothing of them.
   */
  readonly slots: readonly string[];
  /** Once a step, before any `apply`: `update` counts the updates applied so far plus this one, from 1. What comes of it depends on `update` alone. */
  prepare(update: number): void;
  /** Updates `count` parameters at w in place; slots[i] is the address of the i-th whole slot, of which their part is `offset` bytes from its start. */
  apply(
    kernels: Kernels,
    w: Address,
    slots: readonly Address[],
    offset: number,
    g: Address,
    count: number,
    gradScale: number,
    gradLimit: number,
    learningRate: number,
  ): void;
  /** Present when the learning rate of a tensor follows from its norm and that of the step. */
  readonly trust?: Trust;
}

/** How a rule looks at a whole tensor before any of its parameters is changed. */
export interface Trust {
  /** Writes the square sum of the steps of `count` parameters at a learning rate of 1 to `out` (float64). Arguments as of `apply`. */
  squares(kernels: Kernels, slots: readonly Address[], offset: number, g: Address, count: number, gradScale: number, gradLimit: number, out: Address): void;
  /** What the learning rate of a tensor is multiplied with. */
  ratio(weightsNorm: number, stepNorm: number): number;
}

type Options<T extends OptimizerConfig['type']> = Extract<OptimizerConfig, { type: T }>;

export function formulaOf(config: OptimizerConfig): Formula {
  switch (config.type) {
    case 'sgd':
      return sgd(config);
    case 'adam':
    case 'adamw':
      return adam(config);
    case 'rmsprop':
      return rmsprop(config);
    case 'adagrad':
      return adagrad(config);
    case 'adadelta':
      return adadelta(config);
    case 'adamax':
      return adamax(config);
    case 'nadam':
      return nadam(config);
    case 'lion':
      return lion(config);
    case 'lars':
      return lars(config);
    case 'lamb':
      return lamb(config);
    default:
      return config satisfies never;
  }
}

const nothing = (): void => {};

/** v = momentum v - lr g; w += v, or w += momentum v - lr g with nesterov (Keras' SGD). */
function sgd({ momentum, nesterov }: Pick<Options<'sgd'>, 'momentum' | 'nesterov'>): Formula {
  return {
    slots: momentum === 0 ? [] : ['momentum'],
    prepare: nothing,
    apply(kernels, w, slots, offset, g, count, gradScale, gradLimit, learningRate) {
      const v = momentum === 0 ? 0 : slots[0]! + offset;
      kernels.sgd(w, v, g, count, gradScale, gradLimit, learningRate, momentum, nesterov ? 1 : 0);
    },
  };
}

/** Adam (Kingma and Ba, 2015) with bias-corrected moments; AdamW (Loshchilov and Hutter, 2019) is the same beside its weight decay. */
function adam({ beta1, beta2, epsilon }: Pick<Options<'adam'>, 'beta1' | 'beta2' | 'epsilon'>): Formula & { readonly corrections: Float64Array } {
  const corrections = new Float64Array(2);
  return {
    corrections,
    slots: ['m', 'v'],
    prepare(update) {
      corrections[0] = 1 - integerPower(beta1, update);
      corrections[1] = 1 - integerPower(beta2, update);
    },
    apply(kernels, w, slots, offset, g, count, gradScale, gradLimit, learningRate) {
      const c1 = corrections[0]!;
      const c2 = corrections[1]!;
      kernels.adam(w, slots[0]! + offset, slots[1]! + offset, g, count, gradScale, gradLimit, learningRate, beta1, beta2, c1, c2, epsilon);
    },
  };
}

/**
 * RMSprop (Tieleman and Hinton, 2012): v = rho v + (1 - rho) g^2; s = lr g / sqrt(v + epsilon); w -= s, or with momentum m = momentum m + s;
 * w -= m. Centred (Graves, 2013): a = rho a + (1 - rho) g, and v - a^2 in the place of v. PyTorch adds epsilon to the root and multiplies m by the
 * learning rate. v - a^2, which is never negative but by rounding, is then 0 here; Keras would give a NaN.
 */
function rmsprop({ rho, momentum, epsilon, centered }: Options<'rmsprop'>): Formula {
  const slots = ['velocity', ...(centered ? ['average_gradient'] : []), ...(momentum === 0 ? [] : ['momentum'])];
  const [average, inertia] = [slots.indexOf('average_gradient'), slots.indexOf('momentum')];
  return {
    slots,
    prepare: nothing,
    apply(kernels, w, places, offset, g, count, gradScale, gradLimit, learningRate) {
      const a = average === -1 ? 0 : places[average]! + offset;
      const m = inertia === -1 ? 0 : places[inertia]! + offset;
      kernels.rmsprop(w, places[0]! + offset, a, m, g, count, gradScale, gradLimit, learningRate, rho, 1 - rho, momentum, epsilon);
    },
  };
}

/**
 * Adagrad (Duchi, Hazan and Singer, 2011): a += g^2; w -= lr g / sqrt(a + epsilon), a beginning at `initialAccumulatorValue`. The slot holds
 * a without that value, which is added with epsilon: so it begins as zeros. PyTorch adds epsilon to the root and begins at 0.
 */
function adagrad({ initialAccumulatorValue, epsilon }: Options<'adagrad'>): Formula {
  return {
    slots: ['accumulator'],
    prepare: nothing,
    apply(kernels, w, slots, offset, g, count, gradScale, gradLimit, learningRate) {
      kernels.rmsprop(w, slots[0]! + offset, 0, 0, g, count, gradScale, gradLimit, learningRate, 1, 1, 0, initialAccumulatorValue + epsilon);
    },
  };
}

/**
 * Adadelta (Zeiler, 2012): a = rho a + (1 - rho) g^2; s = g sqrt(d + epsilon) / sqrt(a + epsilon); d = rho d + (1 - rho) s^2; w -= lr s.
 * PyTorch's formula is the same, with a learning rate of 1, rho 0.9 and epsilon 1e-6 by default.
 */
function adadelta({ rho, epsilon }: Options<'adadelta'>): Formula {
  return {
    slots: ['accumulated_grad', 'accumulated_delta_var'],
    prepare: nothing,
    apply(kernels, w, slots, offset, g, count, gradScale, gradLimit, learningRate) {
      kernels.adadelta(w, slots[0]! + offset, slots[1]! + offset, g, count, gradScale, gradLimit, learningRate, rho, epsilon);
    },
  };
}

/**
 * Adamax (Kingma and Ba, 2015, section 7.1): m = beta1 m + (1 - beta1) g; u = max(beta2 u, |g|); w -= lr / (1 - beta1^t) m / (u + epsilon).
 * PyTorch has max(beta2 u, |g| + epsilon) instead.
 */
function adamax({ beta1, beta2, epsilon }: Options<'adamax'>): Formula {
  const correction = new Float64Array(1);
  return {
    slots: ['m', 'u'],
    prepare(update) {
      correction[0] = 1 - integerPower(beta1, update);
    },
    apply(kernels, w, slots, offset, g, count, gradScale, gradLimit, learningRate) {
      kernels.adamax(w, slots[0]! + offset, slots[1]! + offset, g, count, gradScale, gradLimit, learningRate / correction[0]!, beta1, beta2, epsilon);
    },
  };
}

/**
 * Nadam (Dozat, 2015): Adam whose mean looks one step ahead, with a momentum that grows: mu_t = beta1 (1 - 0.5 * 0.96^t), P_t the product of
 * mu_1..mu_t; mHat = mu_(t+1) m / (1 - P_(t+1)) + (1 - mu_t) g / (1 - P_t); w -= lr mHat / (sqrt(v / (1 - beta2^t)) + epsilon).
 * PyTorch has 0.96^(0.004 t).
 */
function nadam({ beta1, beta2, epsilon }: Options<'nadam'>): Formula {
  const momentum = nadamMomentum(beta1);
  const factors = new Float64Array(3);
  return {
    slots: ['m', 'v'],
    prepare(update) {
      momentum.advance(update);
      factors[0] = momentum.next / (1 - momentum.product * momentum.next);
      factors[1] = (1 - momentum.current) / (1 - momentum.product);
      factors[2] = 1 - integerPower(beta2, update);
    },
    apply(kernels, w, slots, offset, g, count, gradScale, gradLimit, learningRate) {
      const mean = factors[0]!;
      const fresh = factors[1]!;
      kernels.nadam(w, slots[0]! + offset, slots[1]! + offset, g, count, gradScale, gradLimit, learningRate, beta1, beta2, mean, fresh, factors[2]!, epsilon);
    },
  };
}

/** Lion (Chen et al., 2023): w -= lr sign(beta1 m + (1 - beta1) g); m = beta2 m + (1 - beta2) g. Its steps are all of the same size. */
function lion({ beta1, beta2 }: Options<'lion'>): Formula {
  return {
    slots: ['momentum'],
    prepare: nothing,
    apply(kernels, w, slots, offset, g, count, gradScale, gradLimit, learningRate) {
      kernels.lion(w, slots[0]! + offset, g, count, gradScale, gradLimit, learningRate, beta1, beta2);
    },
  };
}

/**
 * LARS (You, Gitman and Ginsburg, 2017): for each tensor r = trustCoefficient |w| / |g|, or 1 when a norm is 0; v = momentum v - lr r g; w += v.
 * Keras has none. The zero norm's 1 is optax's; weight decay is decoupled as in all rules here, where the paper adds it to g.
 */
function lars({ momentum, trustCoefficient }: Options<'lars'>): Formula {
  const { slots, prepare, apply } = sgd({ momentum, nesterov: false });
  return {
    slots,
    prepare,
    apply,
    trust: {
      squares: (kernels, _slots, _offset, g, count, gradScale, gradLimit, out) => kernels.gradientSquares(g, count, gradScale, gradLimit, out),
      ratio: (weightsNorm, stepNorm) => (weightsNorm > 0 && stepNorm > 0 ? (trustCoefficient * weightsNorm) / stepNorm : 1),
    },
  };
}

/** LAMB (You et al., 2020): with s Adam's step at a learning rate of 1, for each tensor r = |w| / |s|, or 1 when a norm is 0; w -= lr r s. */
function lamb({ beta1, beta2, epsilon }: Options<'lamb'>): Formula {
  const { slots, prepare, apply, corrections } = adam({ beta1, beta2, epsilon });
  return {
    slots,
    prepare,
    apply,
    trust: {
      squares(kernels, places, offset, g, count, gradScale, gradLimit, out) {
        const c1 = corrections[0]!;
        const c2 = corrections[1]!;
        kernels.adamSquares(places[0]! + offset, places[1]! + offset, g, count, gradScale, gradLimit, beta1, beta2, c1, c2, epsilon, out);
      },
      ratio: (weightsNorm, stepNorm) => (weightsNorm > 0 && stepNorm > 0 ? weightsNorm / stepNorm : 1),
    },
  };
}
