/**
 * Room: telemetry (level 2). Step reports on their way from the ranks to the main thread: a ring of fixed records in the
 * arena. Rank 0 writes a record and then announces it; the main thread reads when it likes. A full ring makes rank 0 wait,
 * so no report is ever lost.
 */
import type { Address } from '../memory/arena.ts';
import type { MemoryPlan } from '../memory/plan.ts';

/** The numbers of one step, all float64; behind them the values of the run's metrics, in their order. */
export const reportFields = [
  'step',
  'epoch',
  /** Rows of the global batch. */
  'samples',
  /** The mean over the global batch. */
  'loss',
  /** Of the global mean gradient, before clipping. */
  'gradNorm',
  'clipScale',
  'learningRate',
  /** Wall time of the step on rank 0. */
  'seconds',
  /** 1 when the step was not applied because loss or gradient was not finite. */
  'skipped',
  /** For a skipped step, what was not finite first: phase (see `findingPhases`), layer (-1: none), shard. */
  'phase',
  'layer',
  'shard',
] as const;
type ReportField = (typeof reportFields)[number];

/** Where the first non-finite number of a skipped step stood. */
export const findingPhases = ['data', 'forward', 'loss', 'backward', 'gradient'] as const;

/** Steps that can be on their way at once: a power of two, so that the count of reports may wrap around. */
export const ringLength = 1024;

/** Numbers of a record: whole cache lines, two at least. */
function lengthOfRecord(metrics: number): number {
  return Math.max(16, Math.ceil((reportFields.length + metrics) / 8) * 8);
}

export interface ReportLayout {
  readonly address: Address;
  /** Numbers of a record. */
  readonly recordLength: number;
}

/** Room for reports of a run that has so many `metrics`. */
export function reserveReports(plan: MemoryPlan, metrics: number): ReportLayout {
  const length = lengthOfRecord(metrics);
  return { address: plan.reserve('control', ringLength * length * 8), recordLength: length };
}

/** The place of each field in a record. */
export const reportIndex = Object.fromEntries(reportFields.map((field, i) => [field, i])) as Readonly<Record<ReportField, number>>;

/** Index into `arena.f64` of the record of report number `report` (counted over the run). */
export function reportStart({ address, recordLength }: ReportLayout, report: number): number {
  return (address >>> 3) + (report & (ringLength - 1)) * recordLength;
}
