/**
 * Room: interop (level 4). Model files by the ending of their names: ours, and those of other libraries. What reads and writes a format is loaded
 * only when such a file is named.
 */
import { existsSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { type NamedTensor, readSafetensors } from '../checkpoint/safetensors.ts';
import { LockstepError } from '../errors.ts';
import { Model } from '../model/model.ts';
import { type LayerNames, type LoadReport, layerOf, renamedLayers } from '../model/partial.ts';

/** The formats that models are read from, by ending. */
const readers: Readonly<Record<string, (path: string) => Promise<Model>>> = {
  '.safetensors': async (path) => Model.from(path),
  '.json': async (path) => (await import('./tfjs.ts')).readTfjsModel(path),
  '.keras': async (path) => (await import('./keras.ts')).readKerasModel(path),
  '.h5': async (path) => (await import('./keras.ts')).readKerasModel(path),
};

/** The formats that models are written in, by ending; a name without one is a folder. */
const writers: Readonly<Record<string, (model: Model, path: string) => Promise<void>>> = {
  '.safetensors': async (model, path) => model.save(path),
  '.json': async (model, path) => (await import('./tfjs-write.ts')).writeTfjsModel(model, path),
  '.onnx': async (model, path) => (await import('./onnx.ts')).writeOnnxModel(model, path),
};

function isFolder(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory();
}

/**
 * The model of a file: layers, input shape and weights. `.safetensors` is ours (`model.save`), `model.json` or its folder a layers model of
 * TensorFlow.js, `.keras` and `.h5` are Keras'. Layers keep their names. Throws LOCKSTEP_USAGE for another ending, LOCKSTEP_FILE when a file
 * cannot be read or is damaged, LOCKSTEP_CONFIG naming a layer or an option that has no counterpart here, LOCKSTEP_SHAPE and LOCKSTEP_WEIGHTS
 * when layers and weights do not fit each other.
 */
export async function loadModel(path: string): Promise<Model> {
  const file = isFolder(path) ? join(path, 'model.json') : path;
  const reader = readers[extname(file).toLowerCase()];
  if (!reader) throw unknownEnding('a model file with', path, Object.keys(readers));
  return reader(file);
}

/** Formats of other libraries, by ending. */
const others = ['.json', '.keras', '.h5', '.onnx'];

/** Refuses, for what writes safetensors under any name, a name that promises another format. Throws LOCKSTEP_USAGE. */
export function checkOwnFormat(path: string): void {
  if (!others.includes(extname(path).toLowerCase())) return;
  throw new LockstepError(
    'LOCKSTEP_USAGE',
    `Expected a name for a safetensors file, got \`${path}\`; save it as .safetensors, and make the other format of it with \`lockstep convert\`.`,
  );
}

/**
 * Gives a model the weights of a file, by name: of any format that `loadModel` reads, and of safetensors without a model, too. Throws as `loadModel`
 * does, and LOCKSTEP_WEIGHTS when they are not exactly those of the model.
 */
export async function loadWeights(model: Model, path: string): Promise<void> {
  if (isOther(path)) model.setWeights((await loadModel(path)).getWeights(), `\`${path}\``);
  else model.load(path);
}

/** True for a model of another library. */
function isOther(path: string): boolean {
  return isFolder(path) || others.includes(extname(path).toLowerCase());
}

/** Which layers of a file are wanted, and what they are called in the model. */
export interface LayerChoice {
  /** Names of layers there and here, see `LayerNames`; absent: they are the same. */
  readonly names?: LayerNames | undefined;
  /** True to take what fits and leave the rest; absent or false: weights must be exactly those of the model. */
  readonly partial?: boolean | undefined;
}

/**
 * As `loadWeights`, with names of layers mapped and, with `partial`, layer by layer: layers that find all their weights take them, the others keep what they have. The
 * report accounts for every layer of both. Throws LOCKSTEP_WEIGHTS when two layers get one name or no layer fits.
 */
export async function loadLayers(model: Model, path: string, { names = {}, partial = false }: LayerChoice): Promise<LoadReport> {
  const tensors = isOther(path) ? (await loadModel(path)).getWeights() : namedTensors(path);
  const what = `\`${path}\``;
  if (partial) return model.setSomeWeights(tensors, names, what);
  const origins = renamedLayers(
    tensors.map(({ name }) => name),
    names,
    what,
  );
  model.setWeights(
    tensors.map((tensor) => ({ ...tensor, name: `${origins.get(layerOf(tensor.name))}${tensor.name.slice(layerOf(tensor.name).length)}` })),
    what,
  );
  return { loaded: [...origins].map(([from, layer]) => ({ layer, from })), kept: [], unused: [] };
}

function namedTensors(path: string): NamedTensor[] {
  return [...readSafetensors(path)].map(([name, tensor]) => ({ name, ...tensor }));
}

/**
 * Writes a model with its weights: `.safetensors` as `model.save` does, a `model.json` or a folder (a name without an ending) as a layers model of
 * TensorFlow.js, `.onnx` as an ONNX graph that predicts. Throws LOCKSTEP_USAGE for another ending or a model without weights, LOCKSTEP_CONFIG
 * naming a layer that the format cannot have, LOCKSTEP_FILE when the system refuses.
 */
export async function saveModel(model: Model, path: string): Promise<void> {
  const file = isFolder(path) || extname(path) === '' ? join(path, 'model.json') : path;
  const writer = writers[extname(file).toLowerCase()];
  if (!writer) throw unknownEnding('to write a model as a folder or with', path, Object.keys(writers));
  await writer(model, file);
}

function unknownEnding(what: string, path: string, known: readonly string[]): LockstepError {
  return new LockstepError('LOCKSTEP_USAGE', `Expected ${what} one of the endings ${known.join(', ')}, got \`${path}\`; choose one of them.`);
}
