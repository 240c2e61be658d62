/**
 * Room: scripts (level 8). What `npm run bench` measures. Every figure that is a ratio has both sides in the same run,
 * alternating.
 */
import { loadBlas } from '../../src/kernels/blas.ts';
import { gemmForm, type Kernels, kernelScratchBytes } from '../../src/kernels/contract.ts';
import { openKernels, selectKernels } from '../../src/kernels/select.ts';
import { train } from '../../src/local/train.ts';
import { Arena } from '../../src/memory/arena.ts';
import { MemoryPlan } from '../../src/memory/plan.ts';
import type { StepEvent } from '../../src/telemetry/events.ts';
import { bookModel, flopsPerRow, stepSeconds } from './network.ts';
import { peers } from './peers.ts';
import { type Figure, median } from './stats.ts';
import { topologies } from './topologies.ts';
import { watching } from './watching.ts';

export type Measure = () => Promise<Figure[]>;

const sets = (): ('wasm' | 'blas')[] => (loadBlas().ok ? ['wasm', 'blas'] : ['wasm']);

function kernelsOf(set: 'wasm' | 'blas'): Kernels {
  const scratch = new MemoryPlan().reserve('scratch', kernelScratchBytes);
  return openKernels(selectKernels(set), Arena.create(2 ** 25), scratch);
}

/** Median GFLOP/s of some products. */
function gemmRate(kernels: Kernels, m: number, n: number, k: number, times = 7): number {
  const a = 2 ** 22;
  const b = a + 4 * m * k;
  const rates = Array.from({ length: times }, () => {
    const began = performance.now();
    kernels.gemm(gemmForm.NN, m, n, k, a, b, b + 4 * k * n);
    return (2 * m * n * k) / (performance.now() - began) / 1e6;
  });
  return median(rates);
}

/** Matrix products of the two kernel sets. */
async function gemm(): Promise<Figure[]> {
  const figures: Figure[] = [];
  const kernels = sets().map((set) => ({ set, kernels: kernelsOf(set) }));
  for (const [m, k, n] of [
    [512, 784, 300],
    [64, 784, 300],
    [1024, 1024, 1024],
  ] as const) {
    const rates: { readonly wasm: number[]; readonly blas: number[] } = { wasm: [], blas: [] };
    for (let pair = 0; pair < 7; pair++) for (const { set, kernels: own } of kernels) rates[set].push(gemmRate(own, m, n, k));
    for (const { set } of kernels) figures.push({ name: `gemm ${m}x${k}x${n} ${set}`, value: median(rates[set]), unit: 'GFLOP/s' });
    if (kernels.length === 2) {
      const ratio = median(rates.wasm.map((rate, i) => (100 * rate) / rates.blas[i]!));
      figures.push({ name: `gemm ${m}x${k}x${n} wasm of blas`, value: ratio, unit: '%', ...(m === 512 && { goal: { atLeast: 30 } }) });
    }
  }
  return figures;
}

/** Two workers against one, at batch 512, over the same two shards and over as many shards as workers. */
async function scaling(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const kernels of sets()) {
    for (const shards of [2, undefined]) {
      const options = { kernels, batchSize: 512, steps: 90, ...(shards && { shards }) };
      const [one, two]: [number[], number[]] = [[], []];
      for (let pair = 0; pair < 9; pair++) {
        one.push(await stepSeconds({ ...options, workers: 1 }));
        two.push(await stepSeconds({ ...options, workers: 2 }));
      }
      const ratio = median(one.map((seconds, i) => seconds / two[i]!));
      const name = `${kernels}, ${shards ? 'both with 2 shards' : 'a shard a worker'}`;
      figures.push({ name: `2 workers at batch 512, ${name}`, value: 512 / median(two) / 1000, unit: 'k samples/s' });
      figures.push({ name: `2 workers against 1 at batch 512, ${name}`, value: ratio, unit: 'x', goal: { atLeast: 1.8 } });
    }
  }
  return figures;
}

/** How much of the large-product rate a whole training step keeps, one worker, batch 1024. */
async function efficiency(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const set of sets()) {
    const kernels = kernelsOf(set);
    const [rates, steps]: [number[], number[]] = [[], []];
    for (let pair = 0; pair < 5; pair++) {
      rates.push(gemmRate(kernels, 1024, 1024, 1024));
      steps.push((flopsPerRow * 1024) / (await stepSeconds({ kernels: set, batchSize: 1024, workers: 1, shards: 1, steps: 60 })) / 1e9);
    }
    figures.push({ name: `large product, ${set}`, value: median(rates), unit: 'GFLOP/s' });
    figures.push({ name: `training step at batch 1024, 1 worker, ${set}`, value: median(steps), unit: 'GFLOP/s' });
    const share = median(steps.map((rate, i) => (100 * rate) / rates[i]!));
    figures.push({ name: `step of large product, ${set}`, value: share, unit: '%', ...(set === 'blas' && { goal: { atLeast: 80 } }) });
  }
  return figures;
}

/**
 * A step with hardly any arithmetic: the example's layers, 16 wide, one row a rank. What is left is the cost of a step
 * itself on 2 ranks: eight meetings, calls, statistics, decision, report.
 */
async function overhead(): Promise<Figure[]> {
  const runs: number[] = [];
  for (let run = 0; run < 5; run++) {
    const seconds: number[] = [];
    await train({
      model: bookModel([4, 4], [16, 16], 10),
      data: { train: { x: new Float32Array(64 * 16).map((_, i) => (i % 13) / 13), inputShape: [4, 4], y: Int32Array.from({ length: 64 }, (_, i) => i % 10) } },
      loss: 'sparseCategoricalCrossentropy',
      optimizer: { type: 'sgd', learningRate: 0.01, momentum: 0.9, globalClipnorm: 1 },
      batchSize: 2,
      steps: 20_000,
      workers: 2,
      shards: 2,
      onStep: (event) => seconds.push(event.seconds),
    });
    runs.push(median(seconds.slice(5000)));
  }
  return [{ name: 'a whole step of a tiny model on 2 ranks', value: 1e6 * median(runs), unit: 'us', goal: { atMost: 60 } }];
}

/** Resident memory of the process over 20,000 steps of the example network. */
async function memory(): Promise<Figure[]> {
  const readings: number[] = [];
  const onStep = ({ step }: StepEvent): void => {
    if (step % 1000 === 0) readings.push(process.memoryUsage.rss() / 2 ** 20);
  };
  await stepSeconds({ batchSize: 64, steps: 20_000, workers: 2, shards: 2, onStep });
  const [first, last] = [readings[0]!, readings.at(-1)!];
  return [
    { name: 'resident memory at step 1,000', value: first, unit: 'MiB' },
    { name: 'resident memory at step 20,000', value: last, unit: 'MiB' },
    { name: 'growth from step 1,000 to 20,000', value: (100 * (last - first)) / first, unit: '%', goal: { atMost: 2 } },
  ];
}

export const measures: Readonly<Record<string, Measure>> = { gemm, scaling, efficiency, overhead, memory, peers, topologies, watching };
