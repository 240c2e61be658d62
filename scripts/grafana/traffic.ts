/**
 * Room: scripts (level 8), Grafana. What the dashboard *Cluster* shows of network and memory.
 */
import { metrics } from '../../src/telemetry/names.ts';
import { badAt, lines } from './panels.ts';
import { increase, rate, series } from './promql.ts';

/** Gradients are counted among the bytes of steps already. */
const whole = 'kind!="gradient"';

export const network = [
  lines(
    {
      title: 'Traffic by host',
      description: 'Bytes of messages that each process sent and received per second, without what WebSocket, TLS and TCP add.',
      unit: 'Bps',
      width: 12,
      queries: [{ expr: `sum by (host, direction) (${rate(metrics.networkBytes, whole)})`, legend: '{{host}} {{direction}}' }],
      min: 0,
    },
    { calcs: ['mean', 'max'] },
  ),
  lines(
    {
      title: 'Sent by kind',
      description: 'Bytes that all processes sent per second: `control` with data and state, `step` all that a step needs, and of that the `gradient`.',
      unit: 'Bps',
      width: 12,
      queries: [{ expr: `sum by (kind) (${rate(metrics.networkBytes, 'direction="out"')})`, legend: '{{kind}}' }],
      min: 0,
    },
    { calcs: ['mean', 'max'] },
  ),
  lines(
    {
      title: 'Messages by kind',
      description: 'Messages that all processes sent per second.',
      unit: 'mps',
      width: 8,
      queries: [{ expr: `sum by (kind) (${rate(metrics.networkMessages, 'direction="out"')})`, legend: '{{kind}}' }],
      min: 0,
    },
    { calcs: ['mean', 'max'] },
  ),
  lines(
    {
      title: 'Send queues',
      description: 'Bytes that wait to be sent on control links. A queue that grows is a peer that reads too slowly.',
      unit: 'bytes',
      width: 8,
      queries: [{ expr: `sum by (host) (${series(metrics.sendQueue)})`, legend: '{{host}}' }],
      min: 0,
      thresholds: badAt(64 * 2 ** 20),
    },
    { calcs: ['max', 'lastNotNull'] },
  ),
  lines(
    {
      title: 'Reconnects by host',
      description: 'Connections to the coordinator that a host made anew, in the time that a point stands for.',
      unit: 'none',
      width: 8,
      queries: [{ expr: `sum by (host) (${increase(metrics.reconnects)})`, legend: '{{host}}' }],
      min: 0,
    },
    { steps: true, calcs: ['sum'] },
  ),
];

export const memory = [
  lines(
    {
      title: 'Arena by what it holds',
      description: 'Memory that is planned before a run begins: it never grows within a generation. All chosen hosts together.',
      unit: 'bytes',
      width: 12,
      queries: [{ expr: `sum by (kind) (${series(metrics.arenaBytes)})`, legend: '{{kind}}' }],
      min: 0,
    },
    { stacked: true },
  ),
  lines(
    {
      title: 'Arena by host',
      description: 'The whole arena of each host. A host can have at most 4 GiB; dashed, where it is nearly full.',
      unit: 'bytes',
      width: 12,
      queries: [{ expr: `sum by (host) (${series(metrics.arenaBytes)})`, legend: '{{host}}' }],
      min: 0,
      thresholds: badAt(3.5 * 2 ** 30),
    },
    { limit: true },
  ),
];
