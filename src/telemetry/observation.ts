/**
 * Room: telemetry (level 2). How often statistics were merged, and what ranks note of a step that is looked at closely, about once a second while somebody watches: in arena
 * slots, the step last, so that whoever sees the step sees the rest. A reader that is overtaken reads numbers of two steps, both true.
 */
import type { Address, Arena } from '../memory/arena.ts';
import type { MemoryPlan } from '../memory/plan.ts';
import { gradientCounters } from './gradient-histogram.ts';

/** All float64: merges of statistics so far; the step; two square sums a rank (update, weights before it); a gradient norm and a drift a layer (NaN: none). */
export interface ObservationPlan {
  readonly address: Address;
  readonly ranks: number;
  readonly layers: number;
  /** `gradientCounters` float64 counters a layer; 0 when nobody wants them. */
  readonly counts: Address;
}

export function reserveObservation(plan: MemoryPlan, ranks: number, layers: number, counts: boolean): ObservationPlan {
  const address = plan.reserve('control', 8 * (2 + 2 * ranks + 2 * layers));
  return { address, ranks, layers, counts: counts ? plan.reserve('control', 8 * gradientCounters * layers) : 0 };
}

/** Indices into `arena.f64`. */
export function observationIndex({ address, ranks, layers }: ObservationPlan) {
  const syncs = address >>> 3;
  const step = syncs + 1;
  const squares = step + 1;
  const norms = squares + 2 * ranks;
  return { syncs, step, squares, norms, drifts: norms + layers };
}

/** Merges of layers' statistics since the plan began. */
export function readSyncs({ f64 }: Arena, plan: ObservationPlan): number {
  return f64[observationIndex(plan).syncs]!;
}

/** What was seen in some recent step, layers by index; undefined before the first. */
export interface Observation {
  readonly step: number;
  /** Norm of the update over the norm of the weights before it. */
  readonly updateRatio: number;
  readonly gradientNorms: readonly number[];
  readonly drifts: readonly number[];
}

export function readObservation({ f64 }: Arena, plan: ObservationPlan): Observation | undefined {
  const at = observationIndex(plan);
  const step = f64[at.step]!;
  if (step === 0) return undefined;
  let [update, weights] = [0, 0];
  for (let rank = 0; rank < plan.ranks; rank++) {
    update += f64[at.squares + 2 * rank]!;
    weights += f64[at.squares + 2 * rank + 1]!;
  }
  return {
    step,
    updateRatio: weights > 0 ? Math.sqrt(update / weights) : Number.NaN,
    gradientNorms: [...f64.subarray(at.norms, at.norms + plan.layers)],
    drifts: [...f64.subarray(at.drifts, at.drifts + plan.layers)],
  };
}
