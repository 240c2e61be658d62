/**
 * Room: data (level 3). Rows to predict: like the training data, but without their labels, which a file may have or not. What texts
 * became in the training data holds for them. A source has labels, so each row is called class 0 here; nobody looks at it.
 */
import type { DataConfig } from '../config/data.ts';
import { csvHead, csvSource, type OpenOptions } from './csv.ts';
import { idxRows } from './idx.ts';
import { imagesSource } from './images.ts';
import { jsonlSource } from './jsonl.ts';
import { numpyRows } from './numpy-source.ts';
import { parquetHead, parquetSource } from './parquet.ts';
import type { RowFolder } from './row-folder.ts';
import type { DataSource, Texts } from './source.ts';

type TableConfig = Extract<DataConfig, { format: 'csv' | 'parquet' }>;

const noLabels = { label: undefined, target: undefined, sampleWeights: undefined, limit: undefined };

/** The rows at `path`, in the format of `like`, the training data; an npy file of rows is taken for any. Throws LOCKSTEP_FILE and LOCKSTEP_DATA. */
export async function openRows(path: string, like: DataConfig, texts: Texts | undefined, folder?: RowFolder): Promise<DataSource> {
  const source = await open(path, like, { texts: texts ?? { columns: {} }, folder });
  return { ...source, labels: { kind: 'class', values: new Int32Array(source.length) } };
}

async function open(path: string, like: DataConfig, options: Pick<OpenOptions, 'texts' | 'folder'>): Promise<DataSource> {
  if (path.endsWith('.npy')) return await numpyRows(path, undefined, like, options);
  if (!('format' in like)) return await idxRows(path, like, options);
  switch (like.format) {
    case 'idx':
      return await idxRows(path, like, options);
    case 'npy':
      return await numpyRows(path, undefined, like, options);
    case 'npz':
      return await numpyRows(path, like.inputs, like, options);
    case 'csv': {
      const [first = []] = csvHead(path, like.delimiter, 1);
      const columns = inputsOf(like, like.header ? first : first.map((_, column) => String(column)));
      return csvSource({ ...like, ...noLabels, file: path, columns }, options);
    }
    case 'parquet':
      return await parquetSource({ ...like, ...noLabels, file: path, columns: inputsOf(like, (await parquetHead(path, 1)).names) }, options);
    case 'jsonl':
      return jsonlSource({ ...like, label: undefined, target: undefined, sampleWeights: undefined, limit: undefined, file: path }, options);
    case 'images':
      return await imagesSource({ ...like, folder: path, limit: undefined }, options);
    default:
      return like satisfies never;
  }
}

/** The columns of inputs: those of the config, or all that have no other role there, whether the file has these or not. */
function inputsOf({ columns, label, target, sampleWeights }: TableConfig, names: readonly string[]): (string | number)[] {
  if (columns) return columns;
  const others = [label, target, sampleWeights].flat();
  return [...names.keys()].filter((index) => !others.includes(index) && !others.includes(names[index]!));
}
