/**
 * Room: config (level 1). Learning rates that change with the step: names and options are those of Keras' schedules, one cycle's
 * those of PyTorch's. The formulas are in `src/optimizers/schedules.ts`.
 */
import { z } from 'zod';
import { scheduleDefaults as d } from './defaults.ts';
import { atLeastOne, choice, field, flag, fraction, integer, listOf, nonNegative, positive, type Report, record, variantError } from './rules.ts';

/** In front of any schedule: `warmupSteps` updates in which the rate grows linearly from `warmupFrom` to what the schedule begins with. */
const warmup = { warmupSteps: integer(1).optional(), warmupFrom: nonNegative.optional() };
const decaySteps = integer(1);
const initialLearningRate = nonNegative;

const types = ['constant', 'stepDecay', 'exponentialDecay', 'polynomialDecay', 'cosineDecay', 'cosineDecayRestarts', 'oneCycle'] as const;
const words = 'a number >= 0, or a schedule like { type: "cosineDecay", initialLearningRate: 0.1, decaySteps: 1000 }';
const schedules = z.discriminatedUnion(
  'type',
  [
    record(words, { type: z.literal('constant'), learningRate: nonNegative, ...warmup }),
    record(words, { type: z.literal('stepDecay'), boundaries: listOf('boundary', integer(0)), values: listOf('value', nonNegative), ...warmup }),
    record(words, {
      type: z.literal('exponentialDecay'),
      initialLearningRate,
      decaySteps,
      decayRate: positive,
      staircase: flag.default(d.staircase),
      ...warmup,
    }),
    record(words, {
      type: z.literal('polynomialDecay'),
      initialLearningRate,
      decaySteps,
      endLearningRate: nonNegative.default(d.endLearningRate),
      power: positive.default(d.power),
      cycle: flag.default(d.cycle),
      ...warmup,
    }),
    record(words, { type: z.literal('cosineDecay'), initialLearningRate, decaySteps, alpha: fraction.default(d.alpha), ...warmup }),
    record(words, {
      type: z.literal('cosineDecayRestarts'),
      initialLearningRate,
      firstDecaySteps: decaySteps,
      tMul: atLeastOne.default(d.tMul),
      mMul: positive.default(d.mMul),
      alpha: fraction.default(d.alpha),
      ...warmup,
    }),
    record(words, {
      type: z.literal('oneCycle'),
      maxLearningRate: nonNegative,
      totalSteps: integer(2),
      pctStart: fraction.default(d.pctStart),
      divFactor: positive.default(d.divFactor),
      finalDivFactor: positive.default(d.finalDivFactor),
      annealStrategy: choice('cos', 'linear').default(d.annealStrategy),
      ...warmup,
    }),
  ],
  variantError(words, 'a learning rate schedule', types),
);

export const learningRateSchema = z.union([nonNegative, schedules], words);

export type LearningRateConfig = z.output<typeof learningRateSchema>;
export type ScheduleConfig = Exclude<LearningRateConfig, number>;

/** What no single option of a schedule can say. `path` leads to it. */
export function scheduleFits(schedule: unknown, path: string[], report: Report): void {
  const [boundaries, values] = [field(schedule, 'boundaries'), field(schedule, 'values')];
  if (Array.isArray(boundaries) && boundaries.some((boundary, i) => i > 0 && !(boundary > boundaries[i - 1]))) {
    report([...path, 'boundaries'], 'a list of growing integers');
  }
  if (Array.isArray(boundaries) && Array.isArray(values) && values.length !== boundaries.length + 1) {
    report([...path, 'values'], `a list of ${boundaries.length + 1} numbers, one more than \`boundaries\` has`);
  }
  if (field(schedule, 'warmupFrom') !== undefined && field(schedule, 'warmupSteps') === undefined) {
    report([...path, 'warmupFrom'], 'absent without `warmupSteps`');
  }
}
