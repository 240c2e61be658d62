/**
 * Room: data (level 3). Rows to predict: like the training data, but without their labels, which a file may have or not. What texts
 * became in the training data holds for them. A source has labels, so each row is called class 0 here; nobody looks at it.
 */
import type { DataConfig } from '../config/data.ts';
import { csvHead, csvSource } from './csv.ts';
import { readIdx } from './idx.ts';
import { imagesSource } from './images.ts';
import { jsonlSource } from './jsonl.ts';
import { numpyRows } from './numpy-source.ts';
import { parquetHead, parquetSource } from './parquet.ts';
import { type DataSource, memorySource, type Texts } from './source.ts';

type TableConfig = Extract<DataConfig, { format: 'csv' | 'parquet' }>;

const noLabels = { label: undefined, target: undefined, sampleWeights: undefined, limit: undefined };

/** The rows at `path`, in the format of `like`, the training data; an npy file of rows is taken for any. Throws LOCKSTEP_FILE and LOCKSTEP_DATA. */
export async function openRows(path: string, like: DataConfig, texts: Texts | undefined): Promise<DataSource> {
  const source = await open(path, like, { texts: texts ?? { columns: {} } });
  return { ...source, labels: { kind: 'class', values: new Int32Array(source.length) } };
}

async function open(path: string, like: DataConfig, options: { readonly texts: Texts }): Promise<DataSource> {
  if (path.endsWith('.npy')) return numpyRows(path, undefined, like.scale);
  if (!('format' in like)) return idxRows(path, like.scale);
  switch (like.format) {
    case 'idx':
      return idxRows(path, like.scale);
    case 'npy':
      return numpyRows(path, undefined, like.scale);
    case 'npz':
      return numpyRows(path, like.inputs, like.scale);
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

function idxRows(path: string, scale: number): DataSource {
  const { shape, values } = readIdx(path, 'an image file');
  return memorySource({ name: `\`${path}\``, inputShape: shape.slice(1), scale, labels: { kind: 'class', values: new Int32Array(shape[0]!) }, values });
}

/** The columns of inputs: those of the config, or all that have no other role there, whether the file has these or not. */
function inputsOf({ columns, label, target, sampleWeights }: TableConfig, names: readonly string[]): (string | number)[] {
  if (columns) return columns;
  const others = [label, target, sampleWeights].flat();
  return [...names.keys()].filter((index) => !others.includes(index) && !others.includes(names[index]!));
}
