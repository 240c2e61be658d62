/**
 * Room: data (level 3). Texts as numbers: their order, and columns of them as one column a category. Pure: the order in which texts
 * were met has no influence.
 */
import { checkFitsArena } from './room.ts';

/** Texts in their order, and the place of each id in it. */
export interface Order {
  readonly names: readonly string[];
  readonly rank: Int32Array;
}

/** Sorted by code unit, which no language or system changes. */
export function sortedIds(ids: ReadonlyMap<string, number>): Order {
  const names = [...ids.keys()].toSorted((a, b) => (a < b ? -1 : 1));
  const rank = new Int32Array(names.length);
  for (const [place, name] of names.entries()) rank[ids.get(name)!] = place;
  return { names, rank };
}

/**
 * `values` (rows, columns), where columns with an order hold ids, as (rows, wider): such a column becomes one a category, `one` where
 * the row has it and 0 elsewhere. `one` is what the values are divided by later, so that it becomes 1. Throws LOCKSTEP_MEMORY, calling the data `name`, when that is
 * more than an arena holds.
 */
export function expandCategories(values: Float32Array, orders: readonly (Order | undefined)[], one: number, name: string): Float32Array {
  if (orders.every((order) => order === undefined)) return values;
  const columns = orders.length;
  const width = orders.reduce((sum, order) => sum + (order?.names.length ?? 1), 0);
  const rows = values.length / columns;
  checkFitsArena(name, 4 * rows * width);
  const wider = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    let at = row * width;
    for (let column = 0; column < columns; column++) {
      const value = values[row * columns + column]!;
      const order = orders[column];
      if (order) wider[at + order.rank[value]!] = one;
      else wider[at] = value;
      at += order?.names.length ?? 1;
    }
  }
  return wider;
}
