/**
 * Room: tests of optimizers. Every learning rate schedule against its formula in float64 with the engine's own functions, over all of its
 * range, and what a warm-up in front of it makes of it.
 */
import test from 'ava';
import type { OptimizerConfigInput } from '../../src/config/optimizers.ts';
import { parseOptimizer } from '../../src/config/parse.ts';
import { learningRateAfter } from '../../src/optimizers/rule.ts';
import { type Schedule, scheduleOf } from '../../src/optimizers/schedules.ts';
import { problems } from '../config/problems.ts';

type ScheduleInput = Exclude<NonNullable<OptimizerConfigInput['learningRate']>, number>;

const parsed = (learningRate: ScheduleInput): Schedule => scheduleOf(parseOptimizer({ type: 'sgd', learningRate }).learningRate);
const { PI, cos, floor, ceil, min, max } = Math;

const recipes: readonly { readonly config: ScheduleInput; readonly formula: (step: number) => number }[] = [
  { config: { type: 'constant', learningRate: 0.3 }, formula: () => 0.3 },
  { config: { type: 'stepDecay', boundaries: [10, 25], values: [1, 0.5, 0.1] }, formula: (step) => (step <= 10 ? 1 : step <= 25 ? 0.5 : 0.1) },
  { config: { type: 'exponentialDecay', initialLearningRate: 0.1, decaySteps: 7, decayRate: 0.96 }, formula: (step) => 0.1 * 0.96 ** (step / 7) },
  {
    config: { type: 'exponentialDecay', initialLearningRate: 0.1, decaySteps: 7, decayRate: 0.5, staircase: true },
    formula: (step) => 0.1 * 0.5 ** floor(step / 7),
  },
  { config: { type: 'polynomialDecay', initialLearningRate: 0.1, decaySteps: 40 }, formula: (step) => (0.1 - 0.0001) * (1 - min(step, 40) / 40) + 0.0001 },
  {
    config: { type: 'polynomialDecay', initialLearningRate: 0.1, decaySteps: 40, endLearningRate: 0.01, power: 0.5 },
    formula: (step) => 0.09 * (1 - min(step, 40) / 40) ** 0.5 + 0.01,
  },
  {
    config: { type: 'polynomialDecay', initialLearningRate: 0.1, decaySteps: 20, endLearningRate: 0, power: 2, cycle: true },
    formula: (step) => 0.1 * (1 - step / (20 * max(1, ceil(step / 20)))) ** 2,
  },
  { config: { type: 'cosineDecay', initialLearningRate: 0.1, decaySteps: 33 }, formula: (step) => 0.05 * (1 + cos((PI * min(step, 33)) / 33)) },
  {
    config: { type: 'cosineDecay', initialLearningRate: 0.1, decaySteps: 33, alpha: 0.2 },
    formula: (step) => 0.1 * (0.8 * 0.5 * (1 + cos((PI * min(step, 33)) / 33)) + 0.2),
  },
  {
    // Periods begin at 0, 10, 30 and 70.
    config: { type: 'cosineDecayRestarts', initialLearningRate: 0.1, firstDecaySteps: 10, mMul: 0.5, alpha: 0.1 },
    formula(step) {
      const [i, from] = step < 10 ? [0, 0] : step < 30 ? [1, 10] : step < 70 ? [2, 30] : [3, 70];
      return 0.1 * (0.9 * 0.5 * 0.5 ** i * (1 + cos((PI * (step - from)) / (10 * 2 ** i))) + 0.1);
    },
  },
  {
    config: { type: 'cosineDecayRestarts', initialLearningRate: 0.1, firstDecaySteps: 10, tMul: 1, mMul: 0.9 },
    formula: (step) => 0.05 * 0.9 ** floor(step / 10) * (1 + cos((PI * (step % 10)) / 10)),
  },
  {
    config: { type: 'oneCycle', maxLearningRate: 1, totalSteps: 50 },
    formula(step) {
      // 0.3 * 50 - 1 = 14 steps up, to step 49 down.
      if (step <= 14) return 1 + ((0.04 - 1) / 2) * (1 + cos((PI * step) / 14));
      return 4e-6 + ((1 - 4e-6) / 2) * (1 + cos((PI * (min(step, 49) - 14)) / 35));
    },
  },
  {
    config: { type: 'oneCycle', maxLearningRate: 1, totalSteps: 50, pctStart: 0.5, divFactor: 10, finalDivFactor: 100, annealStrategy: 'linear' },
    formula: (step) => (step <= 24 ? 0.1 + (0.9 * step) / 24 : 1 - (0.999 * (min(step, 49) - 24)) / 25),
  },
];

for (const { config, formula } of recipes) {
  test(`${JSON.stringify(config)} follows its formula`, (t) => {
    const schedule = parsed(config);
    for (let step = 0; step < 100; step++) {
      const expected = formula(step);
      t.true(Math.abs(schedule(step) - expected) <= 1e-14, `step ${step}: ${schedule(step)}, expected ${expected}`);
    }
  });

  test(`${JSON.stringify(config)} comes after a warm-up`, (t) => {
    const schedule = parsed(config);
    const warmed = parsed({ ...config, warmupSteps: 8, warmupFrom: 0.02 });
    for (let step = 0; step < 8; step++) t.true(Math.abs(warmed(step) - (0.02 + ((formula(0) - 0.02) * step) / 8)) <= 1e-15);
    for (let step = 8; step < 100; step++) t.is(warmed(step), schedule(step - 8));
    t.is(parsed({ ...config, warmupSteps: 3 })(0), 0);
  });
}

test('a learning rate is a number or a schedule, and counts the updates before', (t) => {
  t.is(learningRateAfter(parseOptimizer({ type: 'adam', learningRate: 0.25 }), 17), 0.25);
  t.is(learningRateAfter(parseOptimizer({ type: 'adam' }), 0), 0.001);
  t.is(learningRateAfter(parseOptimizer({ type: 'adam', learningRate: { type: 'stepDecay', boundaries: [1], values: [2, 3] } }), 2), 3);
});

test('schedules that cannot be are told', (t) => {
  const told = (learningRate: unknown): string[] => problems(() => parseOptimizer({ type: 'sgd', learningRate }));
  const either = 'a number >= 0, or a schedule like { type: "cosineDecay", initialLearningRate: 0.1, decaySteps: 1000 }';
  t.deepEqual(told('fast'), [`Expected \`optimizer.learningRate\` to be ${either}, got \`"fast"\`.`]);
  t.deepEqual(told({ type: 'cosine' }), [
    'Expected `optimizer.learningRate.type` to be a learning rate schedule (constant, stepDecay, exponentialDecay, polynomialDecay, cosineDecay, cosineDecayRestarts, oneCycle), got `"cosine"`.',
  ]);
  t.deepEqual(told({ type: 'cosineDecay', initialLearningRate: 0.1, decaySteps: 0 }), ['Expected `optimizer.learningRate.decaySteps` to be an integer >= 1, got `0`.']);
  t.deepEqual(told({ type: 'stepDecay', boundaries: [3, 3], values: [1, 2] }), [
    'Expected `optimizer.learningRate.boundaries` to be a list of growing integers, got `[3,3]`.',
    'Expected `optimizer.learningRate.values` to be a list of 3 numbers, one more than `boundaries` has, got `[1,2]`.',
  ]);
  t.deepEqual(told({ type: 'constant', learningRate: 1, warmupFrom: 0.1 }), [
    'Expected `optimizer.learningRate.warmupFrom` to be absent without `warmupSteps`, got `0.1`.',
  ]);
});
