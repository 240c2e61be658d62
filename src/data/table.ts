/**
 * Room: data (level 3). Rows of named columns become a source: numbers stay numbers, a column of texts becomes one column a
 * category (1 where the row has it, else 0), texts of a label become classes. Categories and classes are sorted by code unit, and
 * where training data taught them they stay. It promises to name row and column of whatever does not fit.
 */
import { show } from '../check.ts';
import { dataDefaults } from '../config/defaults.ts';
import { LockstepError } from '../errors.ts';
import { forBlocks } from './blocks.ts';
import type { Roles, Slots } from './columns.ts';
import { dealSlots } from './columns.ts';
import { fileSource } from './file-source.ts';
import { Growing, type NumberSink } from './growing.ts';
import { appendRows, type RowFolder, Spill } from './row-folder.ts';
import { type DataSource, memorySource, type Texts } from './source.ts';
import { expandCategories, type Order, sortedIds } from './texts.ts';

export interface TableOptions extends Roles {
  /** What messages call the table. */
  readonly name: string;
  readonly scale: number;
  readonly limit?: number | undefined;
  /** What texts became in the training data, where these are not they. */
  readonly texts?: Texts | undefined;
  /** Rows that are probably there: room is made for them at once. */
  readonly expectedRows?: number;
  /** Inputs that are texts are refused. */
  readonly numbersOnly?: boolean;
  /** Where inputs go that are to stay on disk; absent: they are kept in memory. */
  readonly folder?: RowFolder | undefined;
}

/** What the values of a slot are; the first row decides where nothing else does. */
export const slotKind = { unknown: 0, number: 1, text: 2 } as const;

/** What stands for a value that is not there, in columns of numbers. */
const missing = new Set(['', 'na', 'n/a', 'nan', 'null', 'none', '?', '-']);

export class Table {
  readonly slots: Slots;
  /** `slotKind` of each slot. */
  readonly kinds: Uint8Array;
  /** The values of the row that is being read, by slot: numbers, or what `idOf` gave. */
  readonly row: Float64Array;
  rows = 0;
  readonly #options: TableOptions;
  /** Texts by slot with their ids, in the order in which they came; of the training data where they are known. */
  readonly #ids: (Map<string, number> | undefined)[];
  readonly #inputs: Growing | Spill;
  readonly #aims: Growing;
  readonly #classes: number[] = [];
  readonly #weights: Growing;

  constructor(columns: readonly string[], options: TableOptions) {
    const { texts, name } = options;
    const expectedRows = Math.min(options.expectedRows ?? 16, options.limit ?? Number.POSITIVE_INFINITY);
    this.#options = options;
    this.slots = dealSlots(columns, options, name);
    const { names, inputs, targets, label, weight, categorical } = this.slots;
    this.row = new Float64Array(names.length);
    this.kinds = new Uint8Array(names.length).fill(slotKind.number);
    this.#ids = names.map(() => undefined);
    for (let slot = 0; slot < names.length; slot++) {
      if (slot >= inputs && slot !== label) continue;
      const known = slot === label ? texts?.classes : texts && own(texts.columns, names[slot]!);
      if (texts ? known : categorical.has(slot)) this.#isText(slot, known);
      else if (!texts && !(options.numbersOnly && slot < inputs)) this.kinds[slot] = slotKind.unknown;
    }
    this.#inputs = options.folder ? new Spill(name, options.folder) : new Growing(name, expectedRows * inputs);
    this.#aims = new Growing(name, expectedRows * targets);
    this.#weights = new Growing(name, weight >= 0 ? expectedRows : 0);
  }

  /** No more rows are wanted. */
  get isFull(): boolean {
    return this.rows === this.#options.limit;
  }

  /** Takes the text of a slot; `row` is its number in the file, from 1. */
  put(slot: number, text: string, row: number): void {
    if (this.kinds[slot] === slotKind.unknown) this.#decide(slot, text, row);
    if (this.kinds[slot] === slotKind.text) {
      this.row[slot] = this.#idOf(slot, text, row);
      return;
    }
    const value = Number(text);
    if (Number.isNaN(value) || text.trim() === '') this.refuse(slot, row, 'a number', missing.has(text.trim().toLowerCase()) ? `nothing (${show(text)})` : show(text));
    this.row[slot] = value;
  }

  /** Takes the number of a slot. */
  putNumber(slot: number, value: number, row: number): void {
    if (this.kinds[slot] === slotKind.text) {
      this.row[slot] = this.#idOf(slot, String(value), row);
      return;
    }
    this.kinds[slot] = slotKind.number;
    this.row[slot] = value;
  }

  /** Takes the row whose values were put. */
  endRow(number: number): void {
    const { row } = this;
    const { inputs, targets, label, weight } = this.slots;
    this.#inputs.reserve(inputs);
    this.#take(this.#inputs, 0, inputs, number);
    if (label >= 0) {
      const value = row[label]!;
      if (this.kinds[label] === slotKind.number && !(Number.isInteger(value) && value >= 0 && value < 2 ** 31)) {
        this.refuse(label, number, 'a class, an integer from 0,', `\`${value}\``, 'mend the row, or name the column as `target` if it holds values to predict');
      }
      this.#classes.push(value);
    }
    this.#aims.reserve(targets);
    this.#take(this.#aims, inputs + (label >= 0 ? 1 : 0), targets, number);
    if (weight >= 0) {
      const value = Math.fround(row[weight]!);
      if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) this.refuse(weight, number, 'a weight, a finite number >= 0,', `\`${row[weight]}\``);
      this.#weights.push(value);
    }
    this.rows++;
  }

  /** The source of all rows that were taken. */
  finish(): DataSource {
    const { name, scale, limit } = this.#options;
    const { inputs, label, targets, weight, names } = this.slots;
    const { rows } = this;
    if (rows === 0) throw new LockstepError('LOCKSTEP_DATA', `Expected ${name} to hold at least one row, got none; give it data.`);
    if (limit !== undefined && limit > rows) {
      throw new LockstepError('LOCKSTEP_DATA', `Expected \`limit\` to be at most ${rows}, the rows of ${name}, got \`${limit}\`; lower it or leave it out.`);
    }
    const orders = this.#ids.map((ids) => ids && sortedIds(ids));
    const texts = orders.some((order) => order)
      ? {
          classes: orders[label]?.names,
          columns: Object.fromEntries(names.slice(0, inputs).flatMap((column, slot) => (orders[slot] ? [[column, orders[slot].names] as const] : []))),
        }
      : undefined;
    const rank = orders[label]?.rank;
    const description: Omit<DataSource, 'length' | 'inputShape' | 'inputType' | 'readRows' | 'readAll'> = {
      name,
      scale,
      labels:
        label >= 0
          ? { kind: 'class', values: Int32Array.from(this.#classes, (id) => rank?.[id] ?? id) }
          : { kind: 'target', shape: [targets], values: this.#aims.taken() },
      ...(weight >= 0 && { weights: this.#weights.taken() }),
      ...(texts && { texts }),
    };
    const columns = orders.slice(0, inputs);
    if (this.#inputs instanceof Spill) return this.#onDisk(this.#inputs, columns, description);
    const values = expandCategories(this.#inputs.taken(), columns, scale, name);
    return memorySource({ ...description, inputShape: [values.length / rows], values });
  }

  /** The source of inputs in a file. Only when all rows are known does anybody know how many columns their texts become, so those are written twice. */
  #onDisk(
    inputs: Spill,
    columns: readonly (Order | undefined)[],
    description: Omit<DataSource, 'length' | 'inputShape' | 'inputType' | 'readRows' | 'readAll'>,
  ): DataSource {
    const { folder, name, scale } = this.#options;
    const { rows: length } = this;
    inputs.flush();
    const read = fileSource({ ...description, length, inputShape: [columns.length] }, { path: inputs.path, offset: 0, type: 'float32' });
    if (columns.every((order) => order === undefined)) return read;
    const path = folder!.newFile(name);
    let width = 0;
    forBlocks(read, undefined, (values) => {
      const wider = expandCategories(values as Float32Array, columns, scale, name);
      width = (wider.length / values.length) * columns.length;
      appendRows(name, path, wider);
    });
    return fileSource({ ...description, length, inputShape: [width] }, { path, offset: 0, type: 'float32' });
  }

  /** Throws LOCKSTEP_DATA about the value of a slot in a row. */
  refuse(slot: number, row: number, rule: string, received: string, mend = 'mend or leave out the row'): never {
    throw new LockstepError(
      'LOCKSTEP_DATA',
      `Expected row ${row} of ${this.#options.name} to have ${rule} in column ${show(this.slots.names[slot])}, got ${received}; ${mend}.`,
    );
  }

  #isText(slot: number, known: readonly string[] | undefined): void {
    this.kinds[slot] = slotKind.text;
    this.#ids[slot] = new Map(known?.map((text, id) => [text, id]));
  }

  /** The first value of a column says what the column holds. */
  #decide(slot: number, text: string, row: number): void {
    const trimmed = text.trim();
    if (missing.has(trimmed.toLowerCase())) {
      this.refuse(slot, row, 'a number or a text', `nothing (${show(text)})`, 'mend or leave out the row, or name the column in `categorical` if that is a category');
    }
    if (Number.isNaN(Number(trimmed))) this.#isText(slot, undefined);
    else this.kinds[slot] = slotKind.number;
  }

  #idOf(slot: number, text: string, row: number): number {
    const ids = this.#ids[slot]!;
    const id = ids.get(text);
    if (id !== undefined) return id;
    if (text.trim() === '') this.refuse(slot, row, 'a text', `nothing (${show(text)})`);
    const { texts } = this.#options;
    if (texts) {
      const some = [...ids.keys()].slice(0, 8).join(', ');
      this.refuse(
        slot,
        row,
        `a text that the training data have (${some}${ids.size > 8 ? ', ...' : ''})`,
        show(text),
        'mend or leave out the row, or add such rows to the training data',
      );
    }
    const { mostCategories } = dataDefaults;
    if (slot !== this.slots.label && ids.size === mostCategories) {
      this.refuse(
        slot,
        row,
        `one of at most ${mostCategories} different texts`,
        `another, ${show(text)}`,
        'name the `columns` that are inputs without it, or mend a number in the first row',
      );
    }
    ids.set(text, ids.size);
    return ids.size - 1;
  }

  /** Rounds `count` values from slot `first` to float32 and adds them. */
  #take(to: NumberSink, first: number, count: number, number: number): void {
    const { row } = this;
    const { values, length } = to;
    for (let i = 0; i < count; i++) {
      const value = Math.fround(row[first + i]!);
      if (!(value - value === 0)) this.refuse(first + i, number, 'a finite number in float32', `\`${row[first + i]}\``);
      values[length + i] = value;
    }
    to.length += count;
  }
}

function own(columns: Texts['columns'], name: string): readonly string[] | undefined {
  return Object.hasOwn(columns, name) ? columns[name] : undefined;
}
