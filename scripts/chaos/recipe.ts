/**
 * Room: scripts (level 8). What all runs of chaos train, and what comes of it when nothing happens: normalisation first and in the
 * middle, dropout, clipping, a last batch that is smaller, an evaluation every twenty steps.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunEvent } from '../../src/telemetry/events.ts';
import { mnistFiles } from '../bench/run.ts';
import { Started } from './processes.ts';
import { batchSize, samples } from './size.ts';

export const shards = 8;

/** Writes the config and returns its path. */
export function writeRecipe(folder: string): string {
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

/** The SHA-256 of the weights of an undisturbed run of one process. */
export async function undisturbed(folder: string, config: string, steps: number): Promise<string> {
  const run = new Started(folder, `undisturbed-${steps}`, ['train', config, '--workers', '2', '--steps', String(steps)], undefined);
  await run.ended;
  const events = run.exit?.code === 0 ? readFileSync(run.log, 'utf8').trim().split('\n') : [];
  const end = events.map((line) => JSON.parse(line) as RunEvent).at(-1);
  if (end?.event === 'end' && end.steps === steps) return end.weightsSha256;
  throw new Error(`Expected the undisturbed run to end with its weights, but it ended with ${run.exit?.code ?? run.exit?.signal}; see its output in ${folder}.`);
}
