/**
 * Room: data (level 3). A source whose inputs stay on disk. It promises the rows that a source in memory would give; each call opens
 * the file and closes it.
 */
import { sizeOf } from '../memory/shape.ts';
import { forBlocks } from './blocks.ts';
import { malformed } from './file-bytes.ts';
import { type RowFile, RowReader, type RowTarget, stateOf } from './row-file.ts';
import type { DataSource } from './source.ts';

/** Rows `length` of a file, as they lie there. Throws LOCKSTEP_FILE when there is none. */
export function fileSource(
  description: Omit<DataSource, 'inputType' | 'readRows' | 'readAll' | 'rowFile' | 'normalization'>,
  { path, offset, type }: Pick<RowFile, 'path' | 'offset' | 'type'>,
): DataSource {
  const rowFile: RowFile = { path, offset, type, rowSize: sizeOf(description.inputShape), state: stateOf(path) };

  function read(indices: Int32Array, into: Uint8Array | Float32Array): void {
    const reader = new RowReader(rowFile, indices.length);
    try {
      reader.read(indices, indices.length, targetOf(into), 0);
    } finally {
      reader.close();
    }
  }

  const source: DataSource = {
    ...description,
    inputType: type,
    rowFile,
    readRows: read,
    readAll: (into) => forBlocks(source, undefined, (values, first) => into.set(values, first * rowFile.rowSize)),
  };
  return source;
}

function targetOf(into: Uint8Array | Float32Array): RowTarget {
  const u8 = new Uint8Array(into.buffer, into.byteOffset, into.byteLength);
  return { u8, f32: into instanceof Float32Array ? into : new Float32Array(0) };
}

/** Throws LOCKSTEP_DATA for the first row that holds a number which is not finite, naming it as `array`. */
export function checkFiniteRows(source: DataSource, array: string): void {
  if (source.inputType === 'uint8') return;
  const size = sizeOf(source.inputShape);
  forBlocks(source, undefined, (values, first) => {
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!;
      if (!(value - value === 0)) throw notFinite(array, value, first + Math.floor(i / size));
    }
  });
}

/** A number in a row of `array` is none that can be computed with. */
export function notFinite(array: string, value: number, row: number): Error {
  return malformed(array, 'hold finite numbers in float32', `\`${value}\` in row ${row}`, 'mend or leave out the row');
}
