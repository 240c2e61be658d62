/**
 * Room: interop (level 4). Reading layers models of TensorFlow.js: `model.json` with the layers and a manifest of weights, and the files beside it
 * that hold them. It never reads a file outside the folder of model.json, and compares every length with what is there before it is trusted.
 */
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { show } from '../check.ts';
import type { Tensor } from '../checkpoint/safetensors.ts';
import { demandFile, readUserFile } from '../config/file.ts';
import { LockstepError } from '../errors.ts';
import { sizeOf } from '../memory/shape.ts';
import type { Model } from '../model/model.ts';
import { type FindWeight, kerasModel } from './keras-model.ts';
import { isObject, type JsonObject, malformed, parseObject, unsupported } from './refusals.ts';

/** A tensor as the manifest announces it; the optimizer's state is there when a model was saved with it, and is not read. */
interface Announced {
  readonly name: string;
  readonly shape: readonly number[];
  readonly isOfOptimizer: boolean;
}

/** The model of a `model.json`. Throws LOCKSTEP_FILE, LOCKSTEP_CONFIG, LOCKSTEP_SHAPE or LOCKSTEP_WEIGHTS, each naming the file. */
export function readTfjsModel(path: string): Model {
  const file = `\`${path}\``;
  const json = parseObject(readUserFile(path, 'a model file').toString('utf8'), file);
  const { format, weightsManifest } = json;
  if (format === 'graph-model') throw unsupported(file, 'be a layers model', 'a graph model', 'convert it with --output_format=tfjs_layers_model');
  const manifest: unknown[] | undefined = Array.isArray(weightsManifest) ? weightsManifest : undefined;
  if (!manifest) throw malformed(file, 'be a layers model of TensorFlow.js with a `weightsManifest`', 'none', 'it is another JSON file');
  const tensors = new Map<string, Tensor>();
  for (const group of manifest) readGroup(group, dirname(path), file, tensors);
  const model = kerasModel(topologyOf(json), findIn(tensors, file), file);
  const masking = model.topology.layers.find(({ config }) => config.type === 'masking');
  if (masking) {
    const mend = 'its normalizations do not heed masks, so training would go on otherwise; save the model with Keras';
    throw unsupported(`the layers of ${file}`, 'compute alike here', `\`${masking.name}\` of type Masking`, mend);
  }
  const known = new Set(model.topology.weights.map(({ name }) => name));
  const foreign = [...tensors.keys()].find((name) => !known.has(name));
  if (foreign === undefined) return model;
  throw new LockstepError('LOCKSTEP_WEIGHTS', `Expected ${file} to hold the weights of its layers alone, got ${show(foreign)} too; it is damaged.`);
}

/** tfjs writes the topology itself, its converter from Keras one level deeper. */
function topologyOf({ modelTopology: topology }: JsonObject): unknown {
  return isObject(topology) && topology['model_config'] !== undefined ? topology['model_config'] : topology;
}

function findIn(tensors: ReadonlyMap<string, Tensor>, file: string): FindWeight {
  return (layer, weight) => {
    const name = `${layer.name}/${weight.name}`;
    const tensor = tensors.get(name);
    if (tensor) return tensor;
    throw new LockstepError('LOCKSTEP_WEIGHTS', `Expected ${file} to hold the weight \`${name}\`, got none of this name; it is damaged or its layers were renamed.`);
  };
}

/** Adds the tensors of a group: they lie in its files one after the other, across their ends too. */
function readGroup(group: unknown, folder: string, file: string, into: Map<string, Tensor>): void {
  const { paths, weights } = isObject(group) ? group : {};
  if (!Array.isArray(paths) || !Array.isArray(weights))
    throw malformed(`the weightsManifest of ${file}`, 'list groups of `paths` and `weights`', show(group), 'it is damaged');
  const announced = weights.map((weight: unknown) => announce(weight, file));
  const places = paths.map((path: unknown) => placeOf(path, folder, file));
  const expected = announced.reduce((bytes, { shape }) => bytes + 4 * sizeOf(shape), 0);
  const present = places.reduce((bytes, place) => bytes + demandFile(place, what, undefined, () => statSync(place).size), 0);
  if (present !== expected) {
    throw malformed(
      `the weights of ${file}`,
      `be ${expected} bytes in ${places.length} files, as its manifest says`,
      `${present} bytes`,
      'they are truncated, or not of this model',
    );
  }
  const bytes = Buffer.concat(places.map((place) => readUserFile(place, what)));
  let at = 0;
  for (const { name, shape, isOfOptimizer } of announced) {
    const end = at + 4 * sizeOf(shape);
    if (into.has(name)) throw malformed(`the weightsManifest of ${file}`, 'name each weight once', `${show(name)} twice`, 'it is damaged');
    // A copy, so that the numbers are aligned.
    if (!isOfOptimizer) into.set(name, { shape, data: new Float32Array(Uint8Array.from(bytes.subarray(at, end)).buffer) });
    at = end;
  }
}

const what = 'a file of weights';

function announce(value: unknown, file: string): Announced {
  const { name, shape, dtype, quantization, group } = isObject(value) ? value : {};
  const isOfOptimizer = group === 'optimizer';
  const isSize = (size: unknown) => typeof size === 'number' && Number.isSafeInteger(size) && size >= 0;
  if (typeof name !== 'string' || !Array.isArray(shape) || !shape.every(isSize) || !Number.isSafeInteger(4 * sizeOf(shape))) {
    throw malformed(`the weightsManifest of ${file}`, 'give each weight a `name` and a `shape`', show(value), 'it is damaged');
  }
  // Its count of steps is an int32, as large as a float32.
  if (dtype !== 'float32' && !(isOfOptimizer && dtype === 'int32'))
    throw unsupported(`the weight ${show(name)} of ${file}`, 'have dtype float32', show(dtype), 'nothing else is supported');
  if (quantization !== undefined && quantization !== null) {
    throw unsupported(`the weight ${show(name)} of ${file}`, 'be whole float32 numbers', 'quantized ones', 'convert the model without quantization');
  }
  return { name, shape, isOfOptimizer };
}

/** Of a shard, which lies in the folder of model.json or below it. */
function placeOf(path: unknown, folder: string, file: string): string {
  const isInside = typeof path === 'string' && /^[^/\\:\0]+(?:\/[^/\\:\0]+)*$/.test(path) && !path.split('/').some((part) => part === '..' || part === '.');
  if (isInside) return join(folder, path);
  throw malformed(`the weightsManifest of ${file}`, 'name files in the folder of the model', show(path), 'move them there, and do not trust where it comes from');
}
