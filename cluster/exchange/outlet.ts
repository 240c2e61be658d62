/**
 * Room: cluster (level 7), exchange. Sending where the leader carries: what goes to one host, written to the connection by the thread
 * that computes. Small messages go first, in order; numbers of the gradient follow in pieces, straight out of the arena.
 */
import type { TrafficCounter } from '../../src/telemetry/traffic.ts';
import { type SystemCalls, wouldBlock } from '../transport/descriptor.ts';
import { startFrame } from '../wire/frame.ts';
import type { Message } from '../wire/messages.ts';
import { longestStart, writeStartBefore } from '../wire/websocket.ts';
import type { Run } from './departures.ts';

/** Bytes of a piece of a gradient: so long may a small message have to wait behind one. The system holds more than that anyway. */
const pieceBytes = 2 ** 20;

/** Room for the headers of a step's messages; a multiple of 8. */
const headRoom = 4096;

/** Where frames begin in a buffer that is to be sent: behind the longest start, at a multiple of 8. */
export const frameAt = (longestStart + 7) & ~7;

/** A frame in memory that does not move, from `frameAt` on; whoever sends it puts the start before it. */
export interface Sendable {
  readonly buffer: Buffer;
  readonly address: number;
  /** Bytes of the longest payload. */
  readonly room: number;
}

/** Bytes of process memory on their way. */
interface Sending {
  readonly buffer: Buffer | undefined;
  address: number;
  left: number;
}

export interface OutletOptions {
  readonly calls: SystemCalls;
  readonly descriptor: number;
  readonly masks: boolean;
  /** Process address of the arena. */
  readonly base: number;
  readonly traffic: TrafficCounter;
  readonly message: (fields: ReturnType<Run['fields']>) => Message;
}

export class Outlet {
  readonly #options: OutletOptions;
  readonly #notes: Sending[] = [];
  readonly #runs: { readonly run: Run; offset: number; readonly onLeft: () => void }[] = [];
  /** The piece of the first run that is being sent. */
  readonly #head: Sending;
  readonly #headAddress: number;
  readonly #piece: Sending = { buffer: undefined, address: 0, left: 0 };
  #isOpen = true;

  constructor(options: OutletOptions) {
    const buffer = Buffer.allocUnsafeSlow(headRoom);
    this.#options = options;
    this.#headAddress = options.calls.addressOf(buffer);
    this.#head = { buffer, address: this.#headAddress, left: 0 };
  }

  get isEmpty(): boolean {
    return this.#notes.length === 0 && this.#runs.length === 0;
  }

  /** Sends a frame of `length` bytes, of which what the connection does not take at once is copied. Throws SystemCallFailed. */
  post({ buffer, address }: Sendable, length: number): void {
    if (!this.#isOpen) return;
    const { masks, traffic } = this.#options;
    const start = writeStartBefore(buffer, frameAt, length, masks);
    const note: Sending = { buffer, address: address + start, left: frameAt - start + length };
    traffic.sent(length);
    const sentAtOnce = this.#notes.length === 0 && this.#head.left + this.#piece.left === 0 && this.#send(note, false);
    if (sentAtOnce) return;
    const copy = Buffer.allocUnsafeSlow(note.left);
    buffer.copy(copy, 0, note.address - address, note.address - address + note.left);
    this.#notes.push({ buffer: copy, address: this.#options.calls.addressOf(copy), left: note.left });
  }

  /** Sends a run behind those before it; `onLeft` is called when its last byte has left the arena. */
  add(run: Run, onLeft: () => void): void {
    if (!this.#isOpen || run.from >= run.end) onLeft();
    else this.#runs.push({ run, offset: run.from, onLeft });
  }

  /** Sends what the connection takes; true when the last of a run or a note was in it. Throws SystemCallFailed. */
  flush(): boolean {
    for (let left = false; ; ) {
      if (!this.#send(this.#head, true) || !this.#send(this.#piece, false)) return left;
      if (this.#endRun()) left = true;
      const note = this.#notes[0];
      if (note) {
        if (!this.#send(note, false)) return left;
        this.#notes.shift();
        left = true;
      } else if (!this.#startPiece()) {
        return left;
      }
    }
  }

  /** Nothing is sent any more; whoever waits for the arena waits no longer. */
  close(): void {
    this.#isOpen = false;
    this.#notes.length = 0;
    this.#head.left = 0;
    this.#piece.left = 0;
    for (const { onLeft } of this.#runs.splice(0)) onLeft();
  }

  #startPiece(): boolean {
    const first = this.#runs[0];
    if (!first) return false;
    const { base, masks, message, traffic } = this.#options;
    const { run, offset } = first;
    const bytes = Math.min(pieceBytes, run.end - offset);
    const { buffer } = this.#head;
    const end = startFrame(buffer!, frameAt, message(run.fields(offset)));
    const start = writeStartBefore(buffer!, frameAt, end - frameAt + bytes, masks);
    this.#head.address = this.#headAddress + start;
    this.#head.left = end - start;
    this.#piece.address = base + run.vector + offset;
    this.#piece.left = bytes;
    first.offset += bytes;
    traffic.sent(end - frameAt + bytes);
    traffic.sentGradient(bytes);
    return true;
  }

  #endRun(): boolean {
    const first = this.#runs[0];
    if (!first || first.offset < first.run.end) return false;
    this.#runs.shift();
    first.onLeft();
    return true;
  }

  /** True when all of it was sent. */
  #send(sending: Sending, more: boolean): boolean {
    const { calls, descriptor } = this.#options;
    while (sending.left > 0) {
      const sent = calls.send(descriptor, sending.address, sending.left, more);
      if (sent === wouldBlock) return false;
      sending.address += sent;
      sending.left -= sent;
    }
    return true;
  }
}

/** Memory for frames with up to `bytes` bytes of payload, each to be sent to one host or several. */
export function sendableFor(bytes: number, calls: SystemCalls): Sendable {
  const buffer = Buffer.allocUnsafeSlow(frameAt + headRoom + bytes);
  return { buffer, address: calls.addressOf(buffer), room: bytes };
}
