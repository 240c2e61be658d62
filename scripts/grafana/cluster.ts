/**
 * Room: scripts (level 8), Grafana. The dashboard *Cluster*: who takes part, who is in trouble and by whose fault, and what goes over the network.
 */
import { metrics } from '../../src/telemetry/names.ts';
import { checkpoints } from './checkpoints.ts';
import type { DashboardSpec } from './layout.ts';
import { badAt, bars, lines, number, strips, type Threshold } from './panels.ts';
import { mean, orNone, orZero, quantile, series } from './promql.ts';
import { stateIndex, stateMappings } from './states.ts';
import { memory, network } from './traffic.ts';

function count(title: string, description: string, expr: string, thresholds?: readonly Threshold[]) {
  return number({ title, description, unit: 'none', decimals: 0, width: 3, queries: [{ expr, legend: title.toLowerCase() }], ...(thresholds && { thresholds }) });
}

const overview = [
  count('Members', 'Hosts that compute in the present generation, the coordinator included.', `sum(${series(metrics.hosts, 'state="member"')})`),
  count('Generation', 'The membership that holds now. It grows with every change.', `max(${series(metrics.generation)})`),
  count('Lost hosts', 'Hosts that were lost since the run began.', orZero(`sum(${series(metrics.membershipChanges, 'kind="lost"')})`), badAt(1, 'orange')),
  count('Timeouts', 'Hosts that were given up for their silence.', orZero(`sum(${series(metrics.timeouts)})`), badAt(1, 'orange')),
  count('Replayed steps', 'Steps that were begun again because a host was lost or a rank died in them.', `sum(${series(metrics.replayedSteps)})`, badAt(1, 'orange')),
  count(
    'Refused peers',
    'Connections that were refused: wrong token, other version, other data, ...',
    orZero(`sum(${series(metrics.refusedPeers)})`),
    badAt(1, 'orange'),
  ),
  count('Reconnects', 'Connections to the coordinator that were made anew after one was lost.', `sum(${series(metrics.reconnects)})`, badAt(1, 'orange')),
  count('Behind', 'Processes whose generation is not the newest. Other than 0 for long, a host missed a change.', behindGeneration(), badAt(1)),
];

function behindGeneration(): string {
  const newest = `max by (run) (${metrics.generation.name}{run="$run"})`;
  return orZero(`count(${series(metrics.generation)} < on (run) group_left () ${newest})`);
}

const membership = [
  strips({
    title: 'State of the run',
    description: 'What the run did when. `recovering` follows the loss of a host, `forming` a change of membership.',
    unit: 'none',
    width: 12,
    height: 5,
    queries: [{ expr: stateIndex, legend: 'run' }],
    mappings: stateMappings,
  }),
  lines(
    {
      title: 'Generation by host',
      description: 'The membership that each process knows of. All steps up together; who stays below missed a change.',
      unit: 'none',
      width: 12,
      height: 5,
      queries: [{ expr: `max by (host) (${series(metrics.generation)})`, legend: '{{host}}' }],
    },
    { steps: true },
  ),
  lines(
    {
      title: 'Hosts by state',
      description: '`preparing` hosts get data and plan, `prepared` ones wait for a boundary, `member`s compute, `leaving` ones are about to go.',
      unit: 'none',
      width: 8,
      queries: [{ expr: `sum by (state) (${series(metrics.hosts)})`, legend: '{{state}}' }],
      min: 0,
    },
    { stacked: true, steps: true },
  ),
  lines(
    {
      title: 'Membership changes',
      description: 'Hosts that joined, left as they asked, or were lost, since the run began.',
      unit: 'none',
      width: 8,
      queries: [{ expr: `sum by (kind) (${series(metrics.membershipChanges)})`, legend: '{{kind}}' }],
      min: 0,
    },
    { steps: true },
  ),
  lines(
    {
      title: 'Shards by host',
      description: 'How the shards of a batch are shared out. Their sum never changes within a run, whoever takes part.',
      unit: 'none',
      width: 8,
      queries: [{ expr: `max by (host) (${series(metrics.hostShards)})`, legend: '{{host}}' }],
      min: 0,
    },
    { stacked: true, steps: true },
  ),
];

const guilt = [
  bars({
    title: 'Timeouts: who was silent, and where',
    description:
      'Hosts that were given up for their silence, by the phase in which they were last seen: `network` points at the link, any other phase at the host itself.',
    unit: 'none',
    width: 8,
    queries: [
      {
        expr: orNone(`sum by (host, phase) (${series(metrics.timeouts)})`, 'host'),
        legend: '{{host}} {{phase}}',
      },
    ],
    min: 0,
    thresholds: badAt(1),
  }),
  lines(
    {
      title: 'Silence',
      description: 'Time since the last sign of life of each host; they tell one every half a second. Dashed, from where on an alert says so.',
      unit: 's',
      width: 8,
      queries: [{ expr: `max by (host) (${series(metrics.heartbeatAge)})`, legend: '{{host}}' }],
      min: 0,
      thresholds: badAt(3),
    },
    { limit: true, calcs: ['max', 'lastNotNull'] },
  ),
  lines(
    {
      title: 'Round trip',
      description: 'Time until a host answered the last ping of the coordinator. High on one host: its link or its main thread; high on all: the coordinator.',
      unit: 's',
      width: 8,
      queries: [{ expr: `max by (host) (${series(metrics.heartbeatRtt)})`, legend: '{{host}}' }],
      min: 0,
    },
    { calcs: ['mean', 'max'] },
  ),
  lines(
    {
      title: 'Steps behind',
      description:
        'How many steps the last committed step of a host is behind that of the one furthest on. One is the time between scrapes; a host that stays behind is not scraped or not computing.',
      unit: 'none',
      width: 12,
      queries: [{ expr: `max by (run) (${metrics.step.name}{run="$run"}) - on (run) group_right () max by (run, host) (${series(metrics.step)})`, legend: '{{host}}' }],
      min: 0,
    },
    { calcs: ['mean', 'max'] },
  ),
  lines(
    {
      title: 'Refused peers by reason',
      description:
        '`token` is somebody without the secret, `version`, `model`, `numerics` and `data` are hosts set up otherwise, `protocol` and `size` are no Lockstep at all.',
      unit: 'none',
      width: 12,
      queries: [{ expr: orNone(`(sum by (reason) (${series(metrics.refusedPeers)}) > 0)`, 'reason'), legend: '{{reason}}' }],
      min: 0,
    },
    { steps: true },
  ),
];

const recovery = [
  number({
    title: 'Mean recovery',
    description: 'From the loss of a host or the death of a rank to the next command, the mean of all recoveries. Nothing when none was ever lost.',
    unit: 's',
    width: 4,
    height: 8,
    queries: [{ expr: mean(metrics.recovery), legend: 'mean', faultsOnly: true }],
    thresholds: [
      [null, 'green'],
      [10, 'orange'],
      [30, 'red'],
    ],
  }),
  lines(
    {
      title: 'Recovery',
      description: 'From the loss to the next command: median and 95th percentile over five minutes. Nothing when nobody was lost in them.',
      unit: 's',
      width: 7,
      queries: [
        { expr: quantile(0.5, metrics.recovery, '5m'), legend: 'median', faultsOnly: true },
        { expr: quantile(0.95, metrics.recovery, '5m'), legend: '95 %', faultsOnly: true },
      ],
      min: 0,
    },
    { calcs: ['max'] },
  ),
  lines(
    {
      title: 'Replayed and stale',
      description:
        'Steps that were begun again, and messages of generations that were over, which changed nothing. Both come with losses and changes of membership and only then.',
      unit: 'none',
      width: 7,
      queries: [
        { expr: `sum(${series(metrics.replayedSteps)})`, legend: 'replayed steps' },
        { expr: `sum(${series(metrics.staleMessages)})`, legend: 'stale messages' },
      ],
      min: 0,
    },
    { steps: true },
  ),
  lines(
    {
      title: 'Ranks started again',
      description: 'Ranks that died and were started again, or left out when they died again and again: the process says of which fault.',
      unit: 'none',
      width: 6,
      queries: [{ expr: orNone(`sum by (host) (${series(metrics.rankRestarts)})`, 'host'), legend: '{{host}}' }],
      min: 0,
    },
    { steps: true },
  ),
];

export const cluster: DashboardSpec = {
  uid: 'lockstep-cluster',
  title: 'Cluster',
  description: 'Who takes part, who is in trouble and by whose fault, and what goes over the network.',
  rows: [
    { title: 'At a glance', panels: overview },
    { title: 'Membership', panels: membership },
    { title: 'Who is guilty', panels: guilt },
    { title: 'Recovery', panels: recovery },
    { title: 'Checkpoints', panels: checkpoints },
    { title: 'Network', panels: network },
    { title: 'Memory', panels: memory },
  ],
};
