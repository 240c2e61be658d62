/**
 * Room: cluster (level 7). What a host is told of a run: everything that a plan and a training depend on, as plain data. It is
 * checked like a config before anything is planned by it; a model is data, never code.
 */
import { z } from 'zod';
import { modelSchema } from '../src/config/layers.ts';
import { lossSchema } from '../src/config/losses.ts';
import { metricsSchema } from '../src/config/metrics.ts';
import { clipHistory, optimizerSchema } from '../src/config/optimizers.ts';
import { choice, flag, integer, nonNegative, positiveRule, record } from '../src/config/rules.ts';
import { sentences } from '../src/config/sentences.ts';
import { LockstepError } from '../src/errors.ts';
import type { PlanSpec } from '../src/model/plan.ts';
import type { TrainingSpec } from '../src/train/rank.ts';

/** Of every host the same; how many ranks it has, which part it computes and what it records is its own. */
export interface RunDocument {
  readonly plan: Omit<PlanSpec, 'ranks' | 'part' | 'inputGradient' | 'traceSteps' | 'gradientHistograms'>;
  readonly training: TrainingSpec;
}

const count = integer(1, 2 ** 31 - 1);
const shape = z.array(count).max(8);
const data = record('a data set', {
  length: count,
  inputShape: shape,
  inputType: choice('uint8', 'float32'),
  scale: z.number().refine((value) => positiveRule.accepts(value), positiveRule.words),
  targetSize: integer(0, 2 ** 31 - 1),
  weighted: flag.optional(),
  classWeights: z.array(nonNegative).optional(),
});
const document = record('a run', {
  plan: record('a plan', {
    model: modelSchema,
    inputShape: shape,
    loss: lossSchema,
    metrics: metricsSchema.optional(),
    shards: count,
    batchRows: count,
    passes: count.optional(),
    optimizerSlots: integer(0, 8),
    clipUnits: flag.optional(),
    clipHistory: clipHistory.optional(),
    freezes: flag.optional(),
    train: data,
    validation: data.optional(),
  }),
  training: record('a training', {
    optimizer: optimizerSchema,
    seed: integer(0),
    shuffle: flag,
    batchSize: count,
    validationBatchSize: count,
    onNonFinite: choice('halt', 'skip'),
    haltAfterSkipped: count,
    freeze: z.array(record('frozen layers', { layers: z.array(z.string()), until: count })).optional(),
  }),
});

/** Throws LOCKSTEP_PROTOCOL with the first broken rule. */
export function checkRunDocument(value: unknown): RunDocument {
  const result = document.safeParse(value);
  if (result.success) return result.data as RunDocument;
  throw new LockstepError('LOCKSTEP_PROTOCOL', sentences(result.error.issues.slice(0, 1), value, 'run.spec')[0]!);
}

/** The document of a run that is planned as `plan`. */
export function runDocument(
  { ranks: _, part: __, inputGradient: ___, traceSteps: ____, gradientHistograms: _____, ...plan }: PlanSpec,
  training: TrainingSpec,
): RunDocument {
  return { plan, training };
}
