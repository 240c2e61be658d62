/**
 * Room: tests of the cluster, wire. Headers that are recognised or patched say what they would if they were decoded or packed anew.
 */
import test from 'ava';
import fc from 'fast-check';
import { decodeFrame, encodeFrame } from '../../../cluster/wire/frame.ts';
import { KnownHeaders, RecurringHead } from '../../../cluster/wire/known-headers.ts';
import type { Message, MessageOf } from '../../../cluster/wire/messages.ts';
import { isLockstepError } from '../../../src/errors.ts';
import { messagesOf } from './arbitrary.ts';

const stepMessages = fc.oneof(...['statistics', 'merged', 'contribution', 'reduced', 'sums', 'verdict', 'findings'].map(messagesOf));

/** Where msgpack begins to take more bytes, and what lies between. */
const edges = [0, 1, 127, 128, 255, 256, 65_535, 65_536, 2 ** 31 - 1];
const steps = fc.array(fc.oneof(fc.constantFrom(...edges), fc.nat(300), fc.nat(2 ** 31 - 1)), { minLength: 1, maxLength: 12 });

function decodeAt(known: KnownHeaders, frame: Buffer, offset = 0): Message {
  const buffer = Buffer.concat([Buffer.alloc(offset, 0xa4), frame, Buffer.of(1, 2, 3)]);
  return known.decode(buffer, offset, offset + frame.length);
}

/** The message but for its step, or the sentence of the refusal. */
function outcome(decode: () => Message): unknown {
  try {
    return { ...decode(), step: 0 };
  } catch (error) {
    if (isLockstepError(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
}

test('messages of growing steps are decoded as ever, but for the step', (t) => {
  fc.assert(
    fc.property(fc.array(stepMessages, { minLength: 1, maxLength: 6 }), steps, fc.nat(16), (kinds, some, offset) => {
      const known = new KnownHeaders();
      for (const step of some.toSorted((a, b) => a - b)) {
        for (const kind of kinds) {
          const message = { ...kind, step };
          t.deepEqual({ ...decodeAt(known, encodeFrame(message), offset), step }, message);
        }
      }
    }),
  );
});

test('a header that comes again is one object, also from another place of the buffer', (t) => {
  const known = new KnownHeaders();
  const of = (area: number, step: number): Buffer => encodeFrame({ type: 'statistics', version: 1, generation: 3, step, area });
  const [first, second] = [decodeAt(known, of(0, 300)), decodeAt(known, of(1, 300))];
  for (const step of [301, 500, 65_535]) {
    t.is(decodeAt(known, of(0, step), 5), first);
    t.is(decodeAt(known, of(1, step), 9), second);
  }
  t.is(decodeAt(known, of(1, 256)), second, 'out of turn');
});

test('a header that differs in one byte besides the number of the step is not taken for a known one', (t) => {
  fc.assert(
    fc.property(stepMessages, fc.constantFrom(...edges), fc.integer({ min: 1, max: 255 }), (kind, step, change) => {
      const message = { ...kind, step };
      const frame = encodeFrame(message);
      const value = frame.indexOf('\xa4step', 0, 'latin1') + 5;
      const valueEnd = value + (step < 128 ? 1 : step < 256 ? 2 : step < 65_536 ? 3 : 5);
      const known = new KnownHeaders();
      decodeAt(known, frame);
      for (let at = 0; at < frame.length; at++) {
        if (at > value && at < valueEnd) continue;
        const other = Buffer.from(frame);
        other[at] = other[at]! ^ change;
        t.deepEqual(
          outcome(() => decodeAt(known, other)),
          outcome(() => decodeFrame(other).message),
        );
      }
      t.deepEqual(decodeAt(known, frame), message);
    }),
    { numRuns: 40 },
  );
});

test('a step whose key is written otherwise is decoded as ever', (t) => {
  const message = { type: 'verdict', version: 1, generation: 3 } as const;
  const longKey = (step: number): Buffer => {
    const body = encodeFrame({ ...message, step });
    const header = body.subarray(4, 4 + body.readUInt32LE());
    const key = header.indexOf('\xa4step', 0, 'latin1');
    const changed = Buffer.concat([header.subarray(0, key), Buffer.of(0xd9, 4), header.subarray(key + 1)]);
    const frame = Buffer.alloc((4 + changed.length + 7) & ~7);
    frame.writeUInt32LE(changed.length);
    frame.set(changed, 4);
    return frame;
  };
  const known = new KnownHeaders();
  for (const step of [1, 2, 300, 301, 300]) t.deepEqual(decodeAt(known, longKey(step)), { ...message, step });
});

test('more kinds than are kept are decoded all the same, and the first are forgotten', (t) => {
  const known = new KnownHeaders();
  const of = (offset: number, step: number): MessageOf<'reduced'> => ({ type: 'reduced', version: 1, generation: 3, step, offset });
  const first = decodeAt(known, encodeFrame(of(0, 300)));
  t.is(decodeAt(known, encodeFrame(of(0, 301))), first);
  for (const step of [300, 301, 302]) {
    for (let kind = 0; kind < 300; kind++) {
      const message = of(2 ** 16 + kind * 4, step);
      t.deepEqual({ ...decodeAt(known, encodeFrame(message)), step }, message);
    }
  }
  t.not(decodeAt(known, encodeFrame(of(0, 301))), first);
});

test('what is no frame is refused as ever, and is not known afterwards', (t) => {
  const known = new KnownHeaders();
  const bytes = Buffer.alloc(16, 7);
  bytes.writeUInt32LE(8);
  for (let time = 0; time < 2; time++) {
    t.is(
      outcome(() => decodeAt(known, bytes)),
      outcome(() => decodeFrame(bytes).message),
    );
  }
  t.regex(String(outcome(() => decodeAt(known, bytes))), /^LOCKSTEP_PROTOCOL: Expected /);
});

test('a recurring head has the bytes of a frame with that step', (t) => {
  const same = (message: Message, some: readonly number[]): void => {
    const head = new RecurringHead(message);
    for (const step of some) t.is(head.at(step).toString('hex'), encodeFrame({ ...message, step }).toString('hex'), `${message.type} at ${step}`);
  };
  fc.assert(fc.property(stepMessages, steps, same));
  same({ type: 'merged', version: 1, generation: 3, step: 0, area: 2 }, [...edges, ...edges.toReversed(), ...edges]);
});
