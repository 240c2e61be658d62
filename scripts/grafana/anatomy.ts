/**
 * Room: scripts (level 8), Grafana. The dashboard *Anatomy of a step*: where the time of a step goes, who makes others wait, and how the
 * statistics of batch normalisation hold.
 */
import { metrics } from '../../src/telemetry/names.ts';
import type { DashboardSpec } from './layout.ts';
import { heat, lines, number, type PanelSpec } from './panels.ts';
import { buckets, quantile, rate, series } from './promql.ts';
import { ranks } from './ranks.ts';

const phaseShare = `avg by (phase) (${rate(metrics.phaseSeconds)})`;
const stepRate = `sum(${rate(metrics.steps)})`;
const allTime = `sum(${rate(metrics.phaseSeconds)})`;

function share(title: string, description: string, phase: string, warnAt: number): PanelSpec {
  return number(
    {
      title,
      description,
      unit: 'percentunit',
      decimals: 1,
      width: 4,
      queries: [{ expr: `sum(${rate(metrics.phaseSeconds, `phase="${phase}"`)}) / (${allTime} > 0)`, legend: phase }],
      thresholds: [
        [null, 'green'],
        [warnAt, 'orange'],
      ],
    },
    { sparkline: true },
  );
}

const overview = [
  number(
    {
      title: 'Median step',
      description: 'Half of the steps take less than this.',
      unit: 's',
      width: 4,
      queries: [{ expr: quantile(0.5, metrics.stepDuration), legend: 'median' }],
    },
    { sparkline: true },
  ),
  number(
    {
      title: 'Slowest of a hundred',
      description: 'The 99th percentile of the time of a step. Far above the median, something interrupts steps: another process, the network, garbage.',
      unit: 's',
      width: 4,
      queries: [{ expr: quantile(0.99, metrics.stepDuration), legend: '99th percentile' }],
    },
    { sparkline: true },
  ),
  number({
    title: 'Parallel efficiency',
    description: "Share of the ranks' time in which they computed, on the least efficient host. Below a half, fewer workers might do the same.",
    unit: 'percentunit',
    decimals: 1,
    width: 4,
    queries: [{ expr: `min(${series(metrics.efficiency)})`, legend: 'least' }],
    min: 0,
    max: 1,
    thresholds: [
      [null, 'red'],
      [0.5, 'orange'],
      [0.8, 'green'],
    ],
  }),
  number({
    title: 'Straggler ratio',
    description: 'Compute time of the slowest rank over the mean, on the host where it is largest. 1 is perfect; all wait for the excess.',
    unit: 'none',
    decimals: 2,
    width: 4,
    queries: [{ expr: `max(${series(metrics.straggler)})`, legend: 'largest' }],
    thresholds: [
      [null, 'green'],
      [1.2, 'orange'],
      [1.5, 'red'],
    ],
  }),
  share('Waiting for ranks', "Share of the ranks' time at barriers, for other ranks of the same host.", 'wait', 0.2),
  share('Waiting for hosts', "Share of the ranks' time in which they waited for other hosts.", 'network', 0.3),
];

const time = [
  lines(
    {
      title: 'A step by phase',
      description: 'Where an average rank spends the time of a step. The height of the stack is the time of a step.',
      unit: 's',
      width: 12,
      height: 10,
      queries: [{ expr: `${phaseShare} / on () group_left () (${stepRate} > 0)`, legend: '{{phase}}' }],
      min: 0,
    },
    { stacked: true, calcs: ['mean', 'lastNotNull'] },
  ),
  heat({
    title: 'Time of a step',
    description: 'How many steps took how long. Two bands are two kinds of steps; a lone haze above the band is what makes the 99th percentile.',
    unit: 's',
    width: 12,
    height: 10,
    queries: [{ expr: buckets(metrics.stepDuration), legend: '{{le}}' }],
  }),
  lines(
    {
      title: 'Share of each phase',
      description: 'The same as shares: what would have to become faster to help.',
      unit: 'percentunit',
      width: 12,
      queries: [{ expr: phaseShare, legend: '{{phase}}' }],
      min: 0,
      max: 1,
    },
    { stacked: true, calcs: ['mean'] },
  ),
  lines(
    {
      title: 'Quantiles of the time of a step',
      description: 'Median, 95th and 99th percentile.',
      unit: 's',
      width: 12,
      queries: [
        { expr: quantile(0.5, metrics.stepDuration), legend: 'median' },
        { expr: quantile(0.95, metrics.stepDuration), legend: '95 %' },
        { expr: quantile(0.99, metrics.stepDuration), legend: '99 %' },
      ],
      min: 0,
    },
    { calcs: ['mean', 'max'] },
  ),
];

const normalization = [
  lines(
    {
      title: 'Drift from the moving statistics',
      description:
        'How many standard deviations the mean of a batch is from the moving mean, as root mean square over channels. Near 0 evaluation sees what training saw; over 1 the momentum is too slow for how fast the layers before it change.',
      unit: 'none',
      decimals: 3,
      width: 8,
      queries: [{ expr: `max by (layer) (${series(metrics.bnDrift)})`, legend: '{{layer}}' }],
      thresholds: [
        [null, 'green'],
        [1, 'orange'],
      ],
    },
    { limit: true, calcs: ['mean', 'max'] },
  ),
  lines(
    {
      title: 'Smallest moving variance',
      description:
        'Of the channels of each layer. A channel that falls by orders of magnitude carries nothing any more. Inputs that are constant, as black borders of images, are harmless.',
      unit: 'sci',
      width: 8,
      queries: [{ expr: `min by (layer) (${series(metrics.bnVarianceMin)})`, legend: '{{layer}}' }],
    },
    { log: true, calcs: ['min', 'lastNotNull'] },
  ),
  lines({
    title: 'Synchronisations per step',
    description:
      'Statistics that were merged over all shards: forward for each normalisation, and backward but where the layer after it does that too. It is as constant as the model.',
    unit: 'none',
    decimals: 1,
    width: 8,
    queries: [{ expr: `max(${rate(metrics.bnSyncs)}) / (sum(${rate(metrics.steps)}) > 0)`, legend: 'a step' }],
    min: 0,
  }),
];

export const anatomy: DashboardSpec = {
  uid: 'lockstep-anatomy',
  title: 'Anatomy of a step',
  description: 'Where the time of a step goes, who makes others wait, and how the statistics of batch normalisation hold.',
  rows: [
    { title: 'At a glance', panels: overview },
    { title: 'Where the time goes', panels: time },
    { title: 'Ranks', panels: ranks },
    { title: 'Batch normalisation', panels: normalization },
  ],
};
