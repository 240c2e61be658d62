/**
 * Room: cluster (level 7), data. What a data set is to hosts that do not have it yet: one string of bytes, all inputs in their
 * stored type and then all labels, cut into chunks with a hash each, and one hash over everything. In an arena the bytes are two
 * ranges; which bytes of which range a chunk is, is a pure function. Nothing here blocks longer than it takes to hash 4 MiB.
 */
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { canonicalJson, hashOf } from '../../src/config/canonical.ts';
import { LockstepError } from '../../src/errors.ts';
import type { Address, Arena } from '../../src/memory/arena.ts';
import { sizeOf } from '../../src/memory/shape.ts';
import type { DataPlace, DataSpec } from '../../src/model/plan.ts';
import { mostChunks } from '../wire/messages.ts';

export interface Manifest {
  /** Over the spec and the hashes of all chunks: two data sets with the same one train alike. */
  readonly sha256: string;
  readonly bytes: number;
  /** SHA-256 of each chunk, in hex, in order. */
  readonly chunks: readonly string[];
}

/** A data set in an arena. Its bytes never change once they are verified. */
export interface StoredData {
  readonly arena: Arena;
  readonly place: DataPlace;
}

/**
 * Bytes of a chunk: a few milliseconds of hashing, so that the event loop is never held; little lost when one must be fetched
 * again; and few enough chunks that a file for each is no burden.
 */
export const smallestChunkBytes = 4 * 2 ** 20;

/** Bytes of every chunk but the last, for a data set of `bytes` bytes: doubled until no more than `mostChunks` are left. */
export function chunkBytes(bytes: number): number {
  let size = smallestChunkBytes;
  while (bytes > size * mostChunks) size *= 2;
  return size;
}

/** Bytes of the inputs in their stored type, of the labels, and of these and the weights of rows together. */
export function dataBytes({ length, inputShape, inputType, targetSize, weighted }: DataSpec): { readonly inputs: number; readonly labels: number; readonly all: number } {
  const inputs = length * sizeOf(inputShape) * (inputType === 'uint8' ? 1 : 4);
  const labels = length * 4 * Math.max(1, targetSize);
  return { inputs, labels, all: inputs + labels + (weighted ? 4 * length : 0) };
}

/** True when data sets of both specs lie in memory alike and mean the same. */
export function sameSpec(a: DataSpec, b: DataSpec): boolean {
  return canonicalJson(plainSpec(a)) === canonicalJson(plainSpec(b));
}

/** Where chunk `index` of a data set of `bytes` bytes begins, and how long it is; 0 <= index < the number of chunks. */
export function chunkRange(bytes: number, index: number): { readonly start: number; readonly bytes: number } {
  const size = chunkBytes(bytes);
  return { start: index * size, bytes: Math.min(size, bytes - index * size) };
}

/** Bytes that stand together in the arena. */
export interface Range {
  readonly address: Address;
  readonly bytes: number;
}

/** Where bytes [start, start + bytes) of a data set are in the arena: in its inputs, its labels and its weights, in this order. */
export function rangesOf({ spec, inputs, labels, weights }: DataPlace, start: number, bytes: number): Range[] {
  const sizes = dataBytes(spec);
  const end = start + bytes;
  const parts = [
    { address: inputs, from: 0, to: sizes.inputs },
    { address: labels, from: sizes.inputs, to: sizes.inputs + sizes.labels },
    { address: weights, from: sizes.inputs + sizes.labels, to: sizes.all },
  ];
  return parts.flatMap(({ address, from, to }): Range[] => {
    const [first, last] = [Math.max(start, from), Math.min(end, to)];
    return first < last ? [{ address: address + first - from, bytes: last - first }] : [];
  });
}

/** Views of bytes [start, start + bytes) of a data set: nothing is copied. */
export function viewsOf({ arena, place }: StoredData, start: number, bytes: number): Uint8Array[] {
  return rangesOf(place, start, bytes).map((range) => arena.u8.subarray(range.address, range.address + range.bytes));
}

/** The manifest of a data set that is in the arena. The event loop gets its turn after every 4 MiB. */
export async function makeManifest(data: StoredData): Promise<Manifest> {
  const { spec } = data.place;
  const { all: bytes } = dataBytes(spec);
  const count = chunkCount(bytes);
  const chunks: string[] = [];
  for (let index = 0; index < count; index++) {
    const chunk = chunkRange(bytes, index);
    const hash = createHash('sha256');
    for (let done = 0; done < chunk.bytes; done += smallestChunkBytes) {
      for (const view of viewsOf(data, chunk.start + done, Math.min(smallestChunkBytes, chunk.bytes - done))) hash.update(view);
      await setImmediate();
    }
    chunks.push(hash.digest('hex'));
  }
  return { sha256: hashOfAll(spec, chunks), bytes, chunks };
}

/** Makes sure that a manifest that was received is one of a data set of `spec`. Throws LOCKSTEP_PROTOCOL otherwise. */
export function checkManifest({ sha256, bytes, chunks }: Manifest, spec: DataSpec): void {
  const expected = dataBytes(spec).all;
  if (bytes !== expected || chunks.length !== chunkCount(expected)) {
    throw new LockstepError(
      'LOCKSTEP_PROTOCOL',
      `Expected the manifest of a data set of ${expected} bytes in ${chunkCount(expected)} chunks, got ${bytes} bytes in ${chunks.length}; use the same version of Lockstep everywhere.`,
    );
  }
  const hash = hashOfAll(spec, chunks);
  if (sha256 === hash) return;
  throw new LockstepError(
    'LOCKSTEP_PROTOCOL',
    `Expected the manifest of a data set to have the hash of its parts, ${shortHash(hash)}, got ${shortHash(sha256)}; use the same version of Lockstep everywhere.`,
  );
}

/** True when `views`, one after the other, are chunk `index`. */
export function verifyChunk({ chunks }: Manifest, index: number, views: readonly Uint8Array[]): boolean {
  const hash = createHash('sha256');
  for (const view of views) hash.update(view);
  return hash.digest('hex') === chunks[index];
}

/** A hash as messages show it: its first 12 hex digits. */
export function shortHash(hash: string): string {
  return hash.slice(0, 12);
}

function chunkCount(bytes: number): number {
  return Math.ceil(bytes / chunkBytes(bytes));
}

function hashOfAll(spec: DataSpec, chunks: readonly string[]): string {
  return hashOf({ spec: plainSpec(spec), chunks });
}

/** The fields that are part of the hash, and no others. */
function plainSpec({ length, inputShape, inputType, scale, targetSize, weighted, classWeights }: DataSpec): DataSpec {
  return { length, inputShape, inputType, scale, targetSize, ...(weighted && { weighted }), ...(classWeights && { classWeights }) };
}
