/**
 * Room: cluster (level 7), exchange. Numbers of a vector that come from one host in pieces, step after step: a stream knows which byte is
 * next, so that nothing is taken but what is due.
 */
import { LockstepError } from '../../src/errors.ts';
import type { Address } from '../../src/memory/arena.ts';

/** Bytes [from, to) of the vector at `vector`, as part `root` of bucket `bucket`. */
export interface StreamPart {
  readonly bucket: number;
  readonly root: number;
  readonly vector: Address;
  readonly from: number;
  readonly to: number;
  /** True for the last part of what is counted. */
  readonly completes: boolean;
}

/** Where a piece belongs, in which round of the stream, and whether it completes what is counted. */
export interface DuePiece {
  readonly address: Address;
  readonly round: number;
  readonly completes: boolean;
}

export class Stream {
  readonly #parts: readonly StreamPart[];
  #round = 0;
  #part = 0;
  #offset: number;

  /** `parts` come in this order, round after round: a round is a step. */
  constructor(parts: readonly StreamPart[]) {
    this.#parts = parts;
    this.#offset = parts[0]?.from ?? 0;
  }

  /** The place of a piece of `length` bytes, which thereby has come. Throws LOCKSTEP_PROTOCOL for one that is not due. */
  take(bucket: number, root: number, offset: number, length: number): DuePiece {
    const part = this.#parts[this.#part];
    if (part === undefined || bucket !== part.bucket || root !== part.root || offset !== this.#offset || length === 0 || offset + length > part.to) {
      const due = part ? `byte ${this.#offset} of bucket ${part.bucket}, up to byte ${part.to}` : 'none';
      throw new LockstepError('LOCKSTEP_PROTOCOL', `Expected the piece of a gradient that is due (${due}), got ${length} bytes at byte ${offset} of bucket ${bucket}.`);
    }
    const address = part.vector + offset;
    const round = this.#round;
    this.#offset += length;
    if (this.#offset < part.to) return { address, round, completes: false };
    this.#part = (this.#part + 1) % this.#parts.length;
    if (this.#part === 0) this.#round++;
    this.#offset = this.#parts[this.#part]!.from;
    return { address, round, completes: part.completes };
  }
}
