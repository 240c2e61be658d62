/**
 * Room: telemetry (level 2). Every metric of a run: its name, type, unit, labels and what it means. `docs/metrics.md` is made from this
 * table, dashboards and alerts are checked against it. All carry the labels `run` and `host` besides: of the process that tells them, unless a
 * metric has `host` as a label of its own. Steps and epochs are values, never labels.
 */

/** Who tells a metric: every process of a run, or only the one that leads it (on a single machine the only one). */
type Teller = 'every process' | 'the leading process';

export interface MetricDefinition {
  readonly name: string;
  readonly type: 'gauge' | 'counter' | 'histogram';
  /** As Grafana and people read it: `s`, `bytes`, `steps`, ... or `1` for a pure number. */
  readonly unit: string;
  readonly help: string;
  readonly labels: readonly string[];
  readonly toldBy: Teller;
  /** Upper bounds of a histogram. */
  readonly buckets?: readonly number[];
}

/** Three bounds a factor of ten, as near to equal factors as two digits are: from 10^first to 10^last. */
function decades(first: number, last: number): number[] {
  const bounds: number[] = [];
  for (let exponent = first; exponent < last; exponent++) for (const digits of ['1', '2.2', '4.6']) bounds.push(Number(`${digits}e${exponent}`));
  return [...bounds, Number(`1e${last}`)];
}

function metric(
  group: string,
  type: MetricDefinition['type'],
  name: string,
  unit: string,
  help: string,
  labels: readonly string[] = [],
  toldBy: Teller = 'the leading process',
  buckets?: readonly number[],
): MetricDefinition & { readonly group: string } {
  return { group, name: `lockstep_${name}`, type, unit, help, labels, toldBy, ...(buckets && { buckets }) };
}

const everywhere = 'every process';

/** All of them, by the name that the code has for each. */
export const metrics = {
  runInfo: metric('Run', 'gauge', 'run_info', '1', 'What the run is; always 1.', ['version', 'kernels', 'topology', 'shards', 'batch_size', 'optimizer', 'loss']),
  runState: metric('Run', 'gauge', 'run_state', '1', 'Whether the run is in this state: 1 for the one that it is in, 0 for the others.', ['state']),
  step: metric('Run', 'gauge', 'step', 'steps', 'The last step that was committed or skipped here.', [], everywhere),
  epoch: metric('Run', 'gauge', 'epoch', 'epochs', 'Epochs that have begun.'),
  targetSteps: metric('Run', 'gauge', 'target_steps', 'steps', 'Steps that the run is to take.'),
  stepsPerEpoch: metric('Run', 'gauge', 'steps_per_epoch', 'steps', 'Steps of a whole epoch.'),
  samples: metric('Run', 'counter', 'samples_total', 'rows', 'Rows that were trained on.'),
  steps: metric('Run', 'counter', 'steps_total', 'steps', 'Steps by result: `applied`, or `skipped` because a number was not finite.', ['result']),

  loss: metric('Learning', 'gauge', 'loss', '1', 'The mean loss: of the last step for `train`, of the last evaluation for `validation`.', ['split']),
  metric: metric('Learning', 'gauge', 'metric', '1', 'A metric of the config, as for the loss.', ['split', 'metric']),
  learningRate: metric('Learning', 'gauge', 'learning_rate', '1', 'The learning rate of the last step.'),
  gradientNorm: metric('Learning', 'gauge', 'gradient_norm', '1', 'Norm of the global gradient of the last step, before clipping.'),
  gradientNorms: metric(
    'Learning',
    'histogram',
    'gradient_norms',
    '1',
    'Norms of the global gradient before clipping, step by step.',
    [],
    'the leading process',
    decades(-4, 4),
  ),
  clipThreshold: metric('Learning', 'gauge', 'clip_threshold', '1', 'The `globalClipnorm`, `clipnorm` or `clipvalue` of the optimizer; absent without one of them.', [
    'kind',
  ]),
  clipScale: metric('Learning', 'gauge', 'clip_scale', '1', 'What clipping by norm multiplied the gradient with in the last step; 1 for untouched.'),
  clippedSteps: metric('Learning', 'counter', 'clipped_steps_total', 'steps', 'Steps whose gradient was scaled down by its norm.'),
  nonFinite: metric('Learning', 'counter', 'non_finite_steps_total', 'steps', 'Skipped steps, by the phase in which a number was first not finite.', ['phase']),
  updateRatio: metric(
    'Learning',
    'gauge',
    'update_to_weight_ratio',
    '1',
    'Norm of an update over the norm of the weights, about once a second; of larger models a million numbers stand for all.',
    [],
    everywhere,
  ),
  layerGradientNorm: metric(
    'Learning',
    'gauge',
    'layer_gradient_norm',
    '1',
    'Norm of the global gradient of one layer before clipping, about once a second.',
    ['layer'],
    everywhere,
  ),

  bnSyncs: metric(
    'Batch normalization',
    'counter',
    'bn_syncs_total',
    'syncs',
    'Statistics of layers that were merged over all shards, forward and backward.',
    [],
    everywhere,
  ),
  bnVarianceMin: metric('Batch normalization', 'gauge', 'bn_moving_variance_min', '1', 'The smallest moving variance of a channel.', ['layer'], everywhere),
  bnDrift: metric(
    'Batch normalization',
    'gauge',
    'bn_drift',
    '1',
    'How far a batch is from the moving statistics, about once a second: root mean square over channels of (batch mean - moving mean) / sqrt(moving variance + epsilon).',
    ['layer'],
    everywhere,
  ),

  stepDuration: metric('Time', 'histogram', 'step_duration_seconds', 's', 'Wall time of a step on the leading rank.', [], 'the leading process', decades(-4, 2)),
  phaseSeconds: metric('Time', 'counter', 'phase_seconds_total', 's', 'Time that ranks spent in each phase of a step.', ['rank', 'phase'], everywhere),
  rankCompute: metric('Time', 'counter', 'rank_compute_seconds_total', 's', 'Time in which a rank computed: without barriers and the network.', ['rank'], everywhere),
  rankWait: metric('Time', 'counter', 'rank_wait_seconds_total', 's', 'Time in which a rank waited for other ranks of its host.', ['rank'], everywhere),
  straggler: metric('Time', 'gauge', 'straggler_ratio', '1', 'Compute time of the slowest rank over the mean of the ranks, over the last seconds.', [], everywhere),
  efficiency: metric('Time', 'gauge', 'parallel_efficiency', '1', "Share of the ranks' time in which they computed, over the last seconds.", [], everywhere),

  hosts: metric('Cluster', 'gauge', 'hosts', 'hosts', 'Hosts by state: `preparing`, `prepared`, `member`, `leaving`.', ['state']),
  generation: metric('Cluster', 'gauge', 'generation', '1', 'The membership that holds now; it grows with every change.', [], everywhere),
  membershipChanges: metric('Cluster', 'counter', 'membership_changes_total', 'changes', 'Hosts that `joined`, `left` as they asked, or were `lost`.', ['kind']),
  hostShards: metric('Cluster', 'gauge', 'host_shards', 'shards', 'Shards that a host computes.', ['host']),
  heartbeatAge: metric('Cluster', 'gauge', 'heartbeat_age_seconds', 's', 'Time since the last sign of life of a host.', ['host']),
  heartbeatRtt: metric('Cluster', 'gauge', 'heartbeat_rtt_seconds', 's', 'Time until a host answered the last ping.', ['host']),
  staleMessages: metric('Cluster', 'counter', 'stale_messages_total', 'messages', 'Messages of generations that were over, which changed nothing.'),
  timeouts: metric(
    'Cluster',
    'counter',
    'timeouts_total',
    'timeouts',
    'Hosts that were given up for their silence, by the phase they were last seen in; of the latest few.',
    ['host', 'phase'],
  ),
  refusedPeers: metric('Cluster', 'counter', 'refused_peers_total', 'peers', 'Connections that were refused, by reason.', ['reason'], everywhere),

  replayedSteps: metric('Recovery', 'counter', 'replayed_steps_total', 'steps', 'Steps that were begun again because a host was lost or a rank died in them.'),
  recovery: metric(
    'Recovery',
    'histogram',
    'recovery_duration_seconds',
    's',
    'From the loss of a host or the death of a rank to the next command.',
    [],
    'the leading process',
    decades(-2, 2),
  ),
  rankRestarts: metric('Recovery', 'counter', 'rank_restarts_total', 'ranks', 'Ranks of this process that died and were started again, or left out.', [], everywhere),

  checkpoints: metric(
    'Checkpoints',
    'counter',
    'checkpoints_total',
    'checkpoints',
    'Checkpoints that were due: `written`, `failed` for what the system refused, or `postponed` because the one before was being written still.',
    ['result'],
  ),
  checkpointDuration: metric('Checkpoints', 'gauge', 'checkpoint_duration_seconds', 's', 'How long the last checkpoint was being written while ranks computed.'),
  checkpointBytes: metric('Checkpoints', 'gauge', 'checkpoint_bytes', 'bytes', 'Size of the last checkpoint that was written.'),
  checkpointStep: metric('Checkpoints', 'gauge', 'checkpoint_step', 'steps', 'The step of the last checkpoint that was written.'),
  checkpointStall: metric('Checkpoints', 'counter', 'checkpoint_stall_seconds_total', 's', 'Time that ranks stood for copies of the state.'),
  checkpointTime: metric(
    'Checkpoints',
    'gauge',
    'checkpoint_last_success_timestamp_seconds',
    's',
    'When the last checkpoint was written, in seconds since 1970; absent before the first one of this process.',
  ),

  networkBytes: metric(
    'Network',
    'counter',
    'network_bytes_total',
    'bytes',
    'Bytes of messages, without what WebSocket, TLS and TCP add: of `control` (with data and state), of `step`s, and of these the `gradient`s that went out.',
    ['direction', 'kind'],
    everywhere,
  ),
  networkMessages: metric('Network', 'counter', 'network_messages_total', 'messages', 'Messages, as for their bytes.', ['direction', 'kind'], everywhere),
  sendQueue: metric('Network', 'gauge', 'send_queue_bytes', 'bytes', 'Bytes that wait to be sent on control links.', [], everywhere),
  reconnects: metric('Network', 'counter', 'reconnects_total', 'connections', 'Connections to the coordinator that were made anew after one was lost.', [], everywhere),

  arenaBytes: metric('Memory', 'gauge', 'arena_bytes', 'bytes', 'Memory of the arena by what it holds.', ['kind'], everywhere),
} as const satisfies Record<string, MetricDefinition & { readonly group: string }>;

export type MetricKey = keyof typeof metrics;

/** States of a run, in `lockstep_run_state`. */
export const runStates = ['starting', 'waiting', 'forming', 'running', 'recovering', 'draining', 'done', 'failed'] as const;
export type RunStateName = (typeof runStates)[number];
