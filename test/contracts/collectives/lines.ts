/**
 * Room: tests of contracts. Connections between hosts inside one process: messages are framed and decoded as on a socket, come
 * in order, and take as many turns of the event loop as dice say, the same for the same seed. A line holds one bulk piece at a
 * time, so that gradients leave the arena as late as on a slow network.
 */
import type { BulkPiece } from '../../../cluster/transport/bulk-queue.ts';
import { BulkQueue } from '../../../cluster/transport/bulk-queue.ts';
import type { Link, MessageHandler } from '../../../cluster/transport/link.ts';
import { decodeFrame, encodeFrame } from '../../../cluster/wire/frame.ts';
import type { Message } from '../../../cluster/wire/messages.ts';

/** A number from 0 to below `sides`. */
export type Dice = (sides: number) => number;

export function diceOf(seed: number): Dice {
  let state = Math.imul(seed + 1, 2_654_435_761) | 1;
  return (sides) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % sides;
  };
}

/** The next turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** One direction of a connection. */
export class Line {
  readonly #frames: { readonly frame: Buffer; readonly isBulk: boolean }[] = [];
  readonly #bulk: BulkQueue;
  readonly #dice: Dice;
  readonly #onMessage: () => void;
  readonly #fail: (error: unknown) => void;
  #deliver: MessageHandler | undefined;
  #bulkInside = 0;
  #running = false;
  #isCut = false;

  /** `onMessage` is called before each delivery; `fail` is told what the receiver throws. */
  constructor(dice: Dice, onMessage: () => void, fail: (error: unknown) => void) {
    this.#dice = dice;
    this.#onMessage = onMessage;
    this.#fail = fail;
    this.#bulk = new BulkQueue(
      () => this.#bulkInside === 0,
      ({ message, payload }) => {
        this.#bulkInside++;
        return this.#push(message, payload, true);
      },
    );
  }

  /** What an exchange uses of a link to send. */
  get sender(): Pick<Link, 'send' | 'sendBulk'> {
    return {
      send: (message, payload) => void this.#push(message, payload, false),
      sendBulk: (next: () => BulkPiece | undefined) => this.#bulk.add(next),
    };
  }

  /** What comes goes there, also what came before. */
  deliverTo(handler: MessageHandler): void {
    this.#deliver = handler;
    if (!this.#running) this.#run().catch(this.#fail);
  }

  /** Nothing comes through any more, what was on its way included. */
  cut(): void {
    this.#isCut = true;
    this.#frames.length = 0;
    this.#bulk.close(new Error('The line was cut.'));
  }

  #push(message: Message, payload: Uint8Array | undefined, isBulk: boolean): number {
    if (this.#isCut) return 0;
    const frame = encodeFrame(message, payload);
    this.#frames.push({ frame, isBulk });
    if (!this.#running && this.#deliver) this.#run().catch(this.#fail);
    return frame.length;
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (;;) {
      for (let turns = 1 + this.#dice(4) * this.#dice(4); turns > 0; turns--) await turn();
      const next = this.#frames.shift();
      if (!next) break;
      const { message, payload } = decodeFrame(next.frame);
      this.#onMessage();
      if (this.#isCut) break;
      this.#deliver!(message, payload);
      if (!next.isBulk) continue;
      this.#bulkInside--;
      this.#bulk.pump();
    }
    this.#running = false;
  }
}
