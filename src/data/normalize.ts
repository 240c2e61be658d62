/**
 * Room: data (level 3). Features brought to a common range by what the training rows are: `standard` to mean 0 and standard deviation 1,
 * `minMax` to 0..1. Each number of a row is a feature of its own; of rows of three dimensions (height, width, channels) each channel
 * is. Statistics are float64 sums in the order of the rows, so nothing but the rows decides them. A feature without spread is left.
 */
import { LockstepError } from '../errors.ts';
import { sizeOf } from '../memory/shape.ts';
import { forBlocks } from './blocks.ts';
import { normalizeInto } from './row-file.ts';
import type { DataSource, Normalization } from './source.ts';

/** Features of one row. */
function featuresOf({ inputShape }: DataSource): number {
  return inputShape.length === 3 ? inputShape[2]! : sizeOf(inputShape);
}

/**
 * What normalises the rows of `source`. With n numbers x of a feature, divided by the source's `scale`,
 *
 *     standard   offset = (sum x) / n    divisor = sqrt(sum (x - offset)^2 / n)
 *     minMax     offset = min x          divisor = max x - min x
 *
 * in two passes. Where the divisor would be 0 it is 1, and the offset 0.
 */
export function learnNormalization(source: DataSource, kind: Normalization['kind']): Normalization {
  const { scale } = source;
  const features = featuresOf(source);
  const offset = new Float64Array(features);
  const divisor = new Float64Array(features);
  const count = (source.length * sizeOf(source.inputShape)) / features;
  const lowest = new Float64Array(features).fill(Number.POSITIVE_INFINITY);
  const highest = new Float64Array(features).fill(Number.NEGATIVE_INFINITY);
  forBlocks(source, undefined, (values) => {
    for (let i = 0, feature = 0; i < values.length; i++) {
      const x = values[i]! / scale;
      offset[feature]! += x;
      if (x < lowest[feature]!) lowest[feature] = x;
      if (x > highest[feature]!) highest[feature] = x;
      if (++feature === features) feature = 0;
    }
  });
  if (kind === 'standard') {
    for (let feature = 0; feature < features; feature++) offset[feature]! /= count;
    forBlocks(source, undefined, (values) => {
      for (let i = 0, feature = 0; i < values.length; i++) {
        const distance = values[i]! / scale - offset[feature]!;
        divisor[feature]! += distance * distance;
        if (++feature === features) feature = 0;
      }
    });
  }
  for (let feature = 0; feature < features; feature++) {
    if (kind === 'minMax') offset[feature] = lowest[feature]!;
    divisor[feature] = kind === 'minMax' ? highest[feature]! - lowest[feature]! : Math.sqrt(divisor[feature]! / count);
    if (highest[feature]! > lowest[feature]! && divisor[feature]! > 0) continue;
    offset[feature] = 0;
    divisor[feature] = 1;
  }
  return { kind, offset, divisor };
}

/** The rows of `source`, normalised while they are read: float32, to be divided by nothing more. Throws LOCKSTEP_SHAPE when they have other features. */
export function normalized(source: DataSource, normalization: Normalization): DataSource {
  const { offset, divisor } = normalization;
  const { rowFile } = source;
  const scaled = { scale: source.scale, offset, divisor };
  const features = offset.length;
  if (featuresOf(source) !== features) {
    throw new LockstepError(
      'LOCKSTEP_SHAPE',
      `Expected the rows of ${source.name} to have the ${features} features that are normalized, got ${featuresOf(source)}; give them the shape of the training rows.`,
    );
  }
  if (rowFile?.normalization) {
    throw new LockstepError('LOCKSTEP_USAGE', `Expected rows of ${source.name} that are not normalized yet, got a row file with a \`normalization\`; leave one out.`);
  }
  const size = sizeOf(source.inputShape);

  function write(indices: Int32Array | undefined, into: Uint8Array | Float32Array): void {
    forBlocks(source, indices, (values, first) => normalizeInto(values, 0, values.length, scaled, into, first * size));
  }

  return {
    ...source,
    inputType: 'float32',
    scale: 1,
    normalization,
    ...(rowFile && { rowFile: { ...rowFile, normalization: scaled } }),
    readRows: (indices, into) => write(indices, into),
    readAll: (into) => write(undefined, into),
  };
}
