/**
 * Room: config (level 1). The way in: an unknown value becomes a config with every default filled in, or one
 * LOCKSTEP_CONFIG error that tells all its problems, one sentence a line. It promises that a parsed config is plain JSON
 * (no undefined, nothing shared with the input) and parses to itself; it never changes the value it was given.
 */
import type { z } from 'zod';
import { LockstepError } from '../errors.ts';
import { type DataConfig, dataSchema } from './data.ts';
import { type LayerConfig, layerSchema, type ModelConfig, modelSchema } from './layers.ts';
import { type OptimizerConfig, optimizerSchema } from './optimizers.ts';
import { field } from './rules.ts';
import {
  type DataDescription,
  dataDescriptionSchema,
  type EvaluationSettings,
  evaluationSchema,
  type PredictionSettings,
  predictionSchema,
  type RunConfig,
  type RunSettings,
  runSchema,
  settingsSchema,
} from './run.ts';
import { sentences } from './sentences.ts';

function parse<T extends z.ZodType>(schema: T, value: unknown, where: string): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return JSON.parse(JSON.stringify(result.data)) as z.output<T>;
  throw new LockstepError('LOCKSTEP_CONFIG', sentences(result.error.issues, value, where).join('\n'));
}

/** A whole run, as in a config file, whose `$schema` is for editors alone. `where` names the value itself; its keys are told without it. */
export function parseRunConfig(value: unknown, where = 'config'): RunConfig {
  return parse(runSchema, withoutSchema(value), where);
}

function withoutSchema(value: unknown): unknown {
  if (typeof field(value, '$schema') !== 'string') return value;
  const { $schema: _, ...run } = value as Record<string, unknown>;
  return run;
}

/** The settings of a run without model and data. Keys are told as `batchSize`, unless `where` says otherwise. */
export function parseRunSettings(value: unknown, where = 'config'): RunSettings {
  return parse(settingsSchema, value, where);
}

/** The settings of an evaluation. Keys are told as in `parseRunSettings`. */
export function parseEvaluationSettings(value: unknown, where = 'config'): EvaluationSettings {
  return parse(evaluationSchema, value, where);
}

/** The settings of predictions. Keys are told as in `parseRunSettings`. */
export function parsePredictionSettings(value: unknown, where = 'config'): PredictionSettings {
  return parse(predictionSchema, value, where);
}

/** A model. Keys are told as `model.layers[0].units`. */
export function parseModelConfig(value: unknown, where = 'model'): ModelConfig {
  return parse(modelSchema, value, where);
}

/** One layer. Keys are told as `layer.units`, or with `where` in the place of `layer`. */
export function parseLayer(value: unknown, where = 'layer'): LayerConfig {
  return parse(layerSchema, value, where);
}

/** One optimizer. Keys are told as `optimizer.learningRate`. */
export function parseOptimizer(value: unknown, where = 'optimizer'): OptimizerConfig {
  return parse(optimizerSchema, value, where);
}

/** One set of rows. Keys are told as `data.images`, or with `where` in the place of `data`. */
export function parseDataConfig(value: unknown, where = 'data'): DataConfig {
  return parse(dataSchema, value, where);
}

/** The data of a run as a host was told of them. Keys are told below `where`. */
export function parseDataDescription(value: unknown, where: string): DataDescription {
  return parse(dataDescriptionSchema, value, where);
}
