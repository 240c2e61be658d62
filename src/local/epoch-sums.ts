/**
 * Room: local (level 6). An epoch's sums in a checkpoint's record and back: metrics are known by what they are, so that a run that goes
 * on with others has those that are the same.
 */
import type { RecordedSums } from '../checkpoint/record.ts';
import { canonicalJson } from '../config/canonical.ts';
import type { Measures } from '../metrics/measures.ts';
import type { EpochSums } from '../model/standing.ts';

export function recordedSums({ sums, rows, weight }: EpochSums, { metrics }: Measures): RecordedSums {
  const numbers = metrics.filter(({ metric }) => metric.count > 0).map(({ spec, metric, at }) => [canonicalJson(spec), sums.slice(at, at + metric.count)] as const);
  return {
    loss: sums[0]!,
    correct: sums[1]!,
    rows,
    ...(weight !== rows && { weight }),
    ...(numbers.length > 0 && { metrics: Object.fromEntries(numbers) }),
  };
}

/** A metric that the record does not have is NaN for the epoch: rows of it are not known. */
export function sumsOfRecord({ loss, correct, rows, weight = rows, metrics: recorded = {} }: RecordedSums, { metrics, length }: Measures): EpochSums {
  const sums = new Array<number>(length).fill(0);
  [sums[0], sums[1]] = [loss, correct];
  for (const { spec, metric, at } of metrics) {
    const numbers = recorded[canonicalJson(spec)];
    for (let i = 0; i < metric.count; i++) sums[at + i] = numbers?.length === metric.count ? numbers[i]! : rows > 0 ? Number.NaN : 0;
  }
  return { sums, rows, weight };
}
