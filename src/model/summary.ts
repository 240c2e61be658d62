/**
 * Room: model (level 4). `model.summary()`: the table that Keras prints, as text.
 */
import { modelInput } from '../config/layer-names.ts';
import { formatShape } from '../memory/shape.ts';
import type { Topology } from './topology.ts';

/** Numbers of parameters of a model. */
export interface ParameterCount {
  readonly total: number;
  readonly trainable: number;
  readonly nonTrainable: number;
}

export function countParameters({ weights }: Topology): ParameterCount {
  const sum = (trained: boolean): number => weights.filter(({ definition }) => (definition.role !== 'state') === trained).reduce((total, { size }) => total + size, 0);
  const [trainable, nonTrainable] = [sum(true), sum(false)];
  return { total: trainable + nonTrainable, trainable, nonTrainable };
}

/** The table, lines of at most 65 characters unless a name is longer; a model with layers that add earlier outputs has a column more, of their names. */
export function summaryTable(topology: Topology, name = 'sequential'): string {
  const { layers } = topology;
  const connects = layers.some(({ sources }) => sources.length > 0);
  const rows = layers.map((layer, i) => [
    `${layer.name} (${className(layer.config.type)})`,
    formatShape(layer.definition.outputShape, true),
    topology.weights
      .filter((weight) => weight.layer === i)
      .reduce((total, { size }) => total + size, 0)
      .toLocaleString('en-US'),
    ...(connects ? [`  ${layer.sources.map((source) => (source === -1 ? modelInput : layers[source]!.name)).join(', ')}`] : []),
  ]);
  const header = ['Layer (type)', 'Output Shape', 'Param #', ...(connects ? ['  Adds'] : [])];
  const widths = header.map((title, column) => Math.max([34, 20, 9, 0][column]!, title.length, ...rows.map((row) => row[column]!.length + (column < 3 ? 1 : 0))));
  const padded = (cell: string, column: number): string => (column === 2 ? cell.padStart(widths[2]!) : cell.padEnd(widths[column]!));
  const line = (cells: readonly string[]): string => cells.map(padded).join('').trimEnd();
  const width = widths.reduce((total, value) => total + value, 0);
  const count = countParameters(topology);
  const figure = (value: number): string => value.toLocaleString('en-US');
  return [
    `Model: "${name}"`,
    '_'.repeat(width),
    line(header),
    '='.repeat(width),
    ...rows.map(line),
    '='.repeat(width),
    `Total params: ${figure(count.total)}`,
    `Trainable params: ${figure(count.trainable)}`,
    `Non-trainable params: ${figure(count.nonTrainable)}`,
    '_'.repeat(width),
  ].join('\n');
}

/** Keras' class name of a layer type: `batchNormalization` is `BatchNormalization`. */
function className(type: string): string {
  return type.charAt(0).toUpperCase() + type.slice(1);
}
