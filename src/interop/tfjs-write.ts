/**
 * Room: interop (level 4). Writing layers models of TensorFlow.js: a folder with `model.json` and one file of weights, as its own converter names them.
 */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeWhole } from '../checkpoint/whole-file.ts';
import { demandFile } from '../config/file.ts';
import type { Model } from '../model/model.ts';
import { writeTopology } from './tfjs-graph.ts';

const weightsFile = 'group1-shard1of1.bin';
/** The version whose spelling this is. */
const tfjsVersion = 'tfjs-layers 4.22.0';

/** Writes `path`, a model.json, and the weights beside it; their folder is made. Throws LOCKSTEP_CONFIG before anything is written, LOCKSTEP_FILE. */
export async function writeTfjsModel(model: Model, path: string): Promise<void> {
  const { topology, config } = model;
  const weights = model.getWeights();
  const json = {
    format: 'layers-model',
    generatedBy: 'Lockstep',
    convertedBy: null,
    modelTopology: {
      ...writeTopology(topology, config.name),
      keras_version: tfjsVersion,
      backend: 'tensor_flow.js',
    },
    weightsManifest: [{ paths: [weightsFile], weights: weights.map(({ name, shape }) => ({ name, shape: [...shape], dtype: 'float32' })) }],
  };
  const bytes = Buffer.concat(weights.map(({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength)));
  const folder = dirname(path);
  await mkdir(folder, { recursive: true }).catch((cause: unknown) =>
    demandFile(folder, 'a folder for the model', undefined, () => {
      throw cause;
    }),
  );
  // The weights first: who finds a model.json finds what it names.
  await writeWhole(join(folder, weightsFile), bytes, 'the weights file');
  await writeWhole(path, Buffer.from(JSON.stringify(json)), 'the model file');
}
