/**
 * Room: cluster (level 7), wire. Headers as msgpack: maps, lists, texts, numbers, booleans and null, nothing else. It promises
 * that a stranger's bytes are walked to their end before anything is made of them, so that what is made is plain data, is
 * never executed and takes memory in proportion to the bytes that came.
 */
import { Packr, RESET_BUFFER_MODE } from 'msgpackr/pack';
import { LockstepError } from '../../src/errors.ts';

/** The longest header: the longest lists of a message fit in, with room for a model. */
export const maxHeaderBytes = 2 ** 20;

/** Values in a header, keys included: the most that the longest lists of a message need, rounded up. */
const maxValues = 2 ** 15;

/** Maps and lists inside each other. */
const maxDepth = 32;

/** Maps are written as plain maps; an undefined property is left out, as in JSON. An int64 is read as a number: beyond 2^53 no schema takes it. */
const options = { useRecords: false, int64AsType: 'number' as const, skipValues: [undefined], encodeUndefinedAsNil: true };
const packr = new Packr(options);

/** The bytes of a header, as a view that the next call overwrites. */
export function packHeader(header: object): Uint8Array {
  return packr.pack(header, RESET_BUFFER_MODE);
}

/** What a header says. Throws LOCKSTEP_PROTOCOL unless the bytes are one value of plain data within the limits. */
export function unpackHeader(header: Uint8Array): unknown {
  const fault = faultOf(header);
  if (fault !== undefined) throw new LockstepError('LOCKSTEP_PROTOCOL', `Expected a header of plain data in msgpack, got ${fault}.`);
  try {
    return packr.unpack(header);
  } catch (cause) {
    throw new LockstepError('LOCKSTEP_PROTOCOL', 'Expected a header of plain data in msgpack, got one that cannot be read.', { cause });
  }
}

/**
 * For the tokens 0xc0 to 0xdf: how many bytes of a number follow. For 0xd9 and above that number is a length, of a text
 * (0xd9-0xdb), a list (0xdc, 0xdd) or a map (0xde, 0xdf). -1: unused (0xc1), binary (0xc4-0xc6) and extensions (0xc7-0xc9,
 * 0xd4-0xd8), which msgpackr would turn into classes, cycles or code.
 */
const following = [0, -1, 0, 0, -1, -1, -1, -1, -1, -1, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, -1, -1, -1, -1, -1, 1, 2, 4, 2, 4, 2, 4] as const;

/** How many values are still to come in each open map or list, the outermost first; element 0 is the header itself. */
const open = new Uint32Array(maxDepth + 1);

/** What is wrong with the bytes of a header, or undefined. Makes nothing of them. */
function faultOf(header: Uint8Array): string | undefined {
  const end = header.length;
  let at = 0;
  let depth = 0;
  open[0] = 1;
  for (let values = 1; ; values++) {
    while (open[depth] === 0) if (--depth < 0) return at === end ? undefined : `${end - at} bytes after its end`;
    open[depth]!--;
    if (values > maxValues) return `more than ${maxValues} values`;
    if (at >= end) return 'bytes that end too early';
    const token = header[at++]!;
    let items = 0;
    if (token >= 0x80 && token < 0x90) items = 2 * (token & 0x0f);
    else if (token >= 0x90 && token < 0xa0) items = token & 0x0f;
    else if (token >= 0xa0 && token < 0xc0) at += token & 0x1f;
    else if (token >= 0xc0 && token < 0xe0) {
      const width = following[token - 0xc0]!;
      if (width < 0) return `the token 0x${token.toString(16)}, which is none`;
      if (token < 0xd9) at += width;
      else {
        let length = 0;
        for (let i = 0; i < width; i++) length = length * 256 + (header[at++] ?? 0);
        if (token <= 0xdb) at += length;
        else items = token >= 0xde ? 2 * length : length;
      }
    }
    // Every item takes a byte at least.
    if (at + items > end) return 'bytes that end too early';
    if (items === 0) continue;
    if (++depth > maxDepth) return `maps and lists more than ${maxDepth} deep`;
    open[depth] = items;
  }
}
