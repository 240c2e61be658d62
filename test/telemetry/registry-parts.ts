/** Room: tests of telemetry. What a registry is told in its tests, and what is read from its text. */
import { MetricsRegistry } from '../../src/telemetry/registry.ts';
import type { ClusterSnapshot, HostSnapshot, ProcessSnapshot, RankSnapshot } from '../../src/telemetry/snapshot.ts';
import { phases } from '../../src/telemetry/timing.ts';

export const rank = (number: number, seconds: number): RankSnapshot => ({
  rank: number,
  seconds: Object.fromEntries(phases.map((phase) => [phase, phase === 'wait' ? 1 : seconds])) as RankSnapshot['seconds'],
  step: 7,
  phase: 'forward',
  layer: 'dense',
});

export const processWith = (ranks: readonly RankSnapshot[], changes: Partial<ProcessSnapshot> = {}): ProcessSnapshot => ({
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
export const clusterWith = (...names: string[]): ClusterSnapshot => ({
  state: 'running',
  hosts: names.map(host),
  membershipChanges: { joined: 5, left: 1, lost: 2 },
  replayedSteps: 2,
  recoverySeconds: [0.5, 1.5],
  staleMessages: 3,
  timeouts: [{ host: 'gone', phase: 'forward', count: 1 }],
});

export const step = {
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
export function valueIn(text: string, start: string): number | undefined {
  const line = text.split('\n').find((candidate) => candidate.startsWith(start) && !candidate.startsWith('#'));
  return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ') + 1));
}

export function watched(): { registry: MetricsRegistry; now: { process: ProcessSnapshot | undefined; cluster: ClusterSnapshot | undefined } } {
  const now: { process: ProcessSnapshot | undefined; cluster: ClusterSnapshot | undefined } = { process: undefined, cluster: undefined };
  const registry = new MetricsRegistry({ identity: () => ({ run: 'r', host: 'h' }), process: () => now.process, cluster: () => now.cluster });
  return { registry, now };
}

export const facts = {
  labels: { version: '1', kernels: 'wasm', topology: 'mesh', shards: '4', batch_size: '64', optimizer: 'sgd', loss: 'x' },
  targetSteps: 100,
  stepsPerEpoch: 10,
  checkpoints: true,
  clip: { kind: 'globalClipnorm', threshold: 1 },
} as const;

/** The names of all series that are told of a run. */
export function told(text: string): Set<string> {
  return new Set(text.match(/^lockstep_\w+/gm));
}
