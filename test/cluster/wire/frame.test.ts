/**
 * Room: tests of the cluster, wire. Frames survive the way there and back; bytes from a stranger make a message or a
 * LockstepError, quickly and in little memory.
 */
import test from 'ava';
import fc from 'fast-check';
import { decodeFrame, encodeFrame } from '../../../cluster/wire/frame.ts';
import { maxHeaderBytes } from '../../../cluster/wire/header.ts';
import { type MessageOf, messageKinds } from '../../../cluster/wire/messages.ts';
import { isLockstepError } from '../../../src/errors.ts';
import { longest, messages, messagesOf, train } from './arbitrary.ts';

/** A frame around the bytes of a header, right or wrong. */
function frameOf(header: readonly number[] | Uint8Array): Buffer {
  const frame = Buffer.alloc((4 + header.length + 7) & ~7);
  frame.writeUInt32LE(header.length);
  frame.set(header, 4);
  return frame;
}

/** The message of the error that a frame is refused with; undefined when it is none. Anything but our two codes is thrown on. */
function refusal(frame: Uint8Array): string | undefined {
  try {
    decodeFrame(frame);
    return undefined;
  } catch (error) {
    if (isLockstepError(error) && ['LOCKSTEP_PROTOCOL', 'LOCKSTEP_VERSION'].includes(error.code)) return error.message;
    throw error;
  }
}

/** Milliseconds that a frame takes, at best of ten: other work of the machine does not count. */
function duration(frame: Uint8Array): number {
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 10 && best > 2; run++) {
    const started = performance.now();
    refusal(frame);
    best = Math.min(best, performance.now() - started);
  }
  return best;
}

const payloads = fc.uint8Array({ minLength: 0, maxLength: 200 });
const bytesOf = (text: string): number[] => [...Buffer.from(text)];

test('every message of every kind comes back as it was, with its payload', (t) => {
  for (const type of messageKinds.keys()) {
    fc.assert(
      fc.property(messagesOf(type), payloads, (message, payload) => {
        const frame = encodeFrame(message, payload);
        const decoded = decodeFrame(frame);
        t.deepEqual(decoded.message, message);
        t.deepEqual(Buffer.from(decoded.payload), Buffer.from(payload));
        t.is((frame.length - payload.length) % 8, 0);
        t.is(decoded.payload.byteOffset - frame.byteOffset, frame.length - payload.length);
        t.is(decoded.payload.buffer, frame.buffer, 'a view');
      }),
      { numRuns: 20 },
    );
  }
});

test('a frame is length, header, zeros and payload', (t) => {
  const frame = encodeFrame({ type: 'ready', version: 1, generation: 2, step: 3 }, Uint8Array.of(7, 8, 9));
  const header = [
    0x84,
    0xa4,
    ...bytesOf('type'),
    0xa5,
    ...bytesOf('ready'),
    0xa7,
    ...bytesOf('version'),
    1,
    0xaa,
    ...bytesOf('generation'),
    2,
    0xa4,
    ...bytesOf('step'),
    3,
  ];
  t.is(header.length, 39);
  t.deepEqual([...frame], [39, 0, 0, 0, ...header, 0, 0, 0, 0, 0, 7, 8, 9]);
});

test('a payload may lie anywhere in shared memory, and a frame anywhere', (t) => {
  const memory = new SharedArrayBuffer(64);
  for (let offset = 0; offset < 16; offset++) {
    const payload = new Uint8Array(memory, offset, 24).fill(offset);
    const frame = encodeFrame(train, payload);
    t.is(frame.byteOffset % 8, offset % 8, 'so that V8 copies words');
    t.deepEqual([...decodeFrame(frame).payload], [...payload]);
  }
  const shared = new Uint8Array(memory, 8, 24).fill(5);
  const frame = encodeFrame(train, shared);
  shared.fill(6);
  const moved = new Uint8Array(frame.length + 3);
  moved.set(frame, 3);
  const { message, payload } = decodeFrame(moved.subarray(3));
  t.deepEqual(message, train);
  t.deepEqual([...payload], Array(24).fill(5));
});

test('integers up to 2^53 - 1 survive, as do those that came as int64', (t) => {
  const state: MessageOf<'state'> = { type: 'state', version: 1, generation: 0, step: 0, offset: 0 };
  for (const offset of [0, 127, 128, 2 ** 16, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1])
    t.deepEqual(decodeFrame(encodeFrame({ ...state, offset })).message, { ...state, offset });
  const withInt64 = (value: bigint): Buffer => {
    const zero = encodeFrame(state);
    const number = Buffer.alloc(9, 0xcf);
    number.writeBigUInt64BE(value, 1);
    return frameOf([...zero.subarray(4, 4 + zero.readUInt32LE() - 1), ...number]);
  };
  t.deepEqual(decodeFrame(withInt64(2n ** 53n - 1n)).message, { ...state, offset: 2 ** 53 - 1 });
  for (const value of [2n ** 53n, 2n ** 53n + 1n, 2n ** 64n - 1n]) t.regex(refusal(withInt64(value))!, /`state\.offset`/);
});

test('what is undefined is left out, as in JSON', (t) => {
  const run = longest.find(({ type }) => type === 'run') as MessageOf<'run'>;
  const { message } = decodeFrame(encodeFrame({ ...run, spec: { a: undefined, b: [undefined, 1] }, validation: undefined }));
  const { validation: _, ...rest } = run;
  t.deepEqual(message, { ...rest, spec: { b: [null, 1] } });
});

test('the longest lists fit a header, a longer header is not sent', (t) => {
  for (const message of longest) t.deepEqual(decodeFrame(encodeFrame(message)).message, message, message.type);
  const run = longest.find(({ type }) => type === 'run') as MessageOf<'run'>;
  t.throws(() => encodeFrame({ ...run, spec: 'x'.repeat(maxHeaderBytes) }), {
    code: 'LOCKSTEP_INTERNAL',
    message: /header of a run message to take at most 1048576 bytes/,
  });
});

test('a frame that is cut, or says a wrong length, is refused', (t) => {
  const whole = encodeFrame(train);
  for (let length = 0; length < whole.length; length++) t.regex(refusal(whole.subarray(0, length))!, /^Expected a frame of at least /, String(length));
  const saying = (length: number): Buffer => {
    const frame = Buffer.from(whole);
    frame.writeUInt32LE(length);
    return frame;
  };
  for (const length of [0, maxHeaderBytes + 1, 2 ** 31, 2 ** 32 - 1]) t.is(refusal(saying(length)), `Expected a header of 1 to 1048576 bytes, got ${length}.`);
  for (const length of [whole.length, maxHeaderBytes]) t.regex(refusal(saying(length))!, /^Expected a frame of at least /);
  const header = whole.readUInt32LE();
  t.is(refusal(saying(header + 1)), 'Expected a header of plain data in msgpack, got 1 bytes after its end.');
  t.is(refusal(saying(header - 1)), 'Expected a header of plain data in msgpack, got bytes that end too early.');
});

test('what stands between header and payload is zero', (t) => {
  const frame = encodeFrame({ type: 'ready', version: 1, generation: 2, step: 3 });
  t.is(frame.length - 4 - 39, 5);
  frame[frame.length - 1] = 9;
  t.is(refusal(frame), 'Expected zeros between header and payload, got 9.');
});

/** Headers that are no plain data, and what is said about them. */
const hostile: readonly (readonly [what: string, header: readonly number[], fault: RegExp])[] = [
  ['a list of 2^32 - 1', [0xdd, 0xff, 0xff, 0xff, 0xff], /end too early/],
  ['a list of 65,535', [0xdc, 0xff, 0xff, 1, 2], /end too early/],
  ['a map of 2^32 - 1', [0xdf, 0xff, 0xff, 0xff, 0xff, 1], /end too early/],
  ['a text of 2^32 - 1', [0xdb, 0xff, 0xff, 0xff, 0xff, 65], /end too early/],
  ['a length that is cut', [0xdb, 0xff], /end too early/],
  ['lists that claim all the rest, in each other', Array(1000).fill([0xdc, 0x03, 0x00]).flat(), /more than 32 deep/],
  ['lists in lists', Array(100_000).fill(0x91), /more than 32 deep/],
  ['maps in maps', Array(100_000).fill([0x81, 0xa0]).flat(), /more than 32 deep/],
  ['a million small maps', [0xdd, 0x00, 0x0f, 0x00, 0x00, ...Array(0x0f0000).fill(0x80)], /more than 32768 values/],
  ['the unused token', [0xc1], /0xc1/],
  ['binary', [0xc4, 1, 0], /0xc4/],
  ['a record, from which msgpackr makes code', [0xd4, 0x72, 0x40, 0x91, 0xa1, 65, 1], /0xd4/],
  ['a long record', [0xd5, 0x72, 0x40, 0, 0x91, 0xa1, 65, 1], /0xd5/],
  ['a regular expression', [0xd4, 0x78, 0, 0x92, 0xa4, ...bytesOf('(a+)'), 0xa0], /0xd4/],
  ['a reference', [0x92, 0xd6, 0x69, 0, 0, 0, 1, 0x90, 0xd6, 0x70, 0, 0, 0, 1], /0xd6/],
  ['a typed array', [0xc7, 2, 0x74, 1, 0], /0xc7/],
  ['a date', [0xd7, 0xff, 0, 0, 0, 0, 0, 0, 0, 0], /0xd7/],
  ['an error', [0xd4, 0x65, 0, 0x93, 0xa5, ...bytesOf('Error'), 0xa0, 0xc0], /0xd4/],
  ['texts in a bundle', [0xd6, 0x62, 0, 0, 0, 9, 0xa0, 0xa0, 0xa0], /0xd6/],
  ['two values', [0xc0, 0xc0], /1 bytes after its end/],
  ['a number that is cut', [0xcb, 0, 0], /end too early/],
];

test('hostile headers are refused before anything is made of them', (t) => {
  for (const [what, header, fault] of hostile) {
    const frame = frameOf(header);
    const before = process.memoryUsage();
    const message = refusal(frame);
    const after = process.memoryUsage();
    t.regex(message ?? '', fault, what);
    t.true(after.heapUsed + after.external - before.heapUsed - before.external < 1e6, what);
    t.true(duration(frame) < 10, what);
  }
});

test('a map with a list as a key, or with numbers as keys, is no message', (t) => {
  t.is(refusal(frameOf([0x81, 0x90, 1])), 'Expected a header of plain data in msgpack, got one that cannot be read.');
  t.regex(refusal(frameOf([0x81, 1, 1]))!, /`type` of a message/);
  for (const plain of [0x40, 0x7f, 0xff, 0xc0, 0xc3, 0x90, 0x80]) t.regex(refusal(frameOf([plain]))!, /`type` of a message/);
});

test('a key cannot reach a prototype', (t) => {
  const polluted = (key: readonly number[]): number[] => {
    const whole = encodeFrame(train);
    const header = [...whole.subarray(4, 4 + whole.readUInt32LE())];
    return [header[0]! + 1, ...key, 0x81, 0xa5, ...bytesOf('admin'), 1, ...header.slice(1)];
  };
  const name = bytesOf('__proto__');
  const keys = [
    [0xa9, ...name],
    [0xd9, 9, ...name],
    [0xda, 0, 9, ...name],
  ];
  for (const key of [...keys, [0xab, ...bytesOf('constructor')]]) t.regex(refusal(frameOf(polluted(key)))!, /^Unknown key /);
  // Inside a value that the wire does not check.
  const run = longest.find(({ type }) => type === 'run') as MessageOf<'run'>;
  const marked = encodeFrame({ ...run, spec: { '..proto..': { admin: 1 } } });
  marked.write('__proto__', marked.indexOf('..proto..'));
  const { spec } = decodeFrame(marked).message as MessageOf<'run'>;
  t.is(Object.getPrototypeOf(spec), Object.prototype);
  t.is((spec as Record<string, unknown>)['admin'], undefined);
  t.is(({} as Record<string, unknown>)['admin'], undefined);
});

test('20,000 mutated frames are refused or read, quickly and in little memory', (t) => {
  const edits = fc.array(fc.tuple(fc.nat(), fc.oneof(fc.nat(255), fc.constantFrom(0xc1, 0xc7, 0xd4, 0xdb, 0xdd, 0xdf, 0xff))), { minLength: 1, maxLength: 4 });
  const before = process.memoryUsage().external;
  let slowest = 0;
  let refused = 0;
  fc.assert(
    fc.property(messages, payloads, fc.array(edits, { minLength: 20, maxLength: 20 }), (message, payload, mutations) => {
      const whole = encodeFrame(message, payload);
      for (const mutation of mutations) {
        const frame = Buffer.from(whole);
        // Most edits hit the header: what follows it is never looked at.
        for (const [at, value] of mutation) frame[at % Math.min(frame.length, 4 + whole.readUInt32LE())] = value;
        if (refusal(frame) !== undefined) refused++;
        slowest = Math.max(slowest, duration(frame));
      }
    }),
    { numRuns: 1000 },
  );
  t.true(refused > 10_000, `${refused} refused`);
  t.true(slowest < 10, `${slowest} ms`);
  t.true(process.memoryUsage().external - before < 50e6);
});
