/**
 * Room: tests of the cluster, integration. The promise of the house among processes: whoever computes, the weights have the SHA-256 of
 * one process with four workers. The run normalises first and in the middle, drops out, clips, evaluates, and the last batch of
 * an epoch has fewer rows than shards.
 */
import test from 'ava';
import { ringLength } from '../../../src/telemetry/reports.ts';
import { deadlineMs, party, recipe } from './party.ts';

const run = recipe();
/** Twelve epochs and two steps. */
const steps = 62;

for (const topology of ['star', 'mesh'] as const) {
  for (const [workers, ...others] of [
    [2, 2],
    [0, 2],
    [0, 1, 2, 1],
  ] as const) {
    test.serial(`a coordinator with ${workers} workers and hosts with ${others.join(', ')} give the bits of one process: ${topology}`, async (t) => {
      const minHosts = others.length + (workers > 0 ? 1 : 0);
      const cluster = await party(t, run, { workers, steps, flags: ['--min-hosts', String(minHosts), '--topology', topology] });
      const hosts = others.map((count, i) => cluster.join(`host${i}`, '--workers', String(count)));
      const output = await cluster.done(t);
      for (const [i, host] of hosts.entries()) {
        t.regex(output, new RegExp(`host host${i} joined with ${others[i]} worker`));
        const said = await host.succeeds(deadlineMs);
        t.regex(said, /The run is done\. The last step here was 62\.\n/);
        t.true(said.includes(`weights ${await run.sha(steps)}\n`), 'every host ends with the same weights');
      }
    });
  }
}

for (const type of ['lamb', 'nadam'] as const) {
  const schedule = { type: 'cosineDecay', initialLearningRate: 0.02, decaySteps: 20, warmupSteps: 3 };
  const other = recipe({ optimizer: { type, learningRate: schedule, weightDecay: 0.01, useEma: true, globalClipnorm: 0.5 } });
  test.serial(`hosts whose optimizer is ${type}, with a schedule and an average, give the bits of one process`, async (t) => {
    const cluster = await party(t, other, { workers: 1, steps: 14, flags: ['--min-hosts', '3', '--topology', 'mesh'] });
    const hosts = [2, 1].map((count, i) => cluster.join(`host${i}`, '--workers', String(count)));
    await cluster.done(t);
    for (const host of hosts) t.true((await host.succeeds(deadlineMs)).includes(`weights ${await other.sha(14)}\n`), 'every host ends with the same weights');
  });
}

const clipped = recipe({ optimizer: { type: 'sgd', learningRate: 0.5, momentum: 0.9, adaptiveClip: 0.02, excludeFromAdaptiveClip: ['dense_1'] } });
for (const topology of ['star', 'mesh'] as const) {
  test.serial(`hosts that clip unit by unit give the bits of one process: ${topology}`, async (t) => {
    const cluster = await party(t, clipped, { workers: 1, steps: 14, flags: ['--min-hosts', '3', '--topology', topology] });
    const hosts = [2, 1].map((count, i) => cluster.join(`host${i}`, '--workers', String(count)));
    await cluster.done(t);
    for (const host of hosts) t.true((await host.succeeds(deadlineMs)).includes(`weights ${await clipped.sha(14)}\n`), 'every host ends with the same weights');
  });
}

const remembered = recipe({ optimizer: { type: 'adam', clipPercentile: 30, clipHistory: 5 } });
for (const topology of ['star', 'mesh'] as const) {
  test.serial(`hosts that clip by a percentile of norms give the bits of one process: ${topology}`, async (t) => {
    const cluster = await party(t, remembered, { workers: 1, steps: 14, flags: ['--min-hosts', '3', '--topology', topology] });
    const hosts = [2, 1].map((count, i) => cluster.join(`host${i}`, '--workers', String(count)));
    await cluster.done(t);
    for (const host of hosts) t.true((await host.succeeds(deadlineMs)).includes(`weights ${await remembered.sha(14)}\n`), 'every host ends with the same weights');
  });
}

const layersThatWait = [
  { type: 'flatten' },
  { type: 'batchNormalization', trainable: false },
  { type: 'dense', units: 24, activation: 'elu' },
  { type: 'batchNormalization' },
  { type: 'dense', units: 3, activation: 'softmax' },
];
const waiting = recipe({ model: { layers: layersThatWait }, freeze: [{ layers: ['dense', 'batch_normalization_1'], until: 1 }] });
test.serial('hosts whose first layers are frozen for an epoch give the bits of one process', async (t) => {
  for (const topology of ['star', 'mesh'] as const) {
    const cluster = await party(t, waiting, { workers: 1, steps: 14, flags: ['--min-hosts', '3', '--topology', topology] });
    const hosts = [2, 1].map((count, i) => cluster.join(`host${i}`, '--workers', String(count)));
    await cluster.done(t);
    for (const host of hosts) t.true((await host.succeeds(deadlineMs)).includes(`weights ${await waiting.sha(14)}\n`), 'every host ends with the same weights');
  }
});

const blocks = {
  layers: [
    { type: 'flatten' },
    { type: 'dense', units: 24, activation: 'elu', name: 'stem' },
    { type: 'batchNormalization' },
    { type: 'dense', units: 24, activation: 'tanh' },
    { type: 'scalarAffine' },
    { type: 'add', from: 'stem' },
    { type: 'dense', units: 3, activation: 'softmax' },
  ],
};
const residual = recipe({ model: blocks });
test.serial('hosts that train a residual network give the bits of one process', async (t) => {
  const cluster = await party(t, residual, { workers: 1, steps: 14, flags: ['--min-hosts', '3', '--topology', 'mesh'] });
  const hosts = [2, 1].map((count, i) => cluster.join(`host${i}`, '--workers', String(count)));
  await cluster.done(t);
  for (const host of hosts) t.true((await host.succeeds(deadlineMs)).includes(`weights ${await residual.sha(14)}\n`), 'every host ends with the same weights');
});

const ghosts = {
  layers: [
    { type: 'flatten' },
    { type: 'dense', units: 24, activation: 'elu' },
    { type: 'batchNormalization', synchronized: false },
    { type: 'dropout', rate: 0.2 },
    { type: 'dense', units: 3, activation: 'softmax' },
  ],
};
const whole = recipe({ model: ghosts, batchSize: 80, shards: 8 });
const parts = recipe({ model: ghosts, batchSize: 20, gradientAccumulationSteps: 4, shards: 8 });
test.serial('hosts that compute a large batch in parts give the bits of one process that computes it at once', async (t) => {
  const cluster = await party(t, parts, { workers: 1, steps: 8, flags: ['--min-hosts', '3', '--topology', 'mesh'] });
  const hosts = [2, 1].map((count, i) => cluster.join(`host${i}`, '--workers', String(count)));
  await cluster.done(t);
  for (const host of hosts) t.true((await host.succeeds(deadlineMs)).includes(`weights ${await whole.sha(8)}\n`), 'every host ends with the same weights');
});

test.serial('a generation may last longer than the ring of reports', async (t) => {
  const many = ringLength + 30;
  const cluster = await party(t, run, { workers: 1, steps: many, flags: ['--min-hosts', '2'] });
  const host = cluster.join('host', '--workers', '1');
  await cluster.done(t);
  t.regex(await host.succeeds(deadlineMs), /The run is done/);
});
