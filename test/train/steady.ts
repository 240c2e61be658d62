/**
 * Room: tests of train. What a step leaves behind on the JavaScript heap: nothing that stays, and no garbage but clock readings. One optimizer a
 * process, as in a run: code that has seen several is compiled to box the numbers that it passes on.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { ExecutionContext } from 'ava';
import { controlIndex } from '../../src/collectives/control.ts';
import type { OptimizerConfigInput } from '../../src/config/optimizers.ts';
import { parseOptimizer } from '../../src/config/parse.ts';
import { openKernels, selectKernels } from '../../src/kernels/select.ts';
import { Arena } from '../../src/memory/arena.ts';
import { sequential } from '../../src/model/model.ts';
import { planRun } from '../../src/model/plan.ts';
import { initialWeights, storeWeights } from '../../src/model/weights.ts';
import { roomOf } from '../../src/optimizers/room.ts';
import { scheduledRates, trainBatches } from '../../src/train/loop.ts';
import { createRank } from '../../src/train/rank.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** A clock reading is a boxed double of 16 bytes: 2 at each meeting, 2 at each sync of a layer, one at each phase, two around the step. */
const clockBytes = 16 * (2 * 10 + 2 * 5 + 8 + 2);

/** What the 27 matrix products of a step (3 layers, 3 shards, 3 products) may leave behind in the foreign-function interface. */
const callBytes = 16 * 27;

/** Trains some thousand steps and looks at the heap. `meetings`: how many the optimizer adds to a step. */
export function staysSteady(t: ExecutionContext, set: 'wasm' | 'auto', input: OptimizerConfigInput, meetings = 0): void {
  const { config } = sequential([
    { type: 'batchNormalization', inputShape: [8] },
    { type: 'dense', units: 16, activation: 'elu', name: 'stem' },
    { type: 'dropout', rate: 0.2 },
    { type: 'batchNormalization' },
    { type: 'dense', units: 16, activation: 'gelu' },
    { type: 'scalarAffine' },
    { type: 'add', from: ['stem', 'dropout'] },
    { type: 'batchNormalization' },
    { type: 'dense', units: 4, activation: 'softmax' },
  ]);
  const optimizer = parseOptimizer(input);
  const train = { length: 8000, inputShape: [8], inputType: 'float32', scale: 1, targetSize: 0 } as const;
  const plan = planRun({
    model: config,
    inputShape: [8],
    loss: 'sparseCategoricalCrossentropy',
    shards: 3,
    ranks: 1,
    batchRows: 8,
    ...roomOf(optimizer),
    train,
  });
  const arena = Arena.create(plan.memory.bytes);
  storeWeights(initialWeights(plan.topology, 1), plan, arena);
  const inputs = plan.train!.inputs >>> 2;
  for (let i = 0; i < 64_000; i++) arena.f32[inputs + i] = ((i * 7919) % 101) / 50 - 1;
  const kernels = openKernels(selectKernels(set), arena, plan.ranks[0]!.scratch);
  const spec = { optimizer, seed: 1, shuffle: true, batchSize: 8, validationBatchSize: 8, onNonFinite: 'halt', haltAfterSkipped: 5 } as const;
  const rank = createRank(plan, 0, arena, kernels, spec, 0);
  const control = controlIndex(plan.control);
  /** A thousand steps (the ring of reports holds them), and how much of the heap they took. */
  const thousand = (): number => {
    Atomics.store(arena.i32, control.consumed, Atomics.load(arena.i32, control.reported));
    const before = process.memoryUsage().heapUsed;
    trainBatches(rank, { epoch: 0, firstBatch: 0, batches: 1000, firstStep: 1, updates: 0, skippedInARow: 0, ...scheduledRates });
    return process.memoryUsage().heapUsed - before;
  };
  for (let i = 0; i < 15; i++) thousand();
  collectGarbage();
  const settled = process.memoryUsage().heapUsed;
  // The least of several: compilation and collection happen when they like, and only ever add or hide whole chunks.
  const taken = Array.from({ length: 9 }, thousand).filter((bytes) => bytes > 0);
  collectGarbage();
  const kept = process.memoryUsage().heapUsed - settled;
  t.true(Math.min(...taken) / 1000 < clockBytes + 16 * 2 * meetings + (kernels.set === 'blas' ? callBytes : 0) + 100, `${Math.min(...taken) / 1000} bytes a step`);
  t.true(kept < 50_000, `${kept} bytes kept by 9,000 steps`);
}
