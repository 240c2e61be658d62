/**
 * Room: tests of interop. The real TensorFlow.js, with its own loader over files of a folder, its own layers and its own arithmetic.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import tf from '@tensorflow/tfjs';
import type { Model } from '../../src/model/model.ts';

export { tf };

// What it says about faster backends is for others.
tf.env().set('PROD', true);
await tf.setBackend('cpu');

/** The model of a folder as TensorFlow.js fetches it. */
export function fetchModel(folder: string): Promise<tf.LayersModel> {
  const fetchFunc = async (url: string): Promise<Response> => new Response(await readFile(join(folder, basename(new URL(url).pathname))));
  return tf.loadLayersModel(tf.io.http('http://model/model.json', { fetchFunc: fetchFunc as unknown as typeof fetch }));
}

/** Writes a model of TensorFlow.js as its own handlers of files do. */
export async function storeModel(model: tf.LayersModel, folder: string, options: tf.io.SaveConfig = {}): Promise<void> {
  const name = 'weights.bin';
  const handler: tf.io.IOHandler = {
    save: async ({ modelTopology, weightSpecs, weightData, format, generatedBy, convertedBy }) => {
      const data = Array.isArray(weightData) ? Buffer.concat(weightData.map((part) => Buffer.from(part))) : Buffer.from(weightData!);
      await writeFile(join(folder, name), data);
      const json = { modelTopology, format, generatedBy, convertedBy, weightsManifest: [{ paths: [name], weights: weightSpecs }] };
      await writeFile(join(folder, 'model.json'), JSON.stringify(json));
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    },
  };
  await model.save(handler, options);
}

/** Its outputs for rows of our model's input shape. */
export function outputsOf(model: tf.LayersModel, { topology }: Pick<Model, 'topology'>, rows: Float32Array): Float32Array {
  return tf.tidy(() => {
    const shape = [rows.length / topology.inputShape.reduce((product, size) => product * size, 1), ...topology.inputShape];
    return (model.predict(tf.tensor(rows, shape)) as tf.Tensor).dataSync() as Float32Array;
  });
}
