/**
 * Room: data (level 3). JSON lines: one object a row. Inputs are an array of numbers, nested as the first row has it, or one number
 * each of several keys. It promises to name line and key of whatever does not fit; empty lines are passed over.
 */
import { show } from '../check.ts';
import type { FormatConfig } from '../config/data.ts';
import { field } from '../config/rules.ts';
import type { OpenOptions } from './csv.ts';
import { type FileBytes, malformed, withFile } from './file-bytes.ts';
import { folderFor } from './row-folder.ts';
import type { DataSource } from './source.ts';
import { Table } from './table.ts';

const windowBytes = 8 * 2 ** 20;

/** A value of every row: where it is found, and the shape it has, [] for a number or text alone. */
interface Part {
  readonly key: string;
  readonly shape: readonly number[];
  /** The slot of its first number. */
  readonly slot: number;
}

/** The rows of a file of JSON lines. Throws LOCKSTEP_FILE and LOCKSTEP_DATA. */
export function jsonlSource(config: FormatConfig<'jsonl'>, { texts, mend, folder }: OpenOptions = {}): DataSource {
  return withFile(config.file, 'a file of JSON lines', mend, (file) => {
    let table: Table | undefined;
    let parts: Part[] = [];
    for (const [text, line] of linesOf(file)) {
      if (table?.isFull) break;
      const row = objectOf(text, config.file, line);
      if (!table) {
        parts = partsOf(config, row, line);
        table = tableOf(config, parts, texts, folderFor(config.streaming, folder));
      }
      for (const part of parts) put(table, part, field(row, part.key), line);
      table.endRow(line);
    }
    if (!table) throw malformed(config.file, 'hold at least one row', 'an empty file', 'give it data');
    const source = table.finish();
    return typeof config.inputs === 'string' ? { ...source, inputShape: parts[0]!.shape } : source;
  });
}

/** The objects of the first lines, `most` of them. Throws as `jsonlSource` does. */
export function jsonlHead(path: string, most: number): Record<string, unknown>[] {
  return withFile(path, 'a file of JSON lines', undefined, (file) => {
    const rows: Record<string, unknown>[] = [];
    for (const [text, line] of linesOf(file)) {
      if (rows.length === most) break;
      rows.push(objectOf(text, path, line));
    }
    if (rows.length === 0) throw malformed(path, 'hold at least one row', 'an empty file', 'give it data');
    return rows;
  });
}

function objectOf(text: string, path: string, line: number): Record<string, unknown> {
  let row: unknown;
  try {
    row = JSON.parse(text);
  } catch (cause) {
    throw malformed(path, `hold one JSON object a line`, `${show(text)} in line ${line}`, 'mend or leave out the line', { cause });
  }
  if (typeof row !== 'object' || row === null || Array.isArray(row))
    throw malformed(path, 'hold one JSON object a line', `${show(row)} in line ${line}`, 'name its values');
  return row as Record<string, unknown>;
}

/** What is taken of every row, by the first one. */
function partsOf({ file, inputs, label, target, sampleWeights }: FormatConfig<'jsonl'>, row: unknown, line: number): Part[] {
  const isArray = typeof inputs === 'string';
  const keys = [inputs, label ?? [], target ?? [], sampleWeights ?? []].flat();
  let slot = 0;
  return keys.map((key, index) => {
    const value = field(row, key);
    if (value === undefined) throw malformed(file, `have ${show(key)} in every line`, `none in line ${line}`, 'check the key');
    const shape: number[] = [];
    if ((isArray && index === 0) || key === target) for (let item = value; Array.isArray(item); item = item[0]) shape.push(item.length);
    if (shape.includes(0) || (isArray && index === 0 && shape.length === 0)) {
      throw malformed(file, `have an array of numbers at ${show(key)}`, `${show(value)} in line ${line}`, 'give the keys of single numbers as a list');
    }
    const part = { key, shape, slot };
    slot += shape.reduce((a, b) => a * b, 1);
    return part;
  });
}

function tableOf(
  { file, inputs, label, target, sampleWeights, scale, limit }: FormatConfig<'jsonl'>,
  parts: readonly Part[],
  texts: OpenOptions['texts'],
  folder: OpenOptions['folder'],
): Table {
  const names = parts.flatMap(({ key, shape }) => placesOf(key, shape));
  const columnsOf = (keys: readonly string[]): number[] =>
    parts.filter(({ key }) => keys.includes(key)).flatMap(({ key, shape, slot }) => placesOf(key, shape).map((_, index) => slot + index));
  const [labels, targets, weights] = [label, target, sampleWeights].map((key) => (key === undefined ? [] : columnsOf([key]))) as [number[], number[], number[]];
  return new Table(names, {
    name: `\`${file}\``,
    scale,
    limit,
    texts,
    folder,
    columns: columnsOf([inputs].flat()),
    label: labels[0],
    target: target === undefined ? undefined : targets,
    sampleWeights: weights[0],
    numbersOnly: true,
  });
}

/** `key`, or `key[0][0]`, `key[0][1]` and so on. */
function placesOf(key: string, [size, ...rest]: readonly number[]): string[] {
  if (size === undefined) return [key];
  return Array.from({ length: size }, (_, index) => placesOf(`${key}[${index}]`, rest)).flat();
}

function put(table: Table, { key, shape, slot }: Part, value: unknown, line: number): void {
  let next = slot;
  const take = (item: unknown, depth: number): void => {
    if (depth < shape.length) {
      if (!Array.isArray(item) || item.length !== shape[depth])
        table.refuse(next, line, `an array of the shape [${shape.join(', ')}] of the first`, `another at ${show(key)}`);
      for (const inner of item) take(inner, depth + 1);
    } else if (typeof item === 'number') table.putNumber(next++, item, line);
    else if (typeof item === 'string' && next === table.slots.label) table.put(next++, item, line);
    else table.refuse(next, line, 'a number', show(item));
  };
  take(value, 0);
}

/** Lines that are not empty, with their numbers from 1. */
function* linesOf(file: FileBytes): Generator<readonly [text: string, line: number]> {
  let rest = Buffer.alloc(0);
  let line = 0;
  for (let position = 0; position < file.size || rest.length > 0; ) {
    const length = Math.min(Math.max(windowBytes, rest.length), file.size - position);
    const bytes = Buffer.concat([rest, file.read(position, length)]);
    position += length;
    let at = position === length && bytes.subarray(0, 3).equals(Buffer.from('\uFEFF')) ? 3 : 0;
    for (let end = bytes.indexOf(0x0a, at); at < bytes.length; end = bytes.indexOf(0x0a, at)) {
      if (end === -1 && position < file.size) break;
      const stop = end === -1 ? bytes.length : end;
      line++;
      const text = bytes.toString('utf8', at, stop).trim();
      at = stop + 1;
      if (text !== '') yield [text, line];
    }
    rest = bytes.subarray(at);
  }
}
