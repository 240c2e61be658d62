/**
 * Room: data (level 3). Which columns of a table are what: inputs, a class or targets, a weight. It promises that every column has
 * one part at most, and refuses names that the table has not.
 */
import { nearest, show } from '../check.ts';
import { LockstepError } from '../errors.ts';

type Column = string | number;

/** The roles as a config says them. */
export interface Roles {
  readonly label?: Column | undefined;
  readonly target?: Column | readonly Column[] | undefined;
  readonly columns?: readonly Column[] | undefined;
  readonly categorical?: readonly Column[] | undefined;
  readonly sampleWeights?: Column | undefined;
}

/** Columns with a part, in slots: inputs first, then the class or the targets, then the weight. */
export interface Slots {
  /** The slot of each column of the table, -1 where it has no part. */
  readonly ofColumn: Int32Array;
  /** What messages call the column of each slot. */
  readonly names: readonly string[];
  readonly inputs: number;
  readonly targets: number;
  /** The slot of the class, or -1. */
  readonly label: number;
  readonly weight: number;
  /** Slots whose numbers are names. */
  readonly categorical: ReadonlySet<number>;
}

/** Deals slots to the columns called `names`. `table` is what messages call the table. Throws LOCKSTEP_DATA. */
export function dealSlots(names: readonly string[], { label, target, columns, categorical = [], sampleWeights }: Roles, table: string): Slots {
  const refuse = (rule: string, received: string, mend: string): never => {
    throw new LockstepError('LOCKSTEP_DATA', `Expected ${table} to ${rule}, got ${received}; ${mend}`);
  };
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) refuse('name each column differently', `${show(twice)} twice`, 'rename one.');

  function find(column: Column): number {
    const index = typeof column === 'number' ? column : names.indexOf(column);
    if (index >= 0 && index < names.length) return index;
    const near = typeof column === 'string' ? nearest(column, names) : undefined;
    const mend = near === undefined ? 'check its header.' : `did you mean ${show(near)}?`;
    return refuse(`have a column ${show(column)}`, `${names.length} columns (${names.slice(0, 8).join(', ')}${names.length > 8 ? ', ...' : ''})`, mend);
  }

  const aims = target === undefined ? [] : [target].flat().map(find);
  const [labels, weights] = [label, sampleWeights].map((column) => (column === undefined ? [] : [find(column)])) as [number[], number[]];
  const taken = new Set([...aims, ...labels, ...weights]);
  const inputs = columns?.map(find) ?? names.map((_, index) => index).filter((index) => !taken.has(index));
  const all = [...inputs, ...labels, ...aims, ...weights];
  if (inputs.length === 0) refuse('have a column for the inputs', 'none beside those with another part', 'check `columns`.');
  const double = all.find((column, index) => all.indexOf(column) !== index);
  if (double !== undefined)
    refuse('give each column one part', `the column ${show(names[double])} twice`, 'take it out of one of `columns`, `label`, `target` and `sampleWeights`.');

  const ofColumn = new Int32Array(names.length).fill(-1);
  for (const [slot, column] of all.entries()) ofColumn[column] = slot;
  const named = categorical.map(find).map((column) => {
    const slot = ofColumn[column]!;
    if (slot < 0 || slot >= inputs.length)
      refuse('name inputs in `categorical`', `the column ${show(names[column])}, which is none`, 'add it to `columns`, or leave it out.');
    return slot;
  });
  return {
    ofColumn,
    names: all.map((column) => names[column]!),
    inputs: inputs.length,
    targets: aims.length,
    label: labels.length > 0 ? inputs.length : -1,
    weight: weights.length > 0 ? all.length - 1 : -1,
    categorical: new Set(named),
  };
}
