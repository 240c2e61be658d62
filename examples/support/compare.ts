/**
 * Trains variants of a run one after the other and shows what became of each, as a table. Given a folder, `node dist/examples/clipping.js FOLDER`, it keeps there
 * each table as Markdown and the log of each run, for `lockstep plot`: this is how `npm run guides` makes tables and plots of docs/guides/.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isLockstepError, type Model, type RunEvent, type TrainOptions, train } from 'lockstep';

const folder = process.argv[2];
const logs = new Map<string, number>();

/** WebAssembly alone and a stated number of shards: the same bits, and so the same tables, on every machine. */
export const everywhere = { kernels: 'wasm', shards: 2 } as const;

export interface Variant extends Partial<TrainOptions> {
  readonly name: string;
  readonly model: Model;
}

/** What a variant came to: `val_loss` and the like of its last epoch, or why there is none. */
export interface Outcome {
  readonly name: string;
  readonly model: Model;
  readonly numbers: Readonly<Record<string, number>>;
  readonly failure?: string;
}

function keep(path: string, text: string): void {
  if (folder === undefined) return;
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

/** Trains one variant; its log is named after it. A run that ends because its numbers are not finite is an outcome, too. */
export async function run(section: string, { name, ...options }: Variant, common: Omit<TrainOptions, 'model'>): Promise<Outcome> {
  const { model } = options;
  const events: RunEvent[] = [];
  let numbers: Record<string, number> = {};
  let failure: string | undefined;
  try {
    await train({
      ...everywhere,
      ...common,
      ...options,
      onEvent: (event) => void events.push(event),
      onEpoch({ loss, metrics, validation }) {
        numbers = { loss, ...metrics };
        for (const [key, value] of Object.entries(validation ? { loss: validation.loss, ...validation.metrics } : {})) numbers[`val_${key}`] = value;
      },
    });
  } catch (error) {
    if (!isLockstepError(error) || error.code !== 'LOCKSTEP_NON_FINITE') throw error;
    failure = `not finite at step ${events.findLast((event) => event.event === 'step')?.step}`;
  }
  // How long a step took is another matter on every machine.
  const lines = events.flatMap((event) => (event.event === 'step' || event.event === 'epoch' ? [JSON.stringify({ ...event, seconds: 0 })] : []));
  const place = (logs.get(section) ?? 0) + 1;
  logs.set(section, place);
  keep(join(section, `${String(place).padStart(2, '0')} ${name}.jsonl`), `${lines.join('\n')}\n`);
  return { name, model, numbers, ...(failure !== undefined && { failure }) };
}

/** Trains all variants in turn and shows the numbers of their last epochs. */
export async function compare(
  section: string,
  variants: readonly Variant[],
  common: Omit<TrainOptions, 'model'>,
  columns: readonly string[] = ['loss', 'val_loss', 'val_accuracy'],
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const variant of variants) outcomes.push(await run(section, variant, common));
  table(
    section,
    ['', ...columns],
    outcomes.map(({ name, numbers, failure }) => [
      name,
      ...columns.map((column, i) => (failure === undefined ? shown(column, numbers[column]) : i === 0 ? failure : '')),
    ]),
  );
  return outcomes;
}

/** Accuracies as percentages, all else with four digits. */
function shown(column: string, value: number | undefined): string {
  if (value === undefined) return '-';
  return column.endsWith('accuracy') ? `${(100 * value).toFixed(2)} %` : value.toPrecision(4);
}

/** Prints a Markdown table. */
export function table(section: string, header: readonly string[], rows: readonly (readonly string[])[]): void {
  const cells = [header, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = header.map((_, column) => Math.max(3, ...cells.map((row) => row[column]!.length)));
  const lines = cells.map((row) => `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`);
  const text = [lines[0], `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...lines.slice(1)].join('\n');
  process.stdout.write(`\n${section}\n\n${text}\n`);
  keep(`${section}.md`, `${text}\n`);
}
