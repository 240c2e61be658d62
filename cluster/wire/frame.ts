/**
 * Room: cluster (level 7), wire. A message and its numbers as the bytes of one WebSocket message:
 *
 *     u32 header length, little-endian | header in msgpack | zeros up to a multiple of 8 | payload
 *
 * It promises that encoding copies the payload once and decoding never, and that bytes from a stranger become a valid message
 * or a LockstepError. It does not know how long a payload must be: whoever uses it compares that with the plan.
 */
import { LockstepError } from '../../src/errors.ts';
import { maxHeaderBytes, packHeader, unpackHeader } from './header.ts';
import { checkMessage, type Message } from './messages.ts';

/** Bytes of the header's length. */
const prefix = 4;

const nothing = new Uint8Array(0);

/** Where the payload starts after a header of so many bytes: at a multiple of 8, so that its numbers are copied word by word. */
function payloadStart(headerBytes: number): number {
  return (prefix + headerBytes + 7) & ~7;
}

/** A frame in a buffer of its own. The payload may lie in shared memory. */
export function encodeFrame(message: Message, payload: Uint8Array = nothing): Buffer {
  const header = packHeader(message);
  const start = payloadStart(header.length);
  if (header.length > maxHeaderBytes) {
    throw new LockstepError('LOCKSTEP_INTERNAL', `Expected the header of a ${message.type} message to take at most ${maxHeaderBytes} bytes, got ${header.length}.`);
  }
  // V8 copies shared memory by words only between addresses that are equal modulo 8, else by bytes, a tenth as fast: so the frame starts where its payload does.
  const shift = payload.byteOffset & 7;
  const whole = Buffer.allocUnsafe(shift + start + payload.length);
  const frame = shift === 0 ? whole : whole.subarray(shift);
  frame.writeUInt32LE(header.length, 0);
  frame.set(header, prefix);
  frame.fill(0, prefix + header.length, start);
  frame.set(payload, start);
  return frame;
}

export interface Frame {
  readonly message: Message;
  /** A view of the received bytes. It starts at a multiple of 8 of memory only if the frame does: copy it, or look at `byteOffset`. */
  readonly payload: Uint8Array;
}

/** The message and payload of a received frame. Throws LOCKSTEP_PROTOCOL, or LOCKSTEP_VERSION as `checkMessage` does. */
export function decodeFrame(frame: Uint8Array): Frame {
  if (frame.length < prefix) refuse(`a frame of at least ${prefix} bytes`, frame.length);
  const headerBytes = (frame[0]! | (frame[1]! << 8) | (frame[2]! << 16) | (frame[3]! << 24)) >>> 0;
  if (headerBytes === 0 || headerBytes > maxHeaderBytes) refuse(`a header of 1 to ${maxHeaderBytes} bytes`, headerBytes);
  const end = prefix + headerBytes;
  const start = payloadStart(headerBytes);
  if (frame.length < start) refuse(`a frame of at least ${start} bytes for a header of ${headerBytes}`, frame.length);
  for (let at = end; at < start; at++) if (frame[at] !== 0) refuse('zeros between header and payload', frame[at]!);
  return { message: checkMessage(unpackHeader(frame.subarray(prefix, end))), payload: frame.subarray(start) };
}

function refuse(rule: string, received: number): never {
  throw new LockstepError('LOCKSTEP_PROTOCOL', `Expected ${rule}, got ${received}.`);
}
