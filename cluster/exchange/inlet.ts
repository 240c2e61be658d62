/**
 * Room: cluster (level 7), exchange. Receiving where the leader carries: what comes from one host, read from the connection by the
 * thread that computes. Headers pass through a small buffer; long payloads go from the system straight to their places in the arena.
 */
import { LockstepError } from '../../src/errors.ts';
import type { Arena } from '../../src/memory/arena.ts';
import type { TrafficCounter } from '../../src/telemetry/traffic.ts';
import { SystemCallFailed, type SystemCalls, wouldBlock } from '../transport/descriptor.ts';
import { bytesBeforePayload, prefix } from '../wire/frame.ts';
import { KnownHeaders } from '../wire/known-headers.ts';
import { longestStart, messageLength, startBytes } from '../wire/websocket.ts';
import { type Arriving, type Incoming, isStepMessage } from './incoming.ts';

/** Room for a header and the small payloads behind it. */
const stagingBytes = 64 * 1024;

/** Bytes of the longest header. */
const longestHead = stagingBytes - longestStart;

/** A payload of so many bytes at least goes around the buffer. */
const directBytes = 8 * 1024;

export interface InletOptions {
  readonly calls: SystemCalls;
  readonly descriptor: number;
  /** True when the other side masks. */
  readonly masked: boolean;
  /** Index of the other host, and the number of the generation. */
  readonly host: number;
  readonly generation: number;
  readonly arena: Arena;
  /** Process address of the arena. */
  readonly base: number;
  readonly traffic: TrafficCounter;
  readonly incoming: Incoming;
}

export class Inlet {
  readonly #options: InletOptions;
  readonly #headers = new KnownHeaders();
  readonly #staging = Buffer.allocUnsafeSlow(stagingBytes);
  readonly #stagingAddress: number;
  /** What was read and not used: [from, to) of the buffer. */
  #from = 0;
  #to = 0;
  #arriving: Arriving | undefined;
  /** Of the message that arrives: the place that is being filled, and how much of it is. */
  #place = 0;
  #filled = 0;

  constructor(options: InletOptions) {
    this.#options = options;
    this.#stagingAddress = options.calls.addressOf(this.#staging);
  }

  /** True while what comes next may not be written yet. */
  get isHeld(): boolean {
    return this.#arriving !== undefined && !this.#arriving.isOpen();
  }

  /** Takes what is there; true when there was something. Throws SystemCallFailed, or LOCKSTEP_PROTOCOL for what is not due. */
  read(): boolean {
    for (let came = false; ; came = true) {
      while (this.#use());
      if (this.isHeld || !this.#fill()) return came;
    }
  }

  /** Uses what is in the buffer; false when that needs more bytes, or must not be used yet. */
  #use(): boolean {
    const { arena } = this.#options;
    if (!this.#arriving) return this.#from < this.#to && this.#begin();
    if (!this.#arriving.isOpen()) return false;
    const place = this.#arriving.places[this.#place];
    if (!place) {
      const { complete } = this.#arriving;
      this.#arriving = undefined;
      complete();
      return true;
    }
    const bytes = Math.min(place.bytes - this.#filled, this.#to - this.#from);
    arena.u8.set(this.#staging.subarray(this.#from, this.#from + bytes), place.address + this.#filled);
    this.#from += bytes;
    return this.#advance(bytes);
  }

  #advance(bytes: number): boolean {
    this.#filled += bytes;
    if (this.#filled < this.#arriving!.places[this.#place]!.bytes) return bytes > 0;
    this.#place++;
    this.#filled = 0;
    return true;
  }

  /** A message's start and header; false while they have not come as a whole. */
  #begin(): boolean {
    const { masked, host, generation, incoming, traffic } = this.#options;
    const staging = this.#staging;
    const start = startBytes(staging, this.#from, this.#to, masked);
    const at = this.#from + start;
    if (start === 0 || this.#to < at + prefix) return false;
    const length = messageLength(staging, this.#from);
    const before = bytesBeforePayload(staging, at);
    if (before > longestHead || before > length) {
      throw new LockstepError('LOCKSTEP_PROTOCOL', `Expected the header of a step's message, got one of ${before} bytes in a message of ${length}.`);
    }
    if (this.#to < at + before) return false;
    const message = this.#headers.decode(staging, at, at + before);
    if (message.type === 'refused') throw new LockstepError('LOCKSTEP_PROTOCOL', message.message);
    if (!isStepMessage(message) || message.generation !== generation) {
      throw new LockstepError('LOCKSTEP_PROTOCOL', `Expected a step's message of generation ${generation}, got \`${message.type}\` of generation ${message.generation}.`);
    }
    this.#arriving = incoming.expect(host, message, length - before);
    this.#place = 0;
    this.#filled = 0;
    this.#from = at + before;
    traffic.received(length);
    return true;
  }

  /** Reads once; false when nothing is there. */
  #fill(): boolean {
    const { calls, descriptor, base } = this.#options;
    const place = this.#arriving?.places[this.#place];
    const left = place ? place.bytes - this.#filled : 0;
    if (left >= directBytes) {
      const bytes = this.#orClosed(calls.receive(descriptor, base + place!.address + this.#filled, left));
      if (bytes === wouldBlock) return false;
      this.#advance(bytes);
      return true;
    }
    if (this.#from > 0) {
      this.#staging.copyWithin(0, this.#from, this.#to);
      this.#to -= this.#from;
      this.#from = 0;
    }
    const bytes = this.#orClosed(calls.receive(descriptor, this.#stagingAddress + this.#to, stagingBytes - this.#to));
    if (bytes === wouldBlock) return false;
    this.#to += bytes;
    return true;
  }

  #orClosed(bytes: number): number {
    if (bytes === 0) throw new SystemCallFailed('the other side closed it');
    return bytes;
  }
}
