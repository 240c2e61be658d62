/**
 * Room: data (level 3). Rows of a source a few at a time, in order, so that what looks at all of them needs little memory.
 */
import { sizeOf } from '../memory/shape.ts';
import type { DataSource } from './source.ts';

/** Numbers of a block: small enough for a core's cache. */
const blockNumbers = 2 ** 16;

/** Room for numbers in the type of a source. */
function roomFor({ inputType }: Pick<DataSource, 'inputType'>, count: number): Uint8Array | Float32Array {
  return inputType === 'uint8' ? new Uint8Array(count) : new Float32Array(count);
}

/** Calls `use` for blocks of the rows at `indices` (all rows, in order, when absent), with the place of their first among these. */
export function forBlocks(source: DataSource, indices: Int32Array | undefined, use: (values: Uint8Array | Float32Array, first: number) => void): void {
  const size = sizeOf(source.inputShape);
  const count = indices?.length ?? source.length;
  const rows = Math.max(1, Math.min(count, Math.floor(blockNumbers / size)));
  const room = roomFor(source, rows * size);
  const own = new Int32Array(rows);
  for (let first = 0; first < count; first += rows) {
    const taken = Math.min(rows, count - first);
    for (let i = 0; i < taken; i++) own[i] = indices?.[first + i] ?? first + i;
    source.readRows(own.subarray(0, taken), room);
    use(room.subarray(0, taken * size), first);
  }
}
