/**
 * Room: checkpoint (level 3). Where the tensors of a snapshot lie. Plain data: it crosses to the writer's thread as it is.
 */
import { LockstepError } from '../errors.ts';
import { sizeOf } from '../memory/shape.ts';

/** A tensor of a snapshot: row-major float32 numbers of `shape`, from byte `offset` on, a multiple of 4. */
export interface TensorAt {
  readonly name: string;
  readonly shape: readonly number[];
  /** In bytes from the snapshot's start. */
  readonly offset: number;
}

/** The tensors of both files, each in the order in which its file has them. */
export interface SnapshotLayout {
  /** Named `<layer>/<weight>`. */
  readonly weights: readonly TensorAt[];
  /** Named `<layer>/<weight>/<slot>`. */
  readonly optimizer: readonly TensorAt[];
}

/** The bytes of a tensor in the snapshot. Throws LOCKSTEP_INTERNAL when it lies outside. */
export function tensorBytes(snapshot: SharedArrayBuffer, { name, shape, offset }: TensorAt): Uint8Array {
  const bytes = 4 * sizeOf(shape);
  if (!Number.isSafeInteger(offset) || offset < 0 || offset % 4 !== 0 || offset + bytes > snapshot.byteLength) {
    const message = `Expected tensor \`${name}\` to lie in its snapshot of ${snapshot.byteLength} bytes, got ${bytes} bytes from ${offset}; report it.`;
    throw new LockstepError('LOCKSTEP_INTERNAL', message);
  }
  return new Uint8Array(snapshot, offset, bytes);
}
