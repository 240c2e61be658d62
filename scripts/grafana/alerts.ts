/**
 * Room: scripts (level 8), Grafana. The rules by which Prometheus raises an alert. Each says what is wrong and what to do; thresholds that a chart
 * draws are the same here.
 */
import { metrics } from '../../src/telemetry/names.ts';
import { oldCheckpoint } from './checkpoints.ts';
import { anySeries, type Metric } from './promql.ts';

export interface Alert {
  readonly alert: string;
  readonly expr: string;
  /** How long it must hold. */
  readonly for: string;
  readonly severity: 'critical' | 'warning' | 'info';
  readonly summary: string;
  readonly description: string;
}

interface AlertGroup {
  readonly name: string;
  readonly rules: readonly Alert[];
}

const running = `max by (run) (${anySeries(metrics.runState, 'state="running"')}) == 1`;

/**
 * What a counter grew by. A counter with labels may begin to exist with its first fault: then `increase` sees no growth, and its value is it.
 */
function grown(counter: Metric, by: string, window: string, ...matchers: readonly string[]): string {
  const all = anySeries(counter, ...matchers);
  return `sum by (${by}) (increase(${all}[${window}]) > 0 or (${all} unless ${all} offset ${window}) > 0)`;
}

const progress: AlertGroup = {
  name: 'lockstep-run',
  rules: [
    {
      alert: 'LockstepRunStalled',
      expr: `max by (run) (changes(${anySeries(metrics.step)}[2m])) == 0 and on (run) ${running}`,
      for: '1m',
      severity: 'critical',
      summary: 'Run {{ $labels.run }} is running but takes no steps.',
      description:
        'No process has committed a step for two minutes. See the dashboard Cluster: whose heartbeat is old, and in which phase it was last seen. If a step is expected to take longer than a minute, raise the window of this rule.',
    },
    {
      alert: 'LockstepRunFailed',
      expr: `max by (run) (${anySeries(metrics.runState, 'state="failed"')}) == 1`,
      for: '0s',
      severity: 'critical',
      summary: 'Run {{ $labels.run }} failed.',
      description: 'The last lines of the coordinator say why in one sentence, with what to do; docs/errors.md has all codes.',
    },
    {
      alert: 'LockstepRunVanished',
      expr: `max by (run) (last_over_time(${anySeries(metrics.step)}[5m])) < on (run) max by (run) (last_over_time(${anySeries(metrics.targetSteps)}[5m])) unless on (run) ${anySeries(metrics.runState)}`,
      for: '15s',
      severity: 'critical',
      summary: 'Run {{ $labels.run }} is gone at step {{ $value }}, before its end.',
      description:
        'Its metrics ended without the run being done. Look whether the process of the coordinator is alive, whether the kernel ended it for lack of memory (dmesg), and whether its port of metrics can be reached from here. A run that was stopped on purpose looks the same.',
    },
  ],
};

const learning: AlertGroup = {
  name: 'lockstep-learning',
  rules: [
    {
      alert: 'LockstepNonFiniteSteps',
      expr: `${grown(metrics.nonFinite, 'run, phase', '1m')} > 0`,
      for: '0s',
      severity: 'warning',
      summary: 'Steps of run {{ $labels.run }} are skipped: a number was not finite in phase {{ $labels.phase }}.',
      description:
        'The weights are untouched, and after several skipped steps in a row the run halts. Lower the learning rate or set globalClipnorm; if the phase is data, look for NaN in the inputs.',
    },
    {
      alert: 'LockstepGradientExploding',
      expr: `max by (run) (quantile_over_time(0.5, ${anySeries(metrics.gradientNorm)}[30s])) > on (run) 10 * max by (run) (quantile_over_time(0.5, ${anySeries(metrics.gradientNorm)}[10m] offset 30s))`,
      for: '15s',
      severity: 'warning',
      summary: 'The gradient norm of run {{ $labels.run }} is {{ $value | humanize }}, ten times what it was.',
      description:
        'The median of the last 30 s is more than ten times that of the ten minutes before. See on the dashboard Run which layer it is; lower the learning rate, warm it up, or set globalClipnorm.',
    },
    {
      alert: 'LockstepBnVarianceCollapsed',
      expr: `min by (run, layer) (${anySeries(metrics.bnVarianceMin)}) < 1e-6 and on (run, layer) min by (run, layer) (${anySeries(metrics.bnVarianceMin)} offset 1m) < 1e-6`,
      for: '1m',
      severity: 'info',
      summary: 'A channel of {{ $labels.layer }} in run {{ $labels.run }} hardly varies any more.',
      description:
        'Its moving variance is {{ $value }}. On the inputs that is harmless: pixels that are black in all images do not vary. In a later layer a unit died: lower the learning rate, use elu instead of relu, or look for a layer without variation before it.',
    },
    {
      alert: 'LockstepBnDrift',
      expr: `max by (run, layer) (avg_over_time(${anySeries(metrics.bnDrift)}[1m])) > 1`,
      for: '2m',
      severity: 'warning',
      summary: 'Batches of {{ $labels.layer }} in run {{ $labels.run }} are far from the moving statistics.',
      description:
        'They are {{ $value | humanize }} standard deviations away, so that evaluation sees other numbers than training. Lower the momentum of the layer or the learning rate, and see whether batches are shuffled.',
    },
  ],
};

const speed: AlertGroup = {
  name: 'lockstep-speed',
  rules: [
    {
      alert: 'LockstepStraggler',
      expr: `max by (run, host) (${anySeries(metrics.straggler)}) > 1.5`,
      for: '1m',
      severity: 'warning',
      summary: 'One rank of {{ $labels.host }} holds up run {{ $labels.run }}.',
      description:
        'It computes {{ $value | humanize }} times as long as the mean of its host, and all others wait. See Anatomy of a step for which rank; look for other work on its core, for throttling, and for shards that cannot be divided among the workers.',
    },
    {
      alert: 'LockstepLowParallelEfficiency',
      expr: `min by (run, host) (${anySeries(metrics.efficiency)}) < 0.5 and on (run) ${running}`,
      for: '2m',
      severity: 'info',
      summary: 'Ranks of {{ $labels.host }} in run {{ $labels.run }} wait more than they compute.',
      description:
        'They compute {{ $value | humanizePercentage }} of their time. See Anatomy of a step for what they wait for: for other ranks (fewer workers, or a larger batch) or for hosts (a faster network, the mesh, or fewer hosts).',
    },
  ],
};

const cluster: AlertGroup = {
  name: 'lockstep-cluster',
  rules: [
    {
      alert: 'LockstepHostSilent',
      expr: `max by (run, host) (${anySeries(metrics.heartbeatAge)}) > 3`,
      for: '0s',
      severity: 'warning',
      summary: 'Host {{ $labels.host }} of run {{ $labels.run }} has been silent for {{ $value | humanizeDuration }}.',
      description:
        'A host gives a sign of life every half a second. If it stays silent it is given up and its shards go to others. See whether the machine is up, overloaded or cut off.',
    },
    {
      alert: 'LockstepHostLost',
      expr: `${grown(metrics.membershipChanges, 'run', '1m', 'kind="lost"')} > 0`,
      for: '0s',
      severity: 'warning',
      summary: 'Run {{ $labels.run }} lost a host.',
      description:
        'It goes on without it, with the same numbers. The coordinator says which one and why; start `lockstep join` there again when it is well, and it takes part from the next boundary.',
    },
    {
      alert: 'LockstepMembershipFlapping',
      expr: `sum by (run) (increase(${anySeries(metrics.membershipChanges)}[10m])) > 6`,
      for: '0s',
      severity: 'warning',
      summary: 'Hosts of run {{ $labels.run }} come and go.',
      description:
        '{{ $value | humanize }} changes of membership in ten minutes; each costs a new generation and a copy of the state. See Cluster for which host it is, keep it out until it is stable, and look at what restarts it.',
    },
    {
      alert: 'LockstepGenerationBehind',
      expr: `max by (run, host) (${anySeries(metrics.generation)}) < on (run) group_left () max by (run) (${anySeries(metrics.generation)})`,
      for: '1m',
      severity: 'warning',
      summary: 'Host {{ $labels.host }} of run {{ $labels.run }} missed a change of membership.',
      description: 'It stands at generation {{ $value }}, others are further. It can compute nothing that counts: end it and join anew.',
    },
    {
      alert: 'LockstepTokenRefused',
      expr: `${grown(metrics.refusedPeers, 'run, host', '5m', 'reason="token"')} > 0`,
      for: '0s',
      severity: 'warning',
      summary: 'Somebody without the right token tried to join run {{ $labels.run }} at {{ $labels.host }}.',
      description:
        'If it is one of your hosts, its --token-file is not the one of the coordinator. If it is not, the port is open to those who should not reach it: see docs/security.md.',
    },
    {
      alert: 'LockstepPeersRefused',
      expr: `${grown(metrics.refusedPeers, 'run, reason', '5m', 'reason!="token"')} > 3`,
      for: '0s',
      severity: 'info',
      summary: 'Run {{ $labels.run }} keeps refusing connections: {{ $labels.reason }}.',
      description:
        'A host that would like to join cannot. version, model, numerics and data mean that it was set up otherwise than the coordinator; its own last line says what differs.',
    },
    {
      alert: 'LockstepSlowRecovery',
      expr: `sum by (run) (increase(${metrics.recovery.name}_sum[10m])) / (sum by (run) (increase(${metrics.recovery.name}_count[10m])) > 0) > 30`,
      for: '0s',
      severity: 'warning',
      summary: 'Run {{ $labels.run }} took {{ $value | humanizeDuration }} to go on after a loss.',
      description:
        'The mean of the last ten minutes. Hosts that are given up late, or a state that is large for the network, make it long: see the dashboard Cluster, Recovery and Network.',
    },
    {
      alert: 'LockstepSendQueueGrowing',
      expr: `min_over_time(${anySeries(metrics.sendQueue)}[30s]) > ${64 * 2 ** 20}`,
      for: '30s',
      severity: 'warning',
      summary: '{{ $value | humanize1024 }}B wait to be sent by {{ $labels.host }} of run {{ $labels.run }}.',
      description: 'A peer reads more slowly than it is written to. See whether its machine swaps or its network is saturated; if one host is the cause, let it leave.',
    },
  ],
};

const written = anySeries(metrics.checkpoints, 'result="written"');

const checkpoints: AlertGroup = {
  name: 'lockstep-checkpoints',
  rules: [
    {
      alert: 'LockstepCheckpointsFailing',
      expr: `${grown(metrics.checkpoints, 'run', '10m', 'result="failed"')} > 0`,
      for: '0s',
      severity: 'warning',
      summary: 'Run {{ $labels.run }} could not write a checkpoint.',
      description:
        'It goes on and tries again when the next one is due, with the older ones in place. The process that leads it says why: make room on the disk, or make --run-dir writable again.',
    },
    {
      alert: 'LockstepNoCheckpoint',
      // One that was never written has no age.
      expr: `(time() - max by (run) (${anySeries(metrics.checkpointTime)}) > ${oldCheckpoint} or sum by (run) (${written} == 0 and ${written} offset ${oldCheckpoint}s == 0)) and on (run) ${running}`,
      for: '1m',
      severity: 'warning',
      summary: 'Run {{ $labels.run }} has not had a checkpoint for half an hour.',
      description:
        'All that was trained since would be lost with its machines. See on the dashboard Cluster whether checkpoints fail or are postponed; if they are due less often, set --checkpoint-every, or raise the threshold of this rule.',
    },
  ],
};

export const alertGroups: readonly AlertGroup[] = [progress, learning, speed, cluster, checkpoints];
