/**
 * Room: scripts (level 8), Grafana. Colours of the states of a run, the same wherever they are shown.
 */
import { MappingType, type ValueMapping } from '@grafana/grafana-foundation-sdk/dashboard';
import { metrics, type RunStateName, runStates } from '../../src/telemetry/names.ts';
import { series } from './promql.ts';

const colors: Record<RunStateName, string> = {
  starting: 'blue',
  waiting: 'yellow',
  forming: 'light-blue',
  running: 'green',
  recovering: 'orange',
  draining: 'purple',
  done: 'dark-green',
  failed: 'red',
};

/** The state as one number, its index in `runStates`: a value has a text and a colour in Grafana, a label has not. */
export const stateIndex = runStates
  .map((state, i) => `${i} * max(${series(metrics.runState, `state="${state}"`)})`)
  .slice(1)
  .join(' + ');

export const stateMappings: readonly ValueMapping[] = [
  { type: MappingType.ValueToText, options: Object.fromEntries(runStates.map((state, index) => [String(index), { text: state, color: colors[state], index }])) },
];
