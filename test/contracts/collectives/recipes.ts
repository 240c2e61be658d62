/**
 * Room: tests of contracts. Small runs that show every number which hosts exchange: moments and sums of normalisations, dropout,
 * gradients of several tensors, clipping, an uneven last batch, losses of an evaluation. And their states, step by step, on one host.
 */
import type { ArrayData } from '../../../src/data/arrays.ts';
import { layers } from '../../../src/layers/factories.ts';
import { type OpenCrew, openLocalCrew } from '../../../src/local/crew.ts';
import { type TrainOptions, train } from '../../../src/local/train.ts';
import { sequential } from '../../../src/model/model.ts';
import { optimizers } from '../../../src/optimizers/factories.ts';
import { classified, numbers } from '../../toy.ts';
import { stateHash } from './hosts.ts';

/** `steps` steps, at most 8, over two epochs of 45 rows. */
export function normalized(options: Partial<TrainOptions> = {}): TrainOptions {
  return {
    model: sequential([
      layers.batchNormalization(),
      layers.dense({ units: 9, activation: 'elu' }),
      layers.dropout({ rate: 0.25 }),
      layers.batchNormalization({ momentum: 0.9 }),
      layers.dense({ units: 3, activation: 'softmax' }),
    ]),
    data: { train: classified(45, [6], 3), validation: classified(17, [6], 3, 2) },
    loss: 'sparseCategoricalCrossentropy',
    metrics: ['accuracy'],
    optimizer: optimizers.sgd({ learningRate: 0.2, momentum: 0.9, globalClipnorm: 0.5 }),
    batchSize: 12,
    epochs: 2,
    seed: 7,
    shards: 5,
    workers: 1,
    kernels: 'wasm',
    ...options,
  };
}

/** One tensor of one block: among several hosts all but one own nothing of it. */
export function single(options: Partial<TrainOptions> = {}): TrainOptions {
  return normalized({
    model: sequential([layers.dense({ units: 3, activation: 'softmax', useBias: false })]),
    optimizer: optimizers.adam({ learningRate: 0.01, clipPercentile: 30, clipHistory: 3 }),
    ...options,
  });
}

/** A mask: moments bring their count. */
export function masked(options: Partial<TrainOptions> = {}): TrainOptions {
  return normalized({
    model: sequential([
      layers.activation({ activation: 'relu' }),
      layers.reshape({ targetShape: [3, 2] }),
      layers.masking(),
      layers.batchNormalization(),
      layers.flatten(),
      layers.dense({ units: 3, activation: 'softmax' }),
    ]),
    ...options,
  });
}

/** Rows that count differently, and metrics of one number and of many. */
export function weighed(options: Partial<TrainOptions> = {}): TrainOptions {
  const labelled = (rows: number, seed: number): ArrayData => {
    const x = numbers(6 * rows, seed);
    return {
      x,
      y: Array.from({ length: rows }, (_, row) => [0, 1, 2].map((c) => (x[6 * row + c]! > 0 ? 1 : 0))),
      inputShape: [6],
      sampleWeights: numbers(rows, 9).map(Math.abs),
    };
  };
  return normalized({
    model: sequential([layers.batchNormalization(), layers.dense({ units: 3, activation: 'sigmoid' })]),
    data: { train: labelled(45, 1), validation: labelled(17, 2) },
    loss: { type: 'binaryCrossentropy', labelSmoothing: 0.1 },
    metrics: ['accuracy', 'auc', 'precision', 'meanAbsoluteError'],
    classWeight: { 1: 2.5 },
    ...options,
  });
}

/** Three buckets of gradients, of 4 MiB each: some leave while backward goes on. */
export function wide(options: Partial<TrainOptions> = {}): TrainOptions {
  return normalized({
    model: sequential([
      layers.dense({ units: 1024, activation: 'relu' }),
      layers.dense({ units: 1030, activation: 'relu' }),
      layers.batchNormalization(),
      layers.dense({ units: 1030, activation: 'relu' }),
      layers.dense({ units: 3, activation: 'softmax' }),
    ]),
    optimizer: optimizers.sgd({ learningRate: 0.05, clipnorm: 0.2 }),
    steps: 3,
    epochs: undefined,
    ...options,
  });
}

/** The state after every step of a run on one host, that before the first one first. */
export async function statesOf(options: TrainOptions): Promise<string[]> {
  const states: string[] = [];
  const openCrew: OpenCrew = async (session) => {
    const crew = await openLocalCrew(session);
    states.push(stateHash(crew.station));
    return {
      ...crew,
      async train(order) {
        for (let i = 0; i < order.batches; i++) {
          const [, updates, skippedInARow] = crew.station.arena.i32.subarray(crew.station.plan.standing >>> 2) as unknown as [number, number, number];
          await crew.train({ ...order, firstBatch: order.firstBatch + i, batches: 1, firstStep: order.firstStep + i, updates, skippedInARow });
          states.push(stateHash(crew.station));
        }
      },
    };
  };
  await train({ ...options, openCrew });
  return states;
}
