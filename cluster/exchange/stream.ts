/**
 * Room: cluster (level 7), exchange. Numbers of a vector that come from one host in pieces, step after step: a stream knows which byte is
 * next, so that nothing is written but what is due.
 */
import { LockstepError } from '../../src/errors.ts';
import type { Address, Arena } from '../../src/memory/arena.ts';

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

export class Stream {
  readonly #parts: readonly StreamPart[];
  #part = 0;
  #offset: number;

  /** `parts` come in this order, again and again. */
  constructor(parts: readonly StreamPart[]) {
    this.#parts = parts;
    this.#offset = parts[0]?.from ?? 0;
  }

  /** Writes a piece to its place; true when it completes what is counted. Throws LOCKSTEP_PROTOCOL for one that is not due. */
  take({ u8 }: Arena, bucket: number, root: number, offset: number, payload: Uint8Array): boolean {
    const part = this.#parts[this.#part];
    if (part === undefined || bucket !== part.bucket || root !== part.root || offset !== this.#offset || payload.length === 0 || offset + payload.length > part.to) {
      const due = part ? `byte ${this.#offset} of bucket ${part.bucket}, up to byte ${part.to}` : 'none';
      throw new LockstepError(
        'LOCKSTEP_PROTOCOL',
        `Expected the piece of a gradient that is due (${due}), got ${payload.length} bytes at byte ${offset} of bucket ${bucket}.`,
      );
    }
    u8.set(payload, part.vector + offset);
    this.#offset += payload.length;
    if (this.#offset < part.to) return false;
    this.#part = (this.#part + 1) % this.#parts.length;
    this.#offset = this.#parts[this.#part]!.from;
    return part.completes;
  }
}
