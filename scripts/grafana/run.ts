/**
 * Room: scripts (level 8), Grafana. The dashboard *Run*: how far it is, whether it learns, how fast it goes.
 */
import { metrics } from '../../src/telemetry/names.ts';
import type { DashboardSpec } from './layout.ts';
import { dial, heat, labels, lines, number, restyle } from './panels.ts';
import { buckets, increase, orNone, orZero, quantile, rate, series } from './promql.ts';
import { stateIndex, stateMappings } from './states.ts';

const stepsTaken = `max(${series(metrics.step)})`;
const target = `max(${series(metrics.targetSteps)})`;
/** Over a minute and not over a few scrapes: a time of arrival that jumps is of no use. */
const steadyStepRate = `sum(rate(${series(metrics.steps)}[1m]))`;

const progress = [
  number({
    title: 'State',
    description: 'What the run does now. `waiting` needs hosts, `recovering` follows the loss of one, `draining` ends with the step under way.',
    unit: 'none',
    width: 3,
    queries: [{ expr: stateIndex, legend: 'state' }],
    mappings: stateMappings,
  }),
  dial({
    title: 'Progress',
    description: 'Steps taken of all that the run is to take.',
    unit: 'percentunit',
    width: 4,
    queries: [{ expr: `${stepsTaken} / ${target}`, legend: 'done' }],
    min: 0,
    max: 1,
    thresholds: [[null, 'blue']],
  }),
  number({
    title: 'Time left',
    description: 'Remaining steps at the speed of the last minute. Nothing while no steps are taken.',
    unit: 'dtdurations',
    width: 4,
    queries: [{ expr: `(${target} - ${stepsTaken}) / (${steadyStepRate} > 0)`, legend: 'left' }],
  }),
  number({
    title: 'Step',
    description: 'The last step that was committed or skipped, and the last one there will be.',
    unit: 'none',
    width: 4,
    queries: [
      { expr: stepsTaken, legend: 'step' },
      { expr: target, legend: 'of' },
    ],
  }),
  number({
    title: 'Epoch',
    description: 'Epochs that have begun, and epochs that are done as a fraction.',
    unit: 'none',
    decimals: 2,
    width: 3,
    queries: [
      { expr: `max(${series(metrics.epoch)})`, legend: 'begun' },
      { expr: `${stepsTaken} / max(${series(metrics.stepsPerEpoch)})`, legend: 'done' },
    ],
  }),
  number(
    {
      title: 'Throughput',
      description: 'Rows that are trained on per second, over all hosts.',
      unit: 'rowsps',
      width: 3,
      queries: [{ expr: `sum(${rate(metrics.samples)})`, legend: 'rows/s' }],
    },
    { sparkline: true },
  ),
  number({
    title: 'Skipped',
    description: 'Steps that changed nothing because a loss or gradient was not finite. Any is a reason to look at the learning rate and the data.',
    unit: 'none',
    width: 3,
    queries: [{ expr: orZero(`sum(${series(metrics.steps, 'result="skipped"')})`), legend: 'skipped' }],
    thresholds: [
      [null, 'green'],
      [1, 'red'],
    ],
  }),
  labels(
    {
      title: 'What runs',
      description: 'The run as it was started: version, kernels, topology, shards, batch size, optimizer and loss.',
      unit: 'none',
      width: 24,
      queries: [{ expr: series(metrics.runInfo), legend: '' }],
    },
    ['run', 'host', ...metrics.runInfo.labels],
    ['Time', 'Value', '__name__', 'instance', 'job'],
  ),
];

const learning = [
  lines(
    {
      title: 'Loss',
      description: 'The mean loss of each step over the global batch, and of the last validation. Validation that rises while training falls is overfitting.',
      unit: 'none',
      decimals: 4,
      width: 12,
      height: 9,
      queries: [{ expr: `max by (split) (${series(metrics.loss)})`, legend: '{{split}}' }],
    },
    { calcs: ['lastNotNull', 'min'] },
  ),
  lines(
    {
      title: 'Accuracy',
      description: 'Metrics of the config, for each step and for the last validation.',
      unit: 'percentunit',
      decimals: 2,
      width: 12,
      height: 9,
      queries: [{ expr: `max by (split, metric) (${series(metrics.metric)})`, legend: '{{split}} {{metric}}' }],
      max: 1,
    },
    { calcs: ['lastNotNull', 'max'] },
  ),
  restyle(
    lines(
      {
        title: 'Gradient norm against the clip threshold',
        description:
          'The norm of the global gradient before clipping: last step, median and 95th percentile; dashed, where the optimizer clips. `globalClipnorm` is compared with this norm, `clipnorm` with that of each weight and `clipvalue` with single numbers.',
        unit: 'short',
        width: 12,
        queries: [
          { expr: `max(${series(metrics.gradientNorm)})`, legend: 'last step' },
          { expr: quantile(0.5, metrics.gradientNorms), legend: 'median' },
          { expr: quantile(0.95, metrics.gradientNorms), legend: '95th percentile' },
          { expr: `max by (kind) (${series(metrics.clipThreshold)})`, legend: 'threshold ({{kind}})' },
        ],
      },
      { log: true, calcs: ['lastNotNull', 'max'] },
    ),
    '/^threshold/',
    [
      { id: 'color', value: { mode: 'fixed', fixedColor: 'red' } },
      { id: 'custom.lineStyle', value: { fill: 'dash', dash: [10, 10] } },
    ],
  ),
  heat({
    title: 'Distribution of gradient norms',
    description: 'How many steps had a gradient of which norm. A band that widens or climbs announces a run that diverges.',
    unit: 'short',
    width: 12,
    queries: [{ expr: buckets(metrics.gradientNorms), legend: '{{le}}' }],
  }),
  lines(
    {
      title: 'Clipped share',
      description:
        'Share of steps whose gradient was scaled down, and what the last step was multiplied with. Near 1 for long, the threshold is the learning rate in disguise.',
      unit: 'percentunit',
      width: 8,
      queries: [
        { expr: `sum(${rate(metrics.clippedSteps)}) / (sum(${rate(metrics.steps)}) > 0)`, legend: 'clipped steps' },
        { expr: `max(${series(metrics.clipScale)})`, legend: 'scale of the last step' },
      ],
      min: 0,
      max: 1,
    },
    { calcs: ['lastNotNull', 'mean'] },
  ),
  lines({
    title: 'Learning rate',
    description: 'The learning rate of the last step, as the schedule gave it.',
    unit: 'short',
    width: 8,
    queries: [{ expr: `max(${series(metrics.learningRate)})`, legend: 'learning rate' }],
  }),
  lines(
    {
      title: 'Update to weight',
      description: 'Norm of an update over the norm of the weights. About 0.001 is usual; over 0.01 steps are bold, under 0.0001 hardly anything is learnt.',
      unit: 'sci',
      width: 8,
      queries: [{ expr: `max(${series(metrics.updateRatio)})`, legend: 'update / weights' }],
      thresholds: [
        [null, 'green'],
        [0.01, 'orange'],
      ],
    },
    { log: true, limit: true },
  ),
  lines(
    {
      title: 'Gradient norm by layer',
      description: 'Where the gradient is. Early layers that fall by orders of magnitude vanish; one that stands out explodes.',
      unit: 'sci',
      width: 12,
      queries: [{ expr: `max by (layer) (${series(metrics.layerGradientNorm)})`, legend: '{{layer}}' }],
    },
    { log: true },
  ),
  lines(
    {
      title: 'Not finite',
      description: 'Skipped steps by the phase in which a number was first not finite: `data` is an input, `forward` a layer, `backward` a gradient.',
      unit: 'none',
      width: 12,
      queries: [{ expr: orNone(`sum by (phase) (${series(metrics.nonFinite)})`, 'phase'), legend: '{{phase}}' }],
      min: 0,
    },
    { steps: true },
  ),
];

const speed = [
  lines(
    {
      title: 'Rows per second',
      description: 'Rows that are trained on, over all hosts. Compare it before and after a host joins.',
      unit: 'rowsps',
      width: 12,
      queries: [{ expr: `sum(${rate(metrics.samples)})`, legend: 'rows' }],
      min: 0,
    },
    { calcs: ['mean', 'max'] },
  ),
  lines(
    {
      title: 'Steps by result',
      description: 'Steps that were applied and steps that were skipped, in the time that a point stands for.',
      unit: 'none',
      width: 12,
      queries: [{ expr: `sum by (result) (${increase(metrics.steps)})`, legend: '{{result}}' }],
      min: 0,
    },
    { stacked: true, calcs: ['sum'] },
  ),
];

export const run: DashboardSpec = {
  uid: 'lockstep-run',
  title: 'Run',
  description: 'How far the run is, whether it learns, and how fast it goes.',
  rows: [
    { title: 'Progress', panels: progress },
    { title: 'Learning', panels: learning },
    { title: 'Speed', panels: speed },
  ],
};
