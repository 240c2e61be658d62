/**
 * Room: optimizers (level 3). `optimizers.sgd({ ... })` and its siblings: plain config objects, checked when a run starts. Options and
 * defaults are those of Keras 3; the formulas, with their sources, are in formulas.ts.
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
  /** Gradients divided by the root of a moving average of their squares, `centered` by their deviation, with momentum if asked for. */
  rmsprop: (options: Options<'rmsprop'> = {}): OptimizerConfigInput => ({ type: 'rmsprop', ...options }),
  /** Gradients divided by the root of the sum of all their squares. */
  adagrad: (options: Options<'adagrad'> = {}): OptimizerConfigInput => ({ type: 'adagrad', ...options }),
  /** RMSprop whose steps have the size of its past steps. */
  adadelta: (options: Options<'adadelta'> = {}): OptimizerConfigInput => ({ type: 'adadelta', ...options }),
  /** Adam with the largest gradient in the place of the root of the mean square. */
  adamax: (options: Options<'adamax'> = {}): OptimizerConfigInput => ({ type: 'adamax', ...options }),
  /** Adam whose mean looks one step ahead, as Nesterov's momentum does. */
  nadam: (options: Options<'nadam'> = {}): OptimizerConfigInput => ({ type: 'nadam', ...options }),
  /** The sign of a moving average of the gradient: every step has the same size. */
  lion: (options: Options<'lion'> = {}): OptimizerConfigInput => ({ type: 'lion', ...options }),
  /** SGD with momentum whose steps are, tensor by tensor, in proportion to the norm of the weights; for large batches. */
  lars: (options: Options<'lars'> = {}): OptimizerConfigInput => ({ type: 'lars', ...options }),
  /** Adam whose steps are, tensor by tensor, in proportion to the norm of the weights; for large batches. */
  lamb: (options: Options<'lamb'> = {}): OptimizerConfigInput => ({ type: 'lamb', ...options }),
};
