/**
 * Room: scripts (level 8), Grafana. What the dashboard *Cluster* shows of checkpoints. Nothing for a run without a run directory.
 */
import { metrics } from '../../src/telemetry/names.ts';
import { lines, number } from './panels.ts';
import { rate, series } from './promql.ts';

/** So long a run may go without a checkpoint before an alert says so, in seconds. */
export const oldCheckpoint = 30 * 60;

export const checkpoints = [
  number({
    title: 'Age of the last checkpoint',
    description: 'What would have to be trained again if all machines were lost now. Red, from where on an alert says so.',
    unit: 's',
    decimals: 0,
    width: 4,
    height: 8,
    queries: [{ expr: `time() - max(${series(metrics.checkpointTime)})`, legend: 'age' }],
    thresholds: [
      [null, 'green'],
      [oldCheckpoint / 2, 'orange'],
      [oldCheckpoint, 'red'],
    ],
  }),
  number({
    title: 'Step of the last checkpoint',
    description: 'From here a run that is resumed goes on.',
    unit: 'none',
    decimals: 0,
    width: 4,
    height: 8,
    queries: [{ expr: `max(${series(metrics.checkpointStep)})`, legend: 'step' }],
  }),
  lines(
    {
      title: 'Checkpoints by result',
      description:
        '`failed`: the system refused to write, and the log says why. `postponed`: the one before was being written still; many of them mean that they are due too often.',
      unit: 'none',
      width: 8,
      queries: [{ expr: `sum by (result) (${series(metrics.checkpoints)})`, legend: '{{result}}' }],
      min: 0,
    },
    { steps: true },
  ),
  lines(
    {
      title: 'Stall',
      description: 'Share of the time in which ranks stood for copies of the state. Writing goes on meanwhile and holds up nobody.',
      unit: 'percentunit',
      width: 8,
      queries: [{ expr: `sum(${rate(metrics.checkpointStall)})`, legend: 'stall' }],
      min: 0,
    },
    { calcs: ['mean', 'max'] },
  ),
  lines(
    {
      title: 'Duration of the last checkpoint',
      description: 'How long it was being written, from the copy of the state until it is safe on the disk.',
      unit: 's',
      width: 12,
      queries: [{ expr: `max(${series(metrics.checkpointDuration)})`, legend: 'duration' }],
      min: 0,
    },
    { steps: true, calcs: ['mean', 'max'] },
  ),
  lines(
    {
      title: 'Size of the last checkpoint',
      description: 'Bytes of its files: weights, state of the optimizer, and what else the run goes on from.',
      unit: 'bytes',
      width: 12,
      queries: [{ expr: `max(${series(metrics.checkpointBytes)})`, legend: 'size' }],
      min: 0,
    },
    { steps: true },
  ),
];
