/**
 * Room: optimizers (level 3). The momentum schedule of Nadam, whose product over all updates so far is part of every step. It is no state
 * of the run: it is multiplied up from the first update again, in the same order, wherever a run goes on, so that the bits are the same.
 */
import { integerPower } from '../numerics/elementary.ts';

export interface NadamMomentum {
  /** mu_t, mu_(t+1), and mu_1 ... mu_t, of the update t that was last advanced to. */
  readonly current: number;
  readonly next: number;
  readonly product: number;
  advance(update: number): void;
}

/** mu_t = beta1 (1 - 0.5 * 0.96^t), t from 1. */
export function nadamMomentum(beta1: number): NadamMomentum {
  const mu = (update: number): number => beta1 * (1 - 0.5 * integerPower(0.96, update));
  let [reached, product] = [0, 1];
  const momentum = { current: 0, next: 0, product: 1 };
  return Object.assign(momentum, {
    advance(update: number): void {
      if (update < reached) [reached, product] = [0, 1];
      // Once it is 0 it stays so.
      while (reached < update && product !== 0) product *= mu(++reached);
      reached = update;
      momentum.current = mu(update);
      momentum.next = mu(update + 1);
      momentum.product = product;
    },
  });
}
