/**
 * Room: tests of local. A team of ranks of which two fail at once, each in a way of its own: all end, and their threads with them.
 */
import test from 'ava';
import { parseOptimizer } from '../../src/config/parse.ts';
import { arraySource } from '../../src/data/arrays.ts';
import { layers } from '../../src/layers/factories.ts';
import { openStation } from '../../src/local/session.ts';
import { sequential } from '../../src/model/model.ts';
import { scheduledRates } from '../../src/train/loop.ts';
import { classified, threads, within } from '../toy.ts';

const deadlineMs = 30_000;

test.serial('a rank that hangs while another has died is ended, too', async (t) => {
  const training = {
    optimizer: parseOptimizer({ type: 'sgd' }),
    seed: 1,
    shuffle: true,
    batchSize: 20,
    validationBatchSize: 20,
    onNonFinite: 'halt',
    haltAfterSkipped: 5,
  } as const;
  const station = openStation(
    {
      model: sequential([layers.dense({ units: 6, activation: 'relu' }), layers.dense({ units: 3, activation: 'softmax' })]),
      loss: 'sparseCategoricalCrossentropy',
      settings: { workers: 2, shards: 4, kernels: 'wasm', batchSize: 20, metrics: [] },
      optimizerSlots: 0,
      train: arraySource(classified(400, [4], 3)),
      training,
      vigil: { everyMs: 20, floorMs: 500, steps: 8, unmeasuredMs: 20_000 },
    },
    { worker: new URL('./two-faults-worker.js', import.meta.url) },
  );
  await station.change(undefined);
  const { team } = station;
  const order = { epoch: 0, firstBatch: 0, batches: 20, firstStep: 1, updates: 0, skippedInARow: 0, ...scheduledRates };
  t.is(await within(deadlineMs, 'the order', team.obey({ kind: 'train', ...order })), 'stumbled');
  t.is(team.failure!.rank, 0);
  t.is(team.failure!.step, 14);
  await within(deadlineMs, 'rest', team.rest());
  await within(deadlineMs, 'the end', team.end());
  t.is(threads(), 0);
});
