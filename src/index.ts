/**
 * The public face of Lockstep: everything a program imports. It holds no logic of its own.
 */
export type { DataConfigInput } from './config/data.ts';
export { readRunConfig } from './config/file.ts';
export type { LayerConfigInput, ModelConfig } from './config/layers.ts';
export type { OptimizerConfigInput } from './config/optimizers.ts';
export { parseModelConfig, parseRunConfig } from './config/parse.ts';
export { type RunConfig, type RunConfigInput, runConfigJsonSchema } from './config/run.ts';
export type { ArrayData } from './data/arrays.ts';
export { datasets } from './data/datasets.ts';
export type { Learnt } from './data/learnt.ts';
export type { RowFile } from './data/row-file.ts';
export type { DataSource, Normalization, Texts } from './data/source.ts';
export { type ErrorCode, errorCodes, isLockstepError, LockstepError } from './errors.ts';
export { loadModel, saveModel } from './interop/files.ts';
export { layers } from './layers/factories.ts';
export { type EvaluateOptions, type EvaluationRun, evaluate } from './local/evaluate.ts';
export { type DataInput, openAlone as openData } from './local/inputs.ts';
export { type PredictOptions, predict, type RowsData } from './local/predict.ts';
export { type RecalibrateOptions, type Recalibration, recalibrate } from './local/recalibrate.ts';
export { type InitOptions, type Run, type RunControl, type RunStart, type TrainOptions, train } from './local/train.ts';
export type { Layer } from './model/layer-handle.ts';
export { Model, sequential } from './model/model.ts';
export type { LoadReport } from './model/partial.ts';
export type { Predictions, PredictMode } from './model/predict.ts';
export { optimizers } from './optimizers/factories.ts';
export type { EndEvent, EpochEvent, Evaluation, RunEvent, StepEvent } from './telemetry/events.ts';
