/**
 * Room: scripts (level 8), Grafana. What the dashboard *Anatomy of a step* shows of ranks: who computes, who waits, and for whom.
 */
import { metrics } from '../../src/telemetry/names.ts';
import { badAt, bars, lines, restyle } from './panels.ts';
import { rate, series } from './promql.ts';

const computePerRank = `sum by (host, rank) (${rate(metrics.rankCompute)})`;

export const ranks = [
  restyle(
    lines(
      {
        title: 'Compute against wait, by rank',
        description:
          'Above zero the share of its time in which a rank computed, below in which it waited for others. Who computes most and waits least is whom all wait for.',
        unit: 'percentunit',
        width: 12,
        height: 10,
        queries: [
          { expr: computePerRank, legend: '{{host}}/{{rank}} computes' },
          { expr: `sum by (host, rank) (${rate(metrics.rankWait)})`, legend: '{{host}}/{{rank}} waits' },
        ],
      },
      { calcs: ['mean'] },
    ),
    '/ waits$/',
    [
      { id: 'custom.transform', value: 'negative-Y' },
      { id: 'custom.lineStyle', value: { fill: 'dash', dash: [4, 4] } },
    ],
  ),
  bars({
    title: 'Ranks against the mean of their host',
    description:
      'Compute time of each rank over the mean of the ranks of its host. Over 1 it holds the others up: a slow core, a busy neighbour, or more rows than its share.',
    unit: 'percentunit',
    width: 12,
    height: 10,
    queries: [{ expr: `sort_desc(${computePerRank} / on (host) group_left () (avg by (host) (${computePerRank}) > 0))`, legend: '{{host}}/{{rank}}' }],
    min: 0,
    thresholds: [
      [null, 'green'],
      [1.2, 'orange'],
      [1.5, 'red'],
    ],
  }),
  lines(
    {
      title: 'Stragglers',
      description: 'Compute time of the slowest rank of a host over the mean of its ranks. Dashed, from where on an alert says so.',
      unit: 'none',
      decimals: 2,
      width: 12,
      queries: [{ expr: `max by (host) (${series(metrics.straggler)})`, legend: '{{host}}' }],
      thresholds: badAt(1.5),
    },
    { limit: true, calcs: ['max'] },
  ),
  lines(
    {
      title: 'Efficiency by host',
      description: "Share of the ranks' time in which they computed. Dashed, below where an alert says so.",
      unit: 'percentunit',
      width: 12,
      queries: [{ expr: `min by (host) (${series(metrics.efficiency)})`, legend: '{{host}}' }],
      min: 0,
      max: 1,
      thresholds: [
        [null, 'red'],
        [0.5, 'green'],
      ],
    },
    { limit: true, calcs: ['min'] },
  ),
];
