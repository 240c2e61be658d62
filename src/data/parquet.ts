/**
 * Room: data (level 3). Parquet files, read by hyparquet row group by row group, so that only one of them is in memory beside the rows.
 * Columns of numbers, truth values (1 and 0) and texts; nulls are refused by row and column, as in a CSV file.
 */
import type { AsyncBuffer, DecodedArray } from 'hyparquet';
import { show } from '../check.ts';
import type { FormatConfig } from '../config/data.ts';
import { isLockstepError } from '../errors.ts';
import type { OpenOptions } from './csv.ts';
import { FileBytes, malformed, reasonOf } from './file-bytes.ts';
import { folderFor } from './row-folder.ts';
import type { DataSource } from './source.ts';
import { Table } from './table.ts';

/** The rows of a Parquet file. Throws LOCKSTEP_FILE and LOCKSTEP_DATA. */
export async function parquetSource(config: FormatConfig<'parquet'>, { texts, mend, folder }: OpenOptions = {}): Promise<DataSource> {
  return await withParquet(config.file, mend, (file) => read(config, file, texts, folderFor(config.streaming, folder)));
}

async function withParquet<T>(path: string, mend: string | undefined, use: (file: FileBytes) => Promise<T>): Promise<T> {
  const file = new FileBytes(path, 'a Parquet file', mend);
  try {
    return await use(file);
  } catch (cause) {
    if (isLockstepError(cause)) throw cause;
    throw malformed(path, 'be a whole Parquet file', `one that cannot be read (${reasonOf(cause)})`, 'the file is truncated or damaged: fetch it again', {
      cause,
    });
  } finally {
    file.close();
  }
}

/** Names of the columns and the first rows, `most` of them. Throws as `parquetSource` does. */
export async function parquetHead(path: string, most: number): Promise<{ readonly names: string[]; readonly rows: unknown[][] }> {
  return await withParquet(path, undefined, async (bytes) => {
    const { parquetMetadataAsync, parquetReadObjects, parquetSchema } = await import('hyparquet');
    const { compressors } = await import('hyparquet-compressors');
    const file = bufferOf(bytes);
    const metadata = await parquetMetadataAsync(file);
    const names = parquetSchema(metadata).children.map(({ element }) => element.name);
    const objects = await parquetReadObjects({ file, metadata, compressors, rowEnd: Math.min(most, Number(metadata.num_rows)) });
    return { names, rows: objects.map((row) => names.map((name) => row[name])) };
  });
}

function bufferOf(bytes: FileBytes): AsyncBuffer {
  return { byteLength: bytes.size, slice: (start, end = bytes.size) => bytes.read(start, Math.min(end, bytes.size) - start).buffer };
}

async function read(config: FormatConfig<'parquet'>, bytes: FileBytes, texts: OpenOptions['texts'], folder: OpenOptions['folder']): Promise<DataSource> {
  // Loaded here: other formats need neither.
  const { parquetMetadataAsync, parquetScan, parquetSchema } = await import('hyparquet');
  const { compressors } = await import('hyparquet-compressors');
  const file = bufferOf(bytes);
  const metadata = await parquetMetadataAsync(file);
  const names = parquetSchema(metadata).children.map(({ element }) => element.name);
  const rows = Number(metadata.num_rows);
  const expectedRows = Math.min(config.limit ?? rows, rows, bytes.size * 8);
  const table = new Table(names, { ...config, name: `\`${config.file}\``, texts, expectedRows, folder });
  const { ofColumn } = table.slots;
  const columns = names.flatMap((name, index) => (ofColumn[index]! < 0 ? [] : [{ name, slot: ofColumn[index]! }]));
  const scan = await parquetScan({ file, metadata, columns: columns.map(({ name }) => name), compressors });
  for (const { rowStart, rowEnd } of scan.ranges) {
    if (table.isFull) break;
    const values: DecodedArray[] = [];
    for (const { name } of columns) {
      const data = await scan.readColumn({ column: name, rowStart, rowEnd });
      if (data.length !== rowEnd - rowStart) throw new Error(`column ${name} has ${data.length} of ${rowEnd - rowStart} values`);
      values.push(data);
    }
    for (let row = rowStart; row < rowEnd && !table.isFull; row++) {
      for (const [index, { slot }] of columns.entries()) put(table, slot, values[index]![row - rowStart], row + 1);
      table.endRow(row + 1);
    }
  }
  return table.finish();
}

function put(table: Table, slot: number, value: unknown, row: number): void {
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') table.putNumber(slot, Number(value), row);
  else if (typeof value === 'string') table.put(slot, value, row);
  else table.refuse(slot, row, 'a number or a text', value === null || value === undefined ? 'nothing' : show(value));
}
