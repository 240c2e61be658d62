/**
 * Room: data (level 3). What a table is probably for, by its first rows: the column to predict, whether it holds classes or values, and
 * which columns tell nothing. It proposes; a config says.
 */
import { nearest, show } from '../check.ts';
import { LockstepError } from '../errors.ts';

/** The first rows of a table: texts, as a CSV file has them, or values. */
export interface Head {
  readonly names: readonly string[];
  readonly rows: readonly (readonly unknown[])[];
}

export interface Aim {
  /** The column to predict. */
  readonly column: string;
  readonly kind: 'label' | 'target';
  /** Inputs; undefined when they are all other columns. */
  readonly columns: readonly string[] | undefined;
  /** Why, a sentence each. */
  readonly reasons: readonly string[];
}

/** Columns of these names are predicted, the first of the list first. */
const aims = ['label', 'labels', 'class', 'target', 'y', 'species', 'category', 'outcome', 'digit', 'survived', 'diagnosis', 'price'];
const idNames = ['id', 'index', 'row', 'rowid', 'row_id', 'uuid', ''];

/** More different integers than this in the head are values, not classes. */
const mostClasses = 20;

/** What to predict from what; `asked` names the column, if somebody knows it. Throws LOCKSTEP_DATA where there is no such column. */
export function aimOf({ names, rows }: Head, table: string, asked?: string): Aim {
  const index = asked === undefined ? guessed(names) : names.indexOf(asked);
  if (index < 0) {
    const near = nearest(asked!, names);
    throw new LockstepError(
      'LOCKSTEP_DATA',
      `Expected ${table} to have a column ${show(asked)}, got ${names.slice(0, 8).join(', ')}; ${near === undefined ? 'check its header.' : `did you mean ${show(near)}?`}`,
    );
  }
  const column = names[index]!;
  const values = rows.map((row) => row[index]);
  const numbers = values.map(numberOf);
  const isText = numbers.some((value) => value === undefined) && !Array.isArray(values[0]);
  const different = new Set(values.map(String)).size;
  const isClass = isText || (numbers.every((value) => Number.isInteger(value) && value! >= 0) && different <= Math.min(mostClasses, Math.max(2, rows.length / 2)));
  const why = asked !== undefined ? 'you asked for it' : aims.includes(column.toLowerCase()) ? 'its name says so' : 'it is the last one; --predict COLUMN takes another';
  const idle = names.filter((name, at) => at !== index && tellsNothing(name, at, rows));
  return {
    column,
    kind: isClass ? 'label' : 'target',
    columns: idle.length > 0 ? names.filter((name) => name !== column && !idle.includes(name)) : undefined,
    reasons: [
      `column ${show(column)} is predicted: ${why}`,
      isClass
        ? `it holds classes (${different} different ${isText ? 'texts' : 'integers'} in the first ${rows.length} rows), hence \`label\``
        : 'it holds numbers, hence `target`',
      ...(idle.length > 0 ? [`no inputs are ${idle.map(show).join(', ')}: names or numbers of rows tell nothing`] : []),
    ],
  };
}

function guessed(names: readonly string[]): number {
  const lower = names.map((name) => name.trim().toLowerCase());
  const aim = aims.find((name) => lower.includes(name));
  return aim === undefined ? names.length - 1 : lower.indexOf(aim);
}

/** A column that numbers or names its rows. */
function tellsNothing(name: string, at: number, rows: Head['rows']): boolean {
  if (idNames.includes(name.trim().toLowerCase())) return true;
  const isText = rows.some((row) => numberOf(row[at]) === undefined && !Array.isArray(row[at]));
  return isText && rows.length >= mostClasses && new Set(rows.map((row) => String(row[at]))).size > 0.9 * rows.length;
}

function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return Number(value);
  if (typeof value !== 'string' || value.trim() === '') return undefined;
  const number = Number(value);
  return Number.isNaN(number) ? undefined : number;
}

/** Whether the first row names columns: none of its fields is a number. */
export function isHeader(row: readonly string[]): boolean {
  return row.every((text) => numberOf(text) === undefined);
}
