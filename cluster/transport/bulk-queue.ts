/**
 * Room: cluster (level 7), transport. Bulk data on its way to one socket: jobs one after the other, pulled piece by piece and
 * only while the socket has room, so that a message sent meanwhile waits behind one buffer's worth of bytes and no more. It
 * has no timers: whoever writes for it calls `pump` when a write is done. It never holds a piece.
 */
import type { Message } from '../wire/messages.ts';

/** A message with its payload; the payload is read when the piece is pulled and not afterwards. */
export interface BulkPiece {
  readonly message: Message;
  readonly payload?: Uint8Array;
}

/**
 * Bytes handed over before other work of this thread has its turn: a socket that takes everything at once would otherwise
 * keep heartbeats waiting for as long as gigabytes of state take. Large enough for the gradients of most models in one go.
 */
const bytesPerTurn = 8 * 2 ** 20;

interface Job {
  readonly next: () => BulkPiece | undefined;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class BulkQueue {
  readonly #hasRoom: () => boolean;
  readonly #write: (piece: BulkPiece) => number;
  readonly #jobs: Job[] = [];
  #pumping = false;
  #resting = false;
  #failure: Error | undefined;

  /** `write` copies a piece into the socket and returns its bytes. */
  constructor(hasRoom: () => boolean, write: (piece: BulkPiece) => number) {
    this.#hasRoom = hasRoom;
    this.#write = write;
  }

  /**
   * Hands over what `next` returns until it returns undefined: in this call while there is room. Resolves once the last piece
   * was handed over and `next` could be asked for another; rejects when `next` throws or the queue is closed.
   */
  add(next: () => BulkPiece | undefined): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#jobs.push({ next, resolve, reject });
      this.pump();
    });
  }

  /** Goes on with the jobs as far as there is room. */
  pump(): void {
    if (this.#pumping || this.#resting || this.#jobs.length === 0) return;
    this.#pumping = true;
    for (let handed = 0; this.#jobs.length > 0 && this.#hasRoom(); ) {
      handed += this.#step(this.#jobs[0]!);
      if (handed < bytesPerTurn) continue;
      this.#resting = true;
      setImmediate(() => {
        this.#resting = false;
        this.pump();
      });
      break;
    }
    this.#pumping = false;
  }

  /** Ends every job, and those still to come, with `error`. */
  close(error: Error): void {
    this.#failure = error;
    for (const { reject } of this.#jobs.splice(0)) reject(error);
  }

  /** Pulls one piece of the first job; returns the bytes handed over. */
  #step(job: Job): number {
    try {
      const piece = job.next();
      if (piece !== undefined) return this.#failure === undefined ? this.#write(piece) : 0;
      job.resolve();
    } catch (error) {
      job.reject(error);
    }
    if (this.#jobs[0] === job) this.#jobs.shift();
    return 0;
  }
}
