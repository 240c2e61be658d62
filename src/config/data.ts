/**
 * Room: config (level 1). Where data may come from: files by `format`, or a named `dataset`, and which of their fields are paths. It
 * never opens them; `src/data/` does.
 */
import { z } from 'zod';
import { dataDefaults as d } from './defaults.ts';
import { across, choice, field, flag, integer, listOf, positive, type Report, record, text, variantError } from './rules.ts';

const path = text.describe('A path, relative to the folder of the config file.');
const split = choice('train', 'test');
const formats = ['idx', 'npy', 'npz', 'csv', 'jsonl', 'parquet', 'images'] as const;

const common = {
  limit: integer(1).optional().describe('The first rows only.'),
  streaming: flag.default(d.streaming).describe('Inputs stay on disk and are read ahead of the steps, so data may be larger than memory; on one machine.'),
  normalize: choice('standard', 'minMax').optional().describe('Of training data: standard has mean 0 and standard deviation 1, minMax fills 0 to 1.'),
};
const scaled = { scale: positive.default(d.scale).describe('Every value is divided by this.'), ...common };
const images = { scale: positive.default(d.imageScale), ...common };

const columnRule = 'the name of a column or its number, from 0';
const column = z.union([z.string(columnRule).min(1, columnRule), integer(0)], columnRule);
const columns = listOf('column', column);
/** What a column of a table may be. */
const roles = {
  label: column.optional().describe('The column of classes: integers from 0, or texts.'),
  target: z.union([column, columns], 'a column or a list of columns').optional().describe('In the place of `label`: columns of values to predict.'),
  columns: columns.optional().describe('The inputs, in this order; all that have no other role when absent.'),
  categorical: columns.optional().describe('Columns whose numbers are names: they become one column a category, as texts do.'),
  sampleWeights: column.optional().describe('The column of the weights of rows.'),
};

const dataWords = `an object with a file \`format\` (${formats.join(', ')}) or the name of a \`dataset\` (mnist, fashionMnist)`;

/** Rows have classes or values to learn, not both. */
function oneAim(value: unknown, report: Report): void {
  const [label, target] = [field(value, 'label'), field(value, 'target')];
  if (label === undefined && target === undefined) report(['label'], 'what holds the classes, unless `target` names values');
  if (label !== undefined && target !== undefined) report(['target'], 'absent where `label` names classes');
}

const delimiterRule = 'a tab, a space or an ASCII sign that is no part of numbers or quotes';

const fileSchema = z.discriminatedUnion(
  'format',
  [
    record(dataWords, { format: z.literal('idx'), images: path, labels: path, ...scaled }),
    record(dataWords, { format: z.literal('npy'), inputs: path, labels: path, sampleWeights: path.optional(), ...scaled }),
    record(dataWords, {
      format: z.literal('npz'),
      file: path,
      inputs: text.default(d.npzInputs).describe('The name of the array of inputs.'),
      labels: text.default(d.npzLabels),
      sampleWeights: text.optional(),
      ...scaled,
    }),
    across(
      record(dataWords, {
        format: z.literal('csv'),
        file: path,
        header: flag.default(d.header).describe('The first row names the columns.'),
        delimiter: z
          .string(delimiterRule)
          .regex(/^[\t !#$%&'()*,/:;<=>?@[\\\]^_`{|}~]$/, delimiterRule)
          .default(d.delimiter),
        ...roles,
        ...scaled,
      }),
      oneAim,
    ),
    across(
      record(dataWords, {
        format: z.literal('jsonl'),
        file: path,
        inputs: z.union([text, listOf('key', text)], 'the key of an array or a list of keys of numbers'),
        label: text.optional(),
        target: text.optional().describe('In the place of `label`: the key of a value or an array of values to predict.'),
        sampleWeights: text.optional(),
        ...scaled,
      }),
      oneAim,
    ),
    across(record(dataWords, { format: z.literal('parquet'), file: path, ...roles, ...scaled }), oneAim),
    record(dataWords, {
      format: z.literal('images'),
      folder: path.describe('A folder with one folder of pictures a class.'),
      size: z.tuple([integer(1), integer(1)], 'the height and width in pixels: [height, width]').describe('Height and width that pictures are brought to.'),
      channels: z.union([z.literal(1), z.literal(3)], '1 (grey) or 3 (red, green, blue)').default(d.channels),
      ...images,
    }),
  ],
  variantError(dataWords, 'a supported file format', formats),
);

const datasetSchema = z.discriminatedUnion(
  'dataset',
  [
    record(dataWords, { dataset: z.literal('mnist'), split, folder: path.optional(), ...images }),
    record(dataWords, { dataset: z.literal('fashionMnist'), split, folder: path.default(d.fashionMnistFolder), ...images }),
  ],
  variantError(dataWords, 'a known data set', ['mnist', 'fashionMnist']),
);

/** One set of rows with labels. `scale` divides every value; `limit` takes the first rows. */
export const dataSchema = z.union([fileSchema, datasetSchema], dataWords);

export type DataConfigInput = z.input<typeof dataSchema>;
export type DataConfig = z.output<typeof dataSchema>;
export type FileConfig = Extract<DataConfig, { format: string }>;
/** The config of one format. */
export type FormatConfig<F extends FileConfig['format']> = Extract<FileConfig, { format: F }>;

/** Which fields of a format are paths. */
const pathFields: { readonly [F in FileConfig['format']]: readonly (keyof FormatConfig<F> & string)[] } = {
  idx: ['images', 'labels'],
  npy: ['inputs', 'labels', 'sampleWeights'],
  npz: ['file'],
  csv: ['file'],
  jsonl: ['file'],
  parquet: ['file'],
  images: ['folder'],
};

/** The same files elsewhere: every path of the config changed by `change`. */
export function withPaths<C extends FileConfig>(config: C, change: (path: string) => string): C {
  const changed = pathFields[config.format]
    .map((name) => [name, field(config, name)] as const)
    .filter((entry): entry is readonly [never, string] => entry[1] !== undefined);
  return { ...config, ...Object.fromEntries(changed.map(([name, value]) => [name, change(value)])) };
}
