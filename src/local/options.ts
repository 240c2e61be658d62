/**
 * Room: local (level 6). What programs hand to `train()` and `evaluate()`, looked at before anything is done with it: what
 * TypeScript would have refused gets a sentence here too. Settings are the config room's, rows the data room's.
 */
import { show } from '../check.ts';
import { evaluationKeys, predictionKeys, settingsKeys } from '../config/run.ts';
import { checkKeys } from '../config/sentences.ts';
import { LockstepError } from '../errors.ts';
import { Model } from '../model/model.ts';
import { checkLayerNames, type LayerNames } from '../model/partial.ts';
import { type CheckpointOptions, checkCheckpointOptions } from './checkpoint-options.ts';

type Fields = Readonly<Record<string, unknown>>;

const callbacks = ['onStep', 'onEpoch', 'onEnd', 'onEvent', 'onStart', 'onCrew', 'onNews'] as const;
const inputWords = 'a set of rows: arrays ({ x, y }), files ({ format: "csv", file, label }), a named data set ({ dataset: "mnist", split: "train" }) or a DataSource';

function refuse(place: string, rule: string, value: unknown, mend = ''): never {
  throw new LockstepError('LOCKSTEP_USAGE', `Expected \`${place}\` to be ${rule}, got ${show(value)}${mend && `; ${mend}`}.`);
}

/** An object that is no list and no typed array. */
function fieldsOf(value: unknown): Fields | undefined {
  const isFields = typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
  return isFields ? (value as Fields) : undefined;
}

/** Throws LOCKSTEP_USAGE or, for unknown keys, LOCKSTEP_CONFIG. Settings and rows are checked when they are parsed. */
export function checkTrainOptions(options: unknown): void {
  const { model, data, init, signal, checkpoints, ...others } = checkOptions(
    options,
    ['model', 'data', 'init', 'signal', 'fault', 'vigil', 'checkpoints', 'openCrew', 'record', 'gradientHistograms', ...callbacks, ...settingsKeys],
    '`optimizer`',
  );
  checkModel(model);
  checkTrainData(data);
  checkInit(init);
  if (signal !== undefined && !(signal instanceof AbortSignal)) refuse('options.signal', 'an AbortSignal', signal, 'give the `signal` of an AbortController');
  for (const name of callbacks) checkCallback(name, others[name]);
  if (checkpoints !== undefined) checkCheckpointOptions(checkpoints as CheckpointOptions);
}

function checkInit(init: unknown): void {
  if (init === undefined || typeof init === 'string') return;
  const rule = 'the path of a file of weights, or an object with `path` and, if wanted, `names` and `partial`';
  const fields = fieldsOf(init);
  if (!fields) refuse('options.init', rule, init, 'for a seed use `seed`');
  checkKeys(fields, ['path', 'names', 'partial'], 'options.init');
  const { path, names, partial } = fields;
  if (typeof path !== 'string') refuse('options.init.path', 'the path of a file of weights', path);
  if (partial !== undefined && typeof partial !== 'boolean') refuse('options.init.partial', 'true or false', partial);
  if (names === undefined) return;
  if (!fieldsOf(names) || Object.values(names as Fields).some((name) => typeof name !== 'string')) {
    refuse('options.init.names', "names of layers in the file and in the model, { 'encoder_*': '*' }", names);
  }
  checkLayerNames(names as LayerNames);
}

/** As `checkTrainOptions`, for `evaluate()`. */
export function checkEvaluateOptions(options: unknown): void {
  const { model, data, learnt, confusionMatrix, onKernels, onNews } = checkOptions(
    options,
    ['model', 'data', 'learnt', 'confusionMatrix', 'onKernels', 'onNews', 'fault', ...evaluationKeys],
    '`loss`',
  );
  checkModel(model);
  checkInput(data, 'data');
  if (confusionMatrix !== undefined && typeof confusionMatrix !== 'boolean') refuse('options.confusionMatrix', 'true or false', confusionMatrix);
  checkCallback('onKernels', onKernels);
  checkCallback('onNews', onNews);
  if (learnt !== undefined && !fieldsOf(learnt)) refuse('options.learnt', 'what `train()` returned', learnt);
}

/** As `checkTrainOptions`, for `predict()`. */
export function checkPredictOptions(options: unknown): void {
  const training = fieldsOf(options)?.['training'];
  if (training !== undefined) refuse('options.training', 'absent: ranks do not predict as in training', training, '`model.predict(rows, { training: true })` does');
  const { model, data, learnt, onKernels, onNews } = checkOptions(options, ['model', 'data', 'learnt', 'onKernels', 'onNews', 'fault', ...predictionKeys]);
  checkModel(model);
  checkInput(data, 'data');
  checkCallback('onKernels', onKernels);
  checkCallback('onNews', onNews);
  if (learnt !== undefined && !fieldsOf(learnt)) refuse('options.learnt', 'what `train()` returned', learnt);
}

/** Anything that may be rows passes: an object, whose fields are looked at when it is opened. */
export function checkInput(input: unknown, place: string): void {
  if (!fieldsOf(input)) refuse(place, inputWords, input, input === undefined ? 'add it' : '');
}

function checkOptions(options: unknown, known: readonly string[], last?: string): Fields {
  const fields = fieldsOf(options);
  if (!fields) refuse('options', `an object with ${last === undefined ? '`model` and `data`' : `\`model\`, \`data\`, \`loss\` and ${last}`}`, options);
  checkKeys(fields, known, 'options');
  return fields;
}

function checkModel(model: unknown): void {
  if (model instanceof Model) return;
  refuse('options.model', 'a Model', model, 'make one with `sequential([...])`, from a config with `new Model(parseModelConfig(config))`');
}

function checkTrainData(data: unknown): void {
  const rule = 'an object with `train` and, if wanted, `validation`';
  const fields = fieldsOf(data);
  if (!fields) refuse('data', rule, data, data === 'mnist' || data === 'fashionMnist' ? `use \`datasets.${data}()\`` : 'add `{ train: { x, y } }`');
  const isOneSet = ['x', 'format', 'dataset', 'readRows'].some((key) => key in fields);
  if (isOneSet && fields['train'] === undefined) refuse('data', rule, data, 'put these rows under `train`');
  checkKeys(fields, ['train', 'validation'], 'data');
  checkInput(fields['train'], 'data.train');
  if (fields['validation'] !== undefined) checkInput(fields['validation'], 'data.validation');
}

function checkCallback(name: string, callback: unknown): void {
  if (callback !== undefined && typeof callback !== 'function') refuse(`options.${name}`, 'a function', callback);
}
