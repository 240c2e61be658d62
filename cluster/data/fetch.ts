/**
 * Room: cluster (level 7), data. How the chunks that a host lacks come to it: in pieces, straight from the coordinator's arena
 * into its own, hashed as they arrive. It promises that a data set is complete only when every chunk has its hash, and that
 * neither side copies or queues more than a piece. It knows messages but no sockets: who sends, and how fast, is decided elsewhere.
 */
import { createHash, type Hash } from 'node:crypto';
import { LockstepError } from '../../src/errors.ts';
import type { DataCache } from './cache.ts';
import { chunkRange, type Manifest, type StoredData, viewsOf } from './manifest.ts';

/** Bytes of a piece: large enough to fill a socket, small enough that a heartbeat never waits long behind one. */
export const pieceBytes = 256 * 1024;

export type SetName = 'train' | 'validation';

/** The fields of a `data` message, and its payload: a view of the sender's arena. */
export interface DataPiece {
  readonly set: SetName;
  readonly chunk: number;
  /** Bytes from the start of the chunk. */
  readonly offset: number;
  readonly payload: Uint8Array;
}

/** One data set, at either end. */
export interface Transfer {
  readonly set: SetName;
  /** Of the data set, as `makeManifest` made it or `checkManifest` accepted it. */
  readonly manifest: Manifest;
  readonly data: StoredData;
}

export interface ReceiverOptions extends Transfer {
  readonly cache?: DataCache | undefined;
}

/** The chunk that is arriving: how much of it is there, and the hash of that. */
interface Arrival {
  readonly chunk: number;
  readonly hash: Hash;
  bytes: number;
}

/** One data set on its way to this host. */
export class DataReceiver {
  readonly #options: ReceiverOptions;
  readonly #missing: Set<number>;
  #arrival: Arrival | undefined;
  /** The writes to the cache, one after the other: they never reject. */
  #writes: Promise<void> = Promise.resolve();

  constructor(options: ReceiverOptions) {
    this.#options = options;
    this.#missing = new Set(options.manifest.chunks.keys());
  }

  /** Chunks that are not there yet, in order: what to ask the coordinator for. */
  get missing(): number[] {
    return [...this.#missing];
  }

  /** True when every chunk is in the arena and verified. */
  get isComplete(): boolean {
    return this.#missing.size === 0;
  }

  /** Takes what the cache has. To be called before anything is asked for. */
  async takeCached(): Promise<void> {
    const { cache } = this.#options;
    if (!cache) return;
    for (const chunk of this.missing) {
      if (await cache.read(chunk, this.#views(chunk))) this.#missing.delete(chunk);
    }
  }

  /**
   * Takes a piece. The pieces of a chunk come in order and without another chunk between them. Throws LOCKSTEP_PROTOCOL for a
   * piece that is out of place and for a chunk that is not what the manifest says; nothing outside the data set is ever written.
   */
  accept({ set, chunk, offset, payload }: DataPiece): void {
    const arrival = this.#arrival ?? { chunk, hash: createHash('sha256'), bytes: 0 };
    if (!this.#missing.has(chunk)) throw refused(`a chunk of the data set \`${this.#options.set}\` that was asked for`, `chunk ${chunk}`);
    if (set !== this.#options.set || chunk !== arrival.chunk || offset !== arrival.bytes) {
      throw refused(`byte ${arrival.bytes} of chunk ${arrival.chunk} of the data set \`${this.#options.set}\``, `byte ${offset} of chunk ${chunk} of \`${set}\``);
    }
    const range = chunkRange(this.#options.manifest.bytes, chunk);
    const room = Math.min(pieceBytes, range.bytes - offset);
    if (payload.length === 0 || payload.length > room) throw refused(`1 to ${room} bytes of chunk ${chunk}`, `${payload.length}`);
    let taken = 0;
    for (const view of viewsOf(this.#options.data, range.start + offset, payload.length)) {
      view.set(payload.subarray(taken, taken + view.length));
      taken += view.length;
    }
    arrival.hash.update(payload);
    arrival.bytes += payload.length;
    this.#arrival = arrival;
    if (arrival.bytes === range.bytes) this.#finish(arrival);
  }

  /** Resolves when all chunks that have arrived are in the cache, or the cache has given up. */
  flushed(): Promise<void> {
    return this.#writes;
  }

  #finish({ chunk, hash }: Arrival): void {
    const { manifest, set, cache } = this.#options;
    this.#arrival = undefined;
    if (hash.digest('hex') !== manifest.chunks[chunk]) throw refused(`chunk ${chunk} of the data set \`${set}\` to have the hash of the manifest`, 'other bytes');
    this.#missing.delete(chunk);
    if (cache) this.#writes = this.#writes.then(() => cache.write(chunk, this.#views(chunk)));
  }

  #views(chunk: number): Uint8Array[] {
    const { start, bytes } = chunkRange(this.#options.manifest.bytes, chunk);
    return viewsOf(this.#options.data, start, bytes);
  }
}

/**
 * The sender's side: every call gives the next piece of the `chunks` that were asked for, and undefined after the last. Pieces are
 * views of the arena; one ends where the inputs end, so that none needs a copy. Throws LOCKSTEP_PROTOCOL for a wish that is not a
 * list of different chunks of the data set.
 */
export function dataPieces({ set, data, manifest }: Transfer, chunks: readonly number[]): () => DataPiece | undefined {
  const count = manifest.chunks.length;
  const strange = chunks.find((chunk) => !Number.isInteger(chunk) || chunk < 0 || chunk >= count);
  if (strange !== undefined) throw refused(`a wish for chunks 0 to ${count - 1} of the data set \`${set}\``, `chunk ${strange}`);
  if (new Set(chunks).size !== chunks.length) throw refused(`a wish for every chunk of the data set \`${set}\` once`, 'one twice');
  let next = 0;
  let offset = 0;
  return () => {
    const chunk = chunks[next];
    if (chunk === undefined) return undefined;
    const range = chunkRange(manifest.bytes, chunk);
    const [payload] = viewsOf(data, range.start + offset, Math.min(pieceBytes, range.bytes - offset)) as [Uint8Array];
    const piece = { set, chunk, offset, payload };
    offset += payload.length;
    if (offset === range.bytes) [next, offset] = [next + 1, 0];
    return piece;
  };
}

function refused(expected: string, received: string): LockstepError {
  return new LockstepError('LOCKSTEP_PROTOCOL', `Expected ${expected}, got ${received}; the connection is not to be trusted with data.`);
}
