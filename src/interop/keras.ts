/**
 * Room: interop (level 4). Reading models of Keras: the `.keras` archive of Keras 3 (a zip of config.json and model.weights.h5) and the older `.h5`
 * (one HDF5 file with the config as an attribute). Which of the two a file is, its first bytes say. Source of both: keras/src/saving/saving_lib.py
 * and keras/src/legacy/saving/legacy_h5_format.py of Keras 3.
 */
import { readUserFile } from '../config/file.ts';
import { withFile } from '../data/file-bytes.ts';
import { unzipMember, zipMembers } from '../data/zip.ts';
import { LockstepError } from '../errors.ts';
import type { Model } from '../model/model.ts';
import { type Hdf5, isHdf5, withHdf5 } from './hdf5.ts';
import type { KerasLayer } from './keras-layers.ts';
import { type FindWeight, kerasModel } from './keras-model.ts';
import { malformed, parseObject } from './refusals.ts';

/** Throws LOCKSTEP_FILE, LOCKSTEP_CONFIG, LOCKSTEP_SHAPE, LOCKSTEP_WEIGHTS, or LOCKSTEP_DATA for a damaged archive; each names the file. */
export async function readKerasModel(path: string): Promise<Model> {
  const file = `\`${path}\``;
  const bytes = readUserFile(path, 'a model file');
  if (isHdf5(bytes)) return withHdf5(bytes, file, (hdf5) => readLegacy(hdf5, file));
  if (bytes.subarray(0, 2).toString('latin1') !== 'PK') throw malformed(file, 'be a zip archive or an HDF5 file, as Keras writes them', 'neither', 'save it anew');
  const { config, weights } = withFile(path, 'a model file', undefined, (archive) => {
    const members = zipMembers(archive);
    const unpack = (name: string): Buffer => {
      const member = members.get(name);
      if (member) return unzipMember(archive, name, member);
      throw malformed(file, `be a model of Keras with ${name} in it`, 'an archive without', 'save the whole model with model.save(...)');
    };
    return { config: unpack('config.json').toString('utf8'), weights: unpack('model.weights.h5') };
  });
  const topology = parseObject(config, `config.json of ${file}`);
  return withHdf5(weights, `model.weights.h5 of ${file}`, (hdf5) => kerasModel(topology, archived(hdf5, file), file));
}

/** `layers/<class in snake case, numbered>/vars/<index>`: Keras 3 counts the layers of each class and leaves their names out. */
function archived(hdf5: Hdf5, file: string): FindWeight {
  // Keras 2.13 called the list of layers by another name.
  const root = ['layers', '_layer_checkpoint_dependencies'].find((name) => hdf5.names(name)) ?? 'layers';
  return (layer, { index, count, shape }, layers) => {
    const place = `${root}/${numberedClass(layer, layers)}/vars`;
    checkCount(layer, hdf5.names(place)?.length ?? 0, count, file);
    return hdf5.tensor(`${place}/${index}`, shape);
  };
}

/** `dense`, `dense_1`, ...: the class of a layer and which one of them it is. */
function numberedClass(layer: KerasLayer, layers: readonly KerasLayer[]): string {
  const number = layers.filter(({ className }) => className === layer.className).indexOf(layer);
  const name = layer.className.replaceAll(/(?<!^)([A-Z])/g, '_$1').toLowerCase();
  return number === 0 ? name : `${name}_${number}`;
}

function readLegacy(hdf5: Hdf5, file: string): Model {
  const config = hdf5.text('/', 'model_config');
  if (config === undefined) {
    throw malformed(file, 'hold a whole model, with the attribute `model_config`', 'weights alone', 'save it with model.save(...), or its weights as a whole model');
  }
  const find: FindWeight = (layer, { index, count, shape }) => {
    const group = `model_weights/${layer.name}`;
    const names = hdf5.texts(group, 'weight_names') ?? [];
    checkCount(layer, names.length, count, file);
    return hdf5.tensor(`${group}/${names[index]}`, shape);
  };
  return kerasModel(parseObject(config, `the model_config of ${file}`), find, file);
}

/** Keras finds weights by their place among those of the layer: there must be as many. */
function checkCount({ name, className }: KerasLayer, received: number, expected: number, file: string): void {
  if (received === expected) return;
  throw new LockstepError(
    'LOCKSTEP_WEIGHTS',
    `Expected ${file} to hold the ${expected} weights of the layer \`${name}\` (${className}), got ${received}; it is damaged, or was written by a version whose format differs.`,
  );
}
