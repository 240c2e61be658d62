/**
 * Room: tests of telemetry. From steps, snapshots and what happened to hosts to Prometheus' text: every metric of the table can be told, counters only grow,
 * and hosts that are gone take their series along.
 */
import test from 'ava';
import { metrics } from '../../src/telemetry/names.ts';
import { MetricsRegistry } from '../../src/telemetry/registry.ts';
import type { ClusterSnapshot, HostSnapshot, ProcessSnapshot, RankSnapshot } from '../../src/telemetry/snapshot.ts';
import { phases } from '../../src/telemetry/timing.ts';

const rank = (number: number, seconds: number): RankSnapshot => ({
  rank: number,
  seconds: Object.fromEntries(phases.map((phase) => [phase, phase === 'wait' ? 1 : seconds])) as RankSnapshot['seconds'],
  step: 7,
  phase: 'forward',
  layer: 'dense',
});

const processWith = (ranks: readonly RankSnapshot[], changes: Partial<ProcessSnapshot> = {}): ProcessSnapshot => ({
  step: 7,
  generation: 3,
  ranks,
  observed: { step: 6, updateRatio: 0.01, layerGradientNorms: [['dense', 0.5]], bnDrift: [['bn', 0.25]] },
  bnVarianceMin: [['bn', 0.125]],
  bnSyncs: 35,
  shards: 4,
  arenaBytes: { data: 4096 },
  network: {
    controlBytes: [1, 2],
    controlMessages: [3, 4],
    stepBytes: [5, 6],
    stepMessages: [7, 8],
    gradientBytesOut: 9,
    sendQueueBytes: 10,
    reconnects: 1,
    refusedPeers: { token: 2 },
  },
  ...changes,
});

const host = (name: string): HostSnapshot => ({ name, state: 'member', workers: 2, shards: 4, heartbeatAgeSeconds: 0.5, rttSeconds: 0.001, metricsAddress: '' });
const clusterWith = (...names: string[]): ClusterSnapshot => ({
  state: 'running',
  hosts: names.map(host),
  membershipChanges: { joined: 5, left: 1, lost: 2 },
  replayedSteps: 2,
  recoverySeconds: [0.5, 1.5],
  staleMessages: 3,
  timeouts: [{ host: 'gone', phase: 'forward', count: 1 }],
});

const step = {
  event: 'step',
  step: 7,
  epoch: 0,
  samples: 64,
  loss: 0.5,
  metrics: { accuracy: 0.75 },
  gradNorm: 2,
  clipScale: 0.5,
  learningRate: 0.1,
  seconds: 0.004,
} as const;

/** Value of a series, by how its line begins. */
function valueIn(text: string, start: string): number | undefined {
  const line = text.split('\n').find((candidate) => candidate.startsWith(start) && !candidate.startsWith('#'));
  return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ') + 1));
}

function watched(): { registry: MetricsRegistry; now: { process: ProcessSnapshot | undefined; cluster: ClusterSnapshot | undefined } } {
  const now: { process: ProcessSnapshot | undefined; cluster: ClusterSnapshot | undefined } = { process: undefined, cluster: undefined };
  const registry = new MetricsRegistry({ identity: () => ({ run: 'r', host: 'h' }), process: () => now.process, cluster: () => now.cluster });
  return { registry, now };
}

const facts = {
  labels: { version: '1', kernels: 'wasm', topology: 'mesh', shards: '4', batch_size: '64', optimizer: 'sgd', loss: 'x' },
  targetSteps: 100,
  stepsPerEpoch: 10,
  clip: { kind: 'globalClipnorm', threshold: 1 },
} as const;

test('every metric of the table is told, with its help and type, and run and host on every series', async (t) => {
  const { registry, now } = watched();
  registry.begin(facts);
  registry.step(step);
  registry.step({ ...step, step: 8, gradNorm: Number.NaN, skipped: { phase: 'forward' } });
  registry.epoch({ event: 'epoch', epoch: 0, loss: 1, metrics: {}, validation: { loss: 0.25, metrics: { accuracy: 0.9 } } });
  now.process = processWith([rank(0, 1), rank(1, 3)]);
  now.cluster = clusterWith('a', 'b');
  await registry.text();
  now.process = processWith([rank(0, 2), rank(1, 5)]);
  const text = await registry.text();
  for (const { name, type, help } of Object.values(metrics)) {
    t.true(text.includes(`# HELP ${name} ${help}\n`), name);
    t.true(text.includes(`# TYPE ${name} ${type}\n`), name);
    const series = text.split('\n').filter((line) => line.startsWith(name) && !line.startsWith('#'));
    t.true(
      series.some((line) => Number.isFinite(Number(line.slice(line.lastIndexOf(' ') + 1)))),
      `${name} has a value`,
    );
    for (const line of series) t.regex(line, /run="r".*host="|host=".*run="r"/);
  }
  t.is(valueIn(text, 'lockstep_steps_total{result="applied"'), 1);
  t.is(valueIn(text, 'lockstep_steps_total{result="skipped"'), 1);
  t.is(valueIn(text, 'lockstep_non_finite_steps_total{phase="forward"'), 1);
  t.is(valueIn(text, 'lockstep_clipped_steps_total'), 2);
  t.is(valueIn(text, 'lockstep_rank_compute_seconds_total{rank="1"'), 5 * (phases.length - 2));
  t.is(valueIn(text, 'lockstep_rank_wait_seconds_total{rank="1"'), 1);
  t.is(valueIn(text, 'lockstep_straggler_ratio'), 2 / 1.5);
  t.is(valueIn(text, 'lockstep_recovery_duration_seconds_count'), 2);
  t.is(valueIn(text, 'lockstep_loss{split="validation"'), 0.25);
});

test('a total that begins anew goes on from what was told', async (t) => {
  const { registry, now } = watched();
  for (const [seconds, expected] of [
    [2, 2],
    [5, 5],
    [1, 6],
    [3, 8],
  ] as const) {
    now.process = processWith([rank(0, seconds)]);
    t.is(valueIn(await registry.text(), 'lockstep_phase_seconds_total{rank="0",phase="forward"'), expected);
  }
});

test('series of hosts that are gone go with them, however many came and left', async (t) => {
  const { registry, now } = watched();
  now.process = processWith([rank(0, 1)]);
  const counts = new Set<number>();
  for (let i = 0; i < 50; i++) {
    now.cluster = clusterWith('a', `guest-${i}`);
    const text = await registry.text();
    counts.add(text.split('\n').filter((line) => line.startsWith('lockstep_')).length);
    t.is(valueIn(text, `lockstep_host_shards{host="guest-${i}"`), 4);
    t.is(valueIn(text, `lockstep_host_shards{host="guest-${i - 1}"`), undefined);
  }
  t.is(counts.size, 1);
});

test('before there is anything to tell nothing is told of a run', async (t) => {
  const { registry } = watched();
  const text = await registry.text();
  for (const { name, type } of Object.values(metrics)) if (type === 'gauge') t.is(valueIn(text, `${name}{`), undefined, name);
});

test('the state of the run is one of them', async (t) => {
  const { registry } = watched();
  registry.state('recovering');
  registry.state('done');
  const text = await registry.text();
  t.is(valueIn(text, 'lockstep_run_state{state="done"'), 1);
  t.is(text.split('\n').filter((line) => /^lockstep_run_state\{.* 1$/.test(line)).length, 1);
});
