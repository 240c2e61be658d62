/**
 * Room: scripts (level 8). What a sweep tells of each variant: a row of its table, and what the rows come to. The numbers of a row are those of one
 * epoch, the one whose weights the run ended with.
 */
import type { EpochEvent } from '../../src/telemetry/events.ts';
import { shortNames, textOf, type Variant, type Vary } from './vary.ts';

/** `nonFinite`: its policy ended it, and `reason` has where. */
type Ending = 'done' | 'stopped' | 'interrupted' | 'nonFinite';

export interface Row {
  readonly variant: Variant;
  readonly end: Ending;
  /** Why, when it was not for its last step. */
  readonly reason?: string;
  /** Absent when no epoch came to its end. */
  readonly epoch?: EpochEvent;
  /** Steps that were computed, and those of them that were not applied. */
  readonly steps: number;
  readonly skipped: number;
  readonly seconds: number;
  /** Present when the run has a result. */
  readonly samplesPerSecond?: number;
  readonly weightsSha256?: string;
}

const words: Record<Ending, string> = { done: 'done', stopped: 'stopped', interrupted: 'interrupted', nonFinite: 'not finite' };

/** How a variant ended, in a few words. */
export function endOf({ end, reason, skipped }: Row): string {
  return [words[end], ...(reason === undefined ? [] : [reason]), ...(skipped > 0 ? [`${skipped} step${skipped > 1 ? 's' : ''} skipped`] : [])].join(', ');
}

/** Numbers of an epoch by the names of the history. */
function numbersOf(epoch: EpochEvent | undefined): Map<string, number> {
  const numbers = new Map<string, number>();
  if (!epoch) return numbers;
  for (const [prefix, part] of [
    ['', epoch],
    ['val_', epoch.validation],
  ] as const) {
    for (const [name, value] of Object.entries(part ? { loss: part.loss, ...part.metrics } : {})) numbers.set(`${prefix}${name}`, value);
  }
  return numbers;
}

/** Lines of text: a column for each key that varies, and one for each number that any row has. */
export function tableOf(varied: readonly Vary[], rows: readonly Row[]): string {
  const numbers = rows.map(({ epoch }) => numbersOf(epoch));
  const names = [...new Set(numbers.flatMap((row) => [...row.keys()]))];
  const header = [...shortNames(varied), 'epoch', ...names, 'steps', 'seconds', 'end'];
  const body = rows.map((row, i) => [
    ...row.variant.settings.map(({ value }) => textOf(value)),
    row.epoch ? `${row.epoch.epoch + 1}${row.epoch.partial ? ' (part)' : ''}` : '-',
    ...names.map((name) => numbers[i]!.get(name)?.toPrecision(4) ?? '-'),
    String(row.steps),
    row.seconds.toFixed(1),
    endOf(row),
  ]);
  const lines = [header, ...body];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** The least loss of the rows that ended by themselves, of validation where all of them have one; undefined where no two compare. */
export function leastOf(rows: readonly Row[]): { readonly name: 'loss' | 'val_loss'; readonly value: number; readonly variant: Variant } | undefined {
  const ended = rows.filter(({ end, epoch }) => (end === 'done' || end === 'stopped') && epoch && !Number.isNaN(epoch.loss));
  if (ended.length < 2) return undefined;
  const name = ended.every(({ epoch }) => epoch!.validation) ? 'val_loss' : 'loss';
  const losses = ended.map(({ variant, epoch }) => ({ name, variant, value: numbersOf(epoch).get(name)! }) as const);
  return losses.reduce((least, each) => (each.value < least.value || Number.isNaN(least.value) ? each : least));
}

/** A row as `--json` has it: keys that a variant takes away are null, and so is what is not finite. */
export function jsonOf({ variant, epoch, ...row }: Row): string {
  const values = Object.fromEntries(variant.settings.map(({ key, value }) => [key, value ?? null]));
  const { event: _, ...numbers } = epoch ?? {};
  return JSON.stringify({ values, ...row, ...numbers });
}
