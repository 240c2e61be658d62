/**
 * Room: scripts (level 8). What all runs of chaos train: normalisation first and in the middle, dropout, clipping, a last batch that is smaller, an evaluation every twenty steps.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mnistFiles } from '../bench/run.ts';

export const shards = 8;
const [fewSamples, batchSize] = [5000, 256];
export const stepsPerEpoch = Math.ceil(fewSamples / batchSize);

/** Writes the config and returns its path. With more samples than by default, epochs are longer. */
export function writeRecipe(folder: string, samples = fewSamples): string {
  const config = {
    model: {
      layers: [
        { type: 'flatten' },
        { type: 'batchNormalization' },
        { type: 'dense', units: 24, activation: 'elu' },
        { type: 'batchNormalization' },
        { type: 'dropout', rate: 0.2 },
        { type: 'dense', units: 10, activation: 'softmax' },
      ],
    },
    data: {
      train: { format: 'idx', ...mnistFiles(), scale: 255, limit: samples },
      validation: { format: 'idx', ...mnistFiles(), scale: 255, limit: 300 },
    },
    loss: 'sparseCategoricalCrossentropy',
    optimizer: { type: 'adam', learningRate: 0.002, globalClipnorm: 0.5 },
    batchSize,
    seed: 42,
    shards,
    kernels: 'wasm',
  };
  const path = join(folder, 'run.json');
  writeFileSync(path, JSON.stringify(config));
  return path;
}
