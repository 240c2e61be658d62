/** Room: tests of data. A temporary folder per test file, and IDX bytes made by hand. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { type ErrorCode, LockstepError } from '../../src/errors.ts';

/** A function that writes a file into a folder of this test file and returns its path. The folder goes when the tests end. */
export function temporaryFolder(): (name: string, bytes: Uint8Array | string) => string {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-data-'));
  test.after.always(() => rmSync(folder, { recursive: true }));
  return (name, bytes) => {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    return path;
  };
}

/** An IDX file: 0, 0, type, rank, big-endian dimensions, values. */
export function idxBytes(shape: readonly number[], values: ArrayLike<number>, type = 8): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header[2] = type;
  header[3] = shape.length;
  for (const [axis, size] of shape.entries()) header.writeUInt32BE(size, 4 + 4 * axis);
  return Buffer.concat([header, Uint8Array.from(values)]);
}

/** The message of the LockstepError with this code by which `promise` is rejected. */
export async function rejection(code: ErrorCode, promise: Promise<unknown>): Promise<string> {
  const [result] = await Promise.allSettled([promise]);
  return refusal(code, () => {
    if (result.status === 'rejected') throw result.reason;
  });
}

/** The message of the LockstepError with this code that `act` throws. */
export function refusal(code: ErrorCode, act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof LockstepError && error.code === code) return error.message;
    throw error;
  }
  return 'accepted';
}
