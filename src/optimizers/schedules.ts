/**
 * Room: optimizers (level 3). Learning rates that change with the step. Each is a pure function of how many updates were applied before
 * this one, from 0, as Keras' `iterations`: so a run that goes on, on whatever machine, has the rates of one that never stopped.
 * It promises the same bits everywhere: + - * / and our own elementary functions.
 */
import { scheduleDefaults } from '../config/defaults.ts';
import type { LearningRateConfig, ScheduleConfig } from '../config/schedules.ts';
import { cosTwoPi } from '../numerics/elementary.ts';
import { power } from '../numerics/power.ts';

/** The learning rate by the updates that were applied before. */
export type Schedule = (updates: number) => number;

type Options<T extends ScheduleConfig['type']> = Extract<ScheduleConfig, { type: T }>;

/** The schedule of a config, with its warm-up: a straight line to where the schedule then begins (Goyal et al., 2017; Keras' CosineDecay). */
export function scheduleOf(config: LearningRateConfig): Schedule {
  if (typeof config === 'number') return () => config;
  const schedule = withoutWarmup(config);
  const { warmupSteps = 0, warmupFrom = scheduleDefaults.warmupFrom } = config;
  if (warmupSteps === 0) return schedule;
  const target = schedule(0);
  return (updates) => (updates < warmupSteps ? warmupFrom + (target - warmupFrom) * (updates / warmupSteps) : schedule(updates - warmupSteps));
}

function withoutWarmup(config: ScheduleConfig): Schedule {
  switch (config.type) {
    case 'constant':
      return () => config.learningRate;
    case 'stepDecay':
      return stepDecay(config);
    case 'exponentialDecay':
      return exponentialDecay(config);
    case 'polynomialDecay':
      return polynomialDecay(config);
    case 'cosineDecay':
      return cosineDecay(config);
    case 'cosineDecayRestarts':
      return cosineDecayRestarts(config);
    case 'oneCycle':
      return oneCycle(config);
    default:
      return config satisfies never;
  }
}

/** values[i] up to and including boundaries[i], then the next (Keras' PiecewiseConstantDecay). */
function stepDecay({ boundaries, values }: Options<'stepDecay'>): Schedule {
  return (updates) => {
    let i = 0;
    while (i < boundaries.length && updates > boundaries[i]!) i++;
    return values[i]!;
  };
}

/** initialLearningRate * decayRate^(updates / decaySteps); with staircase the exponent is rounded down. */
function exponentialDecay({ initialLearningRate, decaySteps, decayRate, staircase }: Options<'exponentialDecay'>): Schedule {
  return (updates) => {
    const exponent = updates / decaySteps;
    return initialLearningRate * power(decayRate, staircase ? Math.floor(exponent) : exponent);
  };
}

/**
 * (initialLearningRate - endLearningRate) (1 - updates / decaySteps)^power + endLearningRate, and endLearningRate from decaySteps on; with cycle
 * the least multiple of decaySteps that is not below updates takes the place of decaySteps.
 */
function polynomialDecay({ initialLearningRate, decaySteps, endLearningRate, power: exponent, cycle }: Options<'polynomialDecay'>): Schedule {
  return (updates) => {
    const length = cycle ? decaySteps * Math.max(1, Math.ceil(updates / decaySteps)) : decaySteps;
    const left = 1 - Math.min(updates, length) / length;
    return (initialLearningRate - endLearningRate) * power(left, exponent) + endLearningRate;
  };
}

/** (1 + cos(pi x)) / 2, from 1 at 0 to 0 at 1. */
function halfCosine(x: number): number {
  return 0.5 * (1 + cosTwoPi(0.5 * x));
}

/** initialLearningRate ((1 - alpha) (1 + cos(pi updates / decaySteps)) / 2 + alpha) (Loshchilov and Hutter, 2017). */
function cosineDecay({ initialLearningRate, decaySteps, alpha }: Options<'cosineDecay'>): Schedule {
  return (updates) => initialLearningRate * ((1 - alpha) * halfCosine(Math.min(updates, decaySteps) / decaySteps) + alpha);
}

/**
 * Cosine decays one after the other, each `tMul` times as long and `mMul` times as high as the one before. Keras finds the period by a logarithm; here
 * periods are counted, so that the first step of one is never the last of another by rounding.
 */
function cosineDecayRestarts({ initialLearningRate, firstDecaySteps, tMul, mMul, alpha }: Options<'cosineDecayRestarts'>): Schedule {
  return (updates) => {
    let [length, restarts, within] = [firstDecaySteps, 0, updates];
    if (tMul === 1) {
      restarts = Math.floor(updates / firstDecaySteps);
      within = updates - restarts * firstDecaySteps;
    } else {
      while (within >= length) {
        within -= length;
        length *= tMul;
        restarts++;
      }
    }
    return initialLearningRate * ((1 - alpha) * power(mMul, restarts) * halfCosine(within / length) + alpha);
  };
}

/**
 * From maxLearningRate / divFactor up to maxLearningRate in the first `pctStart` of totalSteps, then down to the first rate divided by finalDivFactor,
 * which stays (Smith and Topin, 2018, in PyTorch's OneCycleLR with two phases).
 */
function oneCycle({ maxLearningRate, totalSteps, pctStart, divFactor, finalDivFactor, annealStrategy }: Options<'oneCycle'>): Schedule {
  const first = maxLearningRate / divFactor;
  const last = first / finalDivFactor;
  const top = pctStart * totalSteps - 1;
  const end = totalSteps - 1;
  const between = (from: number, to: number, x: number): number => to + (from - to) * (annealStrategy === 'cos' ? halfCosine(x) : 1 - x);
  return (updates) => {
    if (updates <= top && top > 0) return between(first, maxLearningRate, updates / top);
    return between(maxLearningRate, last, (Math.min(updates, end) - top) / (end - top));
  };
}
