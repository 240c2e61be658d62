/**
 * Room: data (level 3). From a path alone to a description of the data there, as a config has it: by names, first bytes and first rows.
 * What it cannot tell it refuses; it never changes a file.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import type { DataConfigInput } from '../config/data.ts';
import { demandFile } from '../config/file.ts';
import { LockstepError } from '../errors.ts';
import { type Aim, aimOf, type Head, isHeader } from './aim.ts';
import { csvHead } from './csv.ts';
import { withFile } from './file-bytes.ts';
import { lookAtPictures } from './images.ts';
import { jsonlHead } from './jsonl.ts';
import { parquetHead } from './parquet.ts';
import { zipMembers } from './zip.ts';

export interface Look {
  readonly train: DataConfigInput;
  readonly validation?: DataConfigInput;
  /** What was found and what follows, a sentence each. */
  readonly reasons: readonly string[];
}

const headRows = 200;
const mostPixels = 64;

/** Describes the data at `path`, or the set that is called so. `predict` is the column to predict in a table. Throws LOCKSTEP_FILE and LOCKSTEP_DATA. */
export async function lookAt(path: string, predict?: string): Promise<Look> {
  if (path === 'mnist' || path === 'fashionMnist') {
    return { train: { dataset: path, split: 'train' }, validation: { dataset: path, split: 'test' }, reasons: [`${path} has a test set, which judges the model`] };
  }
  if (demandFile(path, 'data', 'give a file, a folder, or mnist', () => statSync(path)).isDirectory()) return await lookAtFolder(path);
  switch (extname(path).toLowerCase()) {
    case '.csv':
    case '.tsv':
    case '.txt':
      return lookAtCsv(path, predict);
    case '.parquet': {
      const aim = aimOf(await parquetHead(path, headRows), `\`${path}\``, predict);
      return { train: { format: 'parquet', file: path, ...rolesOf(aim), normalize: 'standard' }, reasons: [...aim.reasons, normalized] };
    }
    case '.jsonl':
    case '.ndjson':
      return lookAtJsonl(path, predict);
    case '.npz':
      return lookAtNpz(path);
    default:
      return lookAtIdx(path);
  }
}

const normalized = 'inputs are brought to mean 0 and standard deviation 1 (`normalize`), as columns have units of their own';
const bytes = 'bytes are divided by 255 (`scale`), so inputs are 0 to 1';

function rolesOf({ column, kind, columns }: Aim): { label?: string; target?: string; columns?: string[] } {
  return { [kind]: column, ...(columns && { columns: [...columns] }) };
}

function lookAtCsv(path: string, predict: string | undefined): Look {
  const [line = ''] = withFile(path, 'a CSV file', undefined, (file) => file.read(0, Math.min(file.size, 2 ** 16)))
    .toString('utf8')
    .split('\n');
  const count = (sign: string): number => line.split(sign).length;
  const delimiter = [',', ';', '\t', '|'].reduce((best, sign) => (count(sign) > count(best) ? sign : best));
  const rows = csvHead(path, delimiter, headRows);
  const header = rows.length > 1 && isHeader(rows[0]!);
  const head: Head = header ? { names: rows[0]!, rows: rows.slice(1) } : { names: (rows[0] ?? []).map((_, column) => String(column)), rows };
  const aim = aimOf(head, `\`${path}\``, predict);
  const place = (name: string): string | number => (header ? name : Number(name));
  return {
    train: {
      format: 'csv',
      file: path,
      ...(delimiter !== ',' && { delimiter }),
      ...(!header && { header }),
      [aim.kind]: place(aim.column),
      ...(aim.columns && { columns: aim.columns.map(place) }),
      normalize: 'standard',
    } as DataConfigInput,
    reasons: [`the first row ${header ? 'names the columns' : 'holds numbers, so columns are called by their number, from 0'}`, ...aim.reasons, normalized],
  };
}

function lookAtJsonl(path: string, predict: string | undefined): Look {
  const objects = jsonlHead(path, headRows);
  const names = Object.keys(objects[0] ?? {});
  const head: Head = { names, rows: objects.map((row) => names.map((name) => row[name])) };
  const aim = aimOf(head, `\`${path}\``, predict);
  const rest = (aim.columns ?? names).filter((name) => name !== aim.column);
  const array = rest.find((name) => Array.isArray(objects[0]![name]));
  const inputs = array ?? rest.filter((name) => typeof objects[0]![name] === 'number');
  if (inputs.length === 0) throw unknown(path, 'no key of numbers beside the one to predict');
  return {
    train: { format: 'jsonl', file: path, inputs, [aim.kind]: aim.column, normalize: 'standard' } as DataConfigInput,
    reasons: [...aim.reasons, `inputs are ${array === undefined ? 'all keys of numbers' : `the array \`${array}\``}`, normalized],
  };
}

function lookAtNpz(path: string): Look {
  const names = withFile(path, 'an npz file', undefined, (file) => [...zipMembers(file).keys()]).map((name) => name.replace(/\.npy$/, ''));
  const find = (...wanted: string[]): string | undefined => wanted.find((name) => names.includes(name));
  const inputs = find('x_train', 'x', 'X', 'inputs', 'images', 'data', 'features');
  const labels = find('y_train', 'y', 'Y', 'labels', 'label', 'targets', 'target');
  if (inputs === undefined || labels === undefined) throw unknown(path, `the arrays ${names.slice(0, 8).join(', ')}, none of which is called x or y`);
  const set = (x: string, y: string): DataConfigInput => ({ format: 'npz', file: path, inputs: x, labels: y });
  const [x, y] = [find('x_test', 'x_val'), find('y_test', 'y_val')];
  return {
    train: set(inputs, labels),
    ...(x !== undefined && y !== undefined && { validation: set(x, y) }),
    reasons: [`\`${inputs}\` are the inputs and \`${labels}\` the labels${x !== undefined && y !== undefined ? `, \`${x}\` and \`${y}\` judge` : ''}`],
  };
}

function lookAtIdx(images: string): Look {
  const folder = dirname(images);
  const labels = join(folder, basename(images).replace('images', 'labels').replace('idx3', 'idx1'));
  const [first, second, third] = withFile(images, 'data', undefined, (file) => file.read(0, Math.min(4, file.size)));
  const isIdx = (first === 0 && second === 0 && third === 8) || (first === 0x1f && second === 0x8b);
  if (!isIdx) throw unknown(images, 'another');
  if (labels === images || !existsSync(labels)) throw unknown(images, `an IDX file without its labels${labels === images ? '' : ` (\`${labels}\`)`}`);
  return { train: { format: 'idx', images, labels, scale: 255 }, reasons: [bytes] };
}

async function lookAtFolder(folder: string): Promise<Look> {
  const names = readdirSync(folder).toSorted();
  const part = (pattern: RegExp): string | undefined => names.find((name) => pattern.test(name));
  const images = part(/^train.*images/);
  if (images !== undefined) {
    const test = part(/^(t10k|test|val).*images/);
    const { train, reasons } = lookAtIdx(join(folder, images));
    if (test === undefined) return { train, reasons };
    return { train, validation: lookAtIdx(join(folder, test)).train, reasons: [...reasons, `\`${test}\` judges the model`] };
  }
  const parts = names.includes('train') ? part(/^(val|valid|validation|test)$/) : undefined;
  const place = names.includes('train') ? join(folder, 'train') : folder;
  const found = await lookAtPictures(place);
  const size = found.size.map((pixels) => Math.min(mostPixels, pixels)) as [number, number];
  const set = (at: string): DataConfigInput => ({ format: 'images', folder: at, size, channels: found.channels });
  return {
    train: set(place),
    ...(parts !== undefined && { validation: set(join(folder, parts)) }),
    reasons: [
      'each folder is a class',
      `pictures become ${size.join(' x ')} pixels of ${found.channels} channels; the first one is ${found.size.join(' x ')}`,
      bytes,
      ...(parts === undefined ? [] : [`the folder \`${parts}\` judges the model`]),
    ],
  };
}

function unknown(path: string, received: string): LockstepError {
  return new LockstepError(
    'LOCKSTEP_DATA',
    `Expected \`${path}\` to be a CSV, Parquet, JSON lines or npz file, IDX images beside their labels, or a folder with a folder of pictures a class, got ${received}; write its config by hand (docs/usage.md).`,
  );
}
