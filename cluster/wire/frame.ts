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
export const prefix = 4;

const nothing = new Uint8Array(0);

/** Where the payload starts after a header of so many bytes: at a multiple of 8, so that its numbers are copied word by word. */
function payloadStart(headerBytes: number): number {
  return (prefix + headerBytes + 7) & ~7;
}

/** A frame in a buffer of its own. The payload may lie in shared memory. */
export function encodeFrame(message: Message, payload: Uint8Array = nothing): Buffer {
  const header = packed(message);
  // V8 copies shared memory by words only between addresses that are equal modulo 8, else by bytes, a tenth as fast: so the frame starts where its payload does.
  const shift = payload.byteOffset & 7;
  const whole = Buffer.allocUnsafe(shift + payloadStart(header.length) + payload.length);
  const frame = shift === 0 ? whole : whole.subarray(shift);
  frame.set(payload, writeStart(frame, 0, header));
  return frame;
}

/** Writes all of a frame but its payload to `target`, from `at` on; returns where the payload belongs. There must be room. */
export function startFrame(target: Buffer, at: number, message: Message): number {
  return writeStart(target, at, packed(message));
}

function packed(message: Message): Uint8Array {
  const header = packHeader(message);
  if (header.length <= maxHeaderBytes) return header;
  throw new LockstepError('LOCKSTEP_INTERNAL', `Expected the header of a ${message.type} message to take at most ${maxHeaderBytes} bytes, got ${header.length}.`);
}

function writeStart(target: Buffer, at: number, header: Uint8Array): number {
  const start = at + payloadStart(header.length);
  target.writeUInt32LE(header.length, at);
  target.set(header, at + prefix);
  target.fill(0, at + prefix + header.length, start);
  return start;
}

/** How many bytes the frame that begins at `buffer[at]` has before its payload; four of them must be there. Throws LOCKSTEP_PROTOCOL. */
export function bytesBeforePayload(buffer: Uint8Array, at: number): number {
  return payloadStart(headerLength(buffer, at));
}

function headerLength(buffer: Uint8Array, at: number): number {
  const bytes = (buffer[at]! | (buffer[at + 1]! << 8) | (buffer[at + 2]! << 16) | (buffer[at + 3]! << 24)) >>> 0;
  if (bytes === 0 || bytes > maxHeaderBytes) refuse(`a header of 1 to ${maxHeaderBytes} bytes`, bytes);
  return bytes;
}

export interface Frame {
  readonly message: Message;
  /** A view of the received bytes. It starts at a multiple of 8 of memory only if the frame does: copy it, or look at `byteOffset`. */
  readonly payload: Uint8Array;
}

/** The message and payload of a received frame. Throws LOCKSTEP_PROTOCOL, or LOCKSTEP_VERSION as `checkMessage` does. */
export function decodeFrame(frame: Uint8Array): Frame {
  if (frame.length < prefix) refuse(`a frame of at least ${prefix} bytes`, frame.length);
  const headerBytes = headerLength(frame, 0);
  const end = prefix + headerBytes;
  const start = payloadStart(headerBytes);
  if (frame.length < start) refuse(`a frame of at least ${start} bytes for a header of ${headerBytes}`, frame.length);
  for (let at = end; at < start; at++) if (frame[at] !== 0) refuse('zeros between header and payload', frame[at]!);
  return { message: checkMessage(unpackHeader(frame.subarray(prefix, end))), payload: frame.subarray(start) };
}

function refuse(rule: string, received: number): never {
  throw new LockstepError('LOCKSTEP_PROTOCOL', `Expected ${rule}, got ${received}.`);
}
