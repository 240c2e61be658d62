/**
 * Room: config (level 1). What a run is: a model, its data, and the settings of its training. It promises that a parsed
 * run has every default filled in; it never looks at the machine (workers, kernels and shards are resolved later).
 */
import { z } from 'zod';
import { dataSchema } from './data.ts';
import { runDefaults as d } from './defaults.ts';
import { freezeSchema } from './freezing.ts';
import { modelSchema } from './layers.ts';
import { lossSchema } from './losses.ts';
import { metricsSchema } from './metrics.ts';
import { earlyStoppingSchema, reduceLROnPlateauSchema } from './monitors.ts';
import { optimizerSchema } from './optimizers.ts';
import { across, choice, field, flag, fractionInside, integer, type Report, record } from './rules.ts';
import { classWeightSchema } from './weights.ts';

/** What is done to rows before a run begins. */
const preparation = {
  validationSplit: fractionInside.optional().describe('The share of the training data that is kept for validation: the last rows.'),
  stratify: flag.default(d.stratify).describe('With `validationSplit`: the same share of every class, drawn by the seed, and not the last rows.'),
};

const settings = {
  loss: lossSchema,
  metrics: metricsSchema.default([]).describe('What to report beside the loss.'),
  optimizer: optimizerSchema,
  classWeight: classWeightSchema.optional().describe('How much the rows of each class count in the loss of training; 1 for a class that is not named.'),
  batchSize: integer(1).default(d.batchSize).describe('Rows of the global batch, over all workers.'),
  gradientAccumulationSteps: integer(1)
    .default(d.gradientAccumulationSteps)
    .describe('The global batch has so many times batchSize rows, computed batchSize rows at a time: the same bits as that batchSize at once, in less memory.'),
  validationBatchSize: integer(1).optional().describe('Rows of a batch in validation; those of a step when absent.'),
  epochs: integer(1).optional().describe('Passes over the training data; 1 when `steps` is absent too, as many as the steps take when only that is given.'),
  steps: integer(1).optional().describe('Stop after this many steps in all, even inside an epoch.'),
  shuffle: flag.default(d.shuffle).describe('A new order of the rows in every epoch.'),
  dropRemainder: flag.default(d.dropRemainder).describe('Leave out the last batch of an epoch when it is not full.'),
  ...preparation,
  seed: integer(0).default(d.seed).describe('Everything random in the run follows from this.'),
  shards: integer(1).optional().describe('Slices of the global batch; they decide the bits. As many as workers when absent.'),
  workers: integer(1).optional().describe('Worker threads; they never change the bits. As many as cores when absent, but at most one a shard.'),
  kernels: choice('auto', 'wasm', 'blas').default(d.kernels).describe('Which kernels compute.'),
  onNonFinite: choice('halt', 'skip')
    .default(d.onNonFinite)
    .describe('A step whose loss or gradient is not finite is skipped; "halt" ends the run when too many are skipped in a row.'),
  earlyStopping: earlyStoppingSchema.optional().describe('End the run when a number of its history gets no better.'),
  reduceLROnPlateau: reduceLROnPlateauSchema.optional().describe('Lower the learning rate when a number of its history gets no better.'),
  freeze: freezeSchema.optional().describe('Layers whose weights stay as they are, until an epoch or for ever.'),
  haltAfterSkipped: integer(1).default(d.haltAfterSkipped).describe('With onNonFinite "halt": end the run after this many skipped steps in a row.'),
};

/** A batch must have a row for each shard. */
function shardsFitBatch(run: unknown, report: Report): void {
  const [batchSize, accumulated] = [field(run, 'batchSize'), field(run, 'gradientAccumulationSteps')];
  const rows = typeof batchSize === 'number' ? batchSize * (typeof accumulated === 'number' ? accumulated : 1) : undefined;
  const name = field(run, 'shards') === undefined ? 'workers' : 'shards';
  const count = field(run, name);
  if (rows !== undefined && typeof count === 'number' && count > rows) {
    report([name], `at most the batch size, ${rows}, so that every shard has a row`);
  }
}

/** Rows for validation come from one place, and are drawn only where they are cut off. */
function oneValidation(run: unknown, report: Report): void {
  const isSplit = field(run, 'validationSplit') !== undefined;
  if (isSplit && field(field(run, 'data'), 'validation') !== undefined) report(['validationSplit'], 'absent where there is `data.validation`');
  if (!isSplit && field(run, 'stratify') === true) report(['stratify'], 'false without `validationSplit`');
}

function acrossRun(run: unknown, report: Report): void {
  shardsFitBatch(run, report);
  oneValidation(run, report);
}

const dataFields = record('an object with `train` and, if wanted, `validation`', { train: dataSchema, validation: dataSchema.optional() });

/** The settings of a run without its model and data: what `train()` in TypeScript takes as plain values. */
export const settingsSchema = across(record('an object of settings', settings), acrossRun);

const { loss, metrics, batchSize, shards, workers, kernels } = settings;
const evaluation = { loss, metrics, batchSize, shards, workers, kernels };

/** The settings of an evaluation. A shard may be empty there, as in the small batches of a training's validation. */
export const evaluationSchema = record('an object of settings', evaluation);

/** The settings of predictions: those that do not ask for a loss. */
export const predictionSchema = record('an object of settings', { batchSize, shards, workers, kernels });

/** The keys of each, for messages about what stands beside them. */
export const settingsKeys: readonly string[] = Object.keys(settings);
export const evaluationKeys: readonly string[] = Object.keys(evaluation);
export const predictionKeys: readonly string[] = Object.keys(predictionSchema.shape);

export const runSchema = across(record('an object with `model`, `data`, `loss` and `optimizer`', { model: modelSchema, data: dataFields, ...settings }), acrossRun);

/** The data of a run with what is done to them, as hosts are told that have copies of their own. */
export const dataDescriptionSchema = record('a description of data', { ...dataFields.shape, ...preparation, seed: settings.seed });

export type DataDescription = z.output<typeof dataDescriptionSchema>;
export type RunSettingsInput = z.input<typeof settingsSchema>;
export type RunSettings = z.output<typeof settingsSchema>;
export type EvaluationSettingsInput = z.input<typeof evaluationSchema>;
export type EvaluationSettings = z.output<typeof evaluationSchema>;
export type PredictionSettingsInput = z.input<typeof predictionSchema>;
export type PredictionSettings = z.output<typeof predictionSchema>;
export type RunConfigInput = z.input<typeof runSchema>;
export type RunConfig = z.output<typeof runSchema>;

/** The JSON Schema of a config file, for editors; a config names it by `$schema`. */
export function runConfigJsonSchema(): object {
  const { $schema, properties, ...rest } = z.toJSONSchema(runSchema, { io: 'input' });
  const title = 'The config of a Lockstep run';
  return { $schema, title, ...rest, properties: { $schema: { type: 'string', description: 'The JSON Schema of this file, for editors.' }, ...properties } };
}
