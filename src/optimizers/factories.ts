/**
 * Room: optimizers (level 3). `optimizers.sgd({ ... })` and its siblings: plain config objects, checked when a run starts.
 */
import type { OptimizerConfigInput } from '../config/optimizers.ts';

type Options<T extends OptimizerConfigInput['type']> = Omit<Extract<OptimizerConfigInput, { type: T }>, 'type'>;

export const optimizers = {
  /** Stochastic gradient descent, with momentum if asked for. */
  sgd: (options: Options<'sgd'> = {}): OptimizerConfigInput => ({ type: 'sgd', ...options }),
  /** Adam with bias-corrected moments. */
  adam: (options: Options<'adam'> = {}): OptimizerConfigInput => ({ type: 'adam', ...options }),
  /** Adam with decoupled weight decay. */
  adamw: (options: Options<'adamw'> = {}): OptimizerConfigInput => ({ type: 'adamw', ...options }),
};
