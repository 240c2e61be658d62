/**
 * Room: cluster (level 7), wire. Headers that come again and again, step after step, and differ in nothing but the step: packed once and
 * patched afterwards, decoded and checked once and recognised by their bytes afterwards. For connections that carry steps.
 */
import { decodeFrame, encodeFrame } from './frame.ts';
import type { Message } from './messages.ts';

/** A frame without its payload, and the bytes [stepFrom, stepEnd) of its step. */
interface Head {
  readonly bytes: Buffer;
  readonly stepFrom: number;
  readonly stepEnd: number;
}

/** The key `step` in msgpack, which a value follows. No text of a step's message contains it. */
const stepKey = Buffer.from('\xa4step', 'latin1');

function headOf(bytes: Buffer): Head {
  const stepFrom = bytes.indexOf(stepKey) + stepKey.length;
  return { bytes, stepFrom, stepEnd: stepFrom + valueBytes(bytes[stepFrom]!) };
}

/** Of an unsigned integer with this token. */
function valueBytes(token: number): number {
  if (token < 0x80) return 1;
  return { 204: 2, 205: 3, 206: 5, 207: 9 }[token] ?? 1;
}

/** A message that is sent in every step. */
export class RecurringHead {
  readonly #message: Message;
  #head: Head;

  constructor(message: Message) {
    this.#message = message;
    this.#head = headOf(encodeFrame(message));
  }

  /** The frame without its payload, with this step. The next call overwrites it. */
  at(step: number): Buffer {
    const { bytes, stepFrom, stepEnd } = this.#head;
    const width = stepEnd - stepFrom;
    if (width === 3 && step >= 2 ** 8 && step < 2 ** 16) bytes.writeUInt16BE(step, stepFrom + 1);
    else if (width === 5 && step >= 2 ** 16) bytes.writeUInt32BE(step, stepFrom + 1);
    else this.#head = headOf(encodeFrame({ ...this.#message, step }));
    return this.#head.bytes;
  }
}

/** More than a step has, for most models; others are decoded as they come. */
const mostKnown = 256;

export class KnownHeaders {
  readonly #known: (Head & { readonly message: Message })[] = [];
  /** Where the next one is looked for first: they come in the order of the last step. */
  #next = 0;

  /**
   * The message of a frame whose header and padding are `buffer[from, to)`. For one that was known `step` is that of the first of its kind, and the one that came
   * is not looked at. Throws as `decodeFrame` does for others.
   */
  decode(buffer: Buffer, from: number, to: number): Message {
    const known = this.#known;
    for (let i = 0; i < known.length; i++) {
      const at = (this.#next + i) % known.length;
      if (!isSame(known[at]!, buffer, from, to)) continue;
      this.#next = at + 1;
      return known[at]!.message;
    }
    const bytes = Buffer.from(buffer.subarray(from, to));
    const { message } = decodeFrame(bytes);
    if (known.length === mostKnown) known.length = 0;
    known.push({ ...headOf(bytes), message });
    this.#next = known.length;
    return message;
  }
}

/** Equal but for the value of the step, which must take as many bytes. */
function isSame({ bytes, stepFrom, stepEnd }: Head, buffer: Buffer, from: number, to: number): boolean {
  if (bytes.length !== to - from) return false;
  const token = buffer[from + stepFrom]!;
  const known = bytes[stepFrom]!;
  if (token !== known && (token >= 0x80 || known >= 0x80)) return false;
  for (let i = 0; i < bytes.length; i++) if ((i < stepFrom || i >= stepEnd) && bytes[i] !== buffer[from + i]) return false;
  return true;
}
