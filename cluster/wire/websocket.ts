/**
 * Room: cluster (level 7), wire. The few bytes that WebSocket (RFC 6455, section 5.2) puts before a message, for those who read and write
 * a connection themselves: one unfragmented binary message, the dialer's with a mask of zeros.
 *
 *     0x82 | masked << 7 and length below 126, or 126 and u16, or 127 and u64, big-endian | masked: four zeros
 */
import { LockstepError } from '../../src/errors.ts';

/** The longest start. */
export const longestStart = 14;

const finalBinary = 0x82;
const close = 0x88;

/** Writes the start of a message of `length` bytes so that it ends before `end`; returns where it begins. */
export function writeStartBefore(target: Buffer, end: number, length: number, masked: boolean): number {
  let at = end;
  if (masked) {
    at -= 4;
    target.writeUInt32BE(0, at);
  }
  let code = length;
  if (length >= 2 ** 16) {
    at -= 8;
    target.writeUInt32BE(Math.floor(length / 2 ** 32), at);
    target.writeUInt32BE(length >>> 0, at + 4);
    code = 127;
  } else if (length >= 126) {
    at -= 2;
    target.writeUInt16BE(length, at);
    code = 126;
  }
  at -= 2;
  target[at] = finalBinary;
  target[at + 1] = (masked ? 0x80 : 0) | code;
  return at;
}

/**
 * Bytes of the start of the message that begins at `buffer[at]`, of which the bytes up to `end` have come; 0 while not all of it has. Throws
 * LOCKSTEP_PROTOCOL for what is no such message.
 */
export function startBytes(buffer: Buffer, at: number, end: number, masked: boolean): number {
  const there = end - at;
  if (there >= 1 && buffer[at] === close) refuse('a binary message', 'the end of the connection');
  if (there >= 1 && buffer[at] !== finalBinary) refuse('a binary message', `a frame that begins with 0x${buffer[at]!.toString(16)}`);
  if (there < 2) return 0;
  const second = buffer[at + 1]!;
  if (second >>> 7 !== (masked ? 1 : 0)) refuse(`a message ${masked ? 'with' : 'without'} a mask`, 'another one');
  const code = second & 0x7f;
  const bytes = 2 + (code === 127 ? 8 : code === 126 ? 2 : 0) + (masked ? 4 : 0);
  if (there < bytes) return 0;
  if (masked && buffer.readUInt32BE(at + bytes - 4) !== 0) refuse('a mask of zeros', 'another one');
  return bytes;
}

/** How long the message behind a whole start is. */
export function messageLength(buffer: Buffer, at: number): number {
  const code = buffer[at + 1]! & 0x7f;
  if (code < 126) return code;
  return code === 126 ? buffer.readUInt16BE(at + 2) : buffer.readUInt32BE(at + 2) * 2 ** 32 + buffer.readUInt32BE(at + 6);
}

function refuse(rule: string, received: string): never {
  throw new LockstepError('LOCKSTEP_PROTOCOL', `Expected ${rule} on the connection of a step, got ${received}.`);
}
