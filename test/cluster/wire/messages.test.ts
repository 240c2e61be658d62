/**
 * Room: tests of the cluster, wire. What is a message, and in which words everything else is refused.
 */
import test from 'ava';
import fc from 'fast-check';
import { checkMessage, messageKinds, protocolVersion } from '../../../cluster/wire/messages.ts';
import { type ErrorCode, LockstepError } from '../../../src/errors.ts';
import { longest, messages, messagesOf, train } from './arbitrary.ts';

/** The message of the error that `value` is refused with. */
function refusal(value: unknown, code: ErrorCode = 'LOCKSTEP_PROTOCOL'): string {
  try {
    checkMessage(value);
  } catch (error) {
    if (error instanceof LockstepError && error.code === code) return error.message;
    throw error;
  }
  throw new Error(`Expected ${JSON.stringify(value)} to be refused.`);
}

test('every valid message of every kind is accepted as it is', (t) => {
  for (const type of messageKinds.keys()) {
    fc.assert(
      fc.property(messagesOf(type), (message) => {
        t.deepEqual(checkMessage(message), message);
      }),
      { numRuns: 20 },
    );
  }
  for (const message of longest) t.deepEqual(checkMessage(message), message);
});

test('no field may be missing, and none may be added', (t) => {
  const optional = ['run.validation'];
  for (const type of messageKinds.keys()) {
    const [message] = fc.sample(messagesOf(type), 1);
    for (const key of Object.keys(message!)) {
      const { [key]: _, ...rest } = message as unknown as Record<string, unknown>;
      if (!optional.includes(`${type}.${key}`)) t.regex(refusal(rest), /^Expected .*\.$/, `${type}.${key}`);
    }
    t.regex(refusal({ ...message, extra: 1 }), /^Unknown key `\w+\.extra`/);
  }
});

test('a size is an integer within its limits', (t) => {
  const offsets = { type: 'state', version: 1, generation: 0, step: 0 };
  for (const offset of [Number.NaN, Number.POSITIVE_INFINITY, -1, 0.5, 2 ** 53, 2 ** 64, '7', null, true, 7n, [7], undefined])
    t.notThrows(() => refusal({ ...offsets, offset }));
  t.notThrows(() => checkMessage({ ...offsets, offset: 2 ** 53 - 1 }));
  for (const field of ['generation', 'step', 'batches']) {
    for (const value of [Number.NaN, Number.NEGATIVE_INFINITY, -1, 1.5, 2 ** 31]) t.regex(refusal({ ...train, [field]: value }), /an integer from 0 to 2147483647/);
    t.notThrows(() => checkMessage({ ...train, [field]: 2 ** 31 - 1 }));
  }
  const finished = { type: 'finished', version: 1, generation: 0, step: 0 };
  for (const rowSeconds of [Number.NaN, Number.POSITIVE_INFINITY, -1, 2e9]) t.regex(refusal({ ...finished, rowSeconds }), /a number from 0 to 1e9/);
});

test('a refusal names message, field and rule', (t) => {
  t.is(refusal({ ...train, epoch: -1 }), 'Expected `train.epoch` to be an integer from 0 to 2147483647, got `-1`.');
  t.is(
    refusal({ ...train, epochs: 1 }),
    'Unknown key `train.epochs`; did you mean `epoch`? (known: type, version, generation, step, epoch, firstBatch, batches, firstStep, updates, skippedInARow, rateScale, leastRate).',
  );
  const { spec: _, ...run } = longest.find(({ type }) => type === 'run') as Extract<(typeof longest)[number], { type: 'run' }>;
  t.is(refusal(run), 'Expected `run.spec` to be any value, got nothing; add it.');
  t.is(refusal({ ...run, spec: 0, train: { ...run.train, chunks: ['x'] } }), 'Expected `run.train.chunks[0]` to be 64 hexadecimal digits in lower case, got `"x"`.');
  const hello = { type: 'hello', version: 1, generation: 0, step: 0, nonce: '0'.repeat(64), proof: '0'.repeat(64), role: 'pear', id: 0 };
  t.is(refusal(hello), 'Expected `hello.role` to be one of host, peer, got `"pear"`; did you mean `peer`?');
});

test('what is no message at all is refused', (t) => {
  const values = [undefined, null, 1, 'train', [], {}, [train], { version: 1 }, { ...train, type: 'trains' }, { ...train, type: 7 }, { ...train, type: ['train'] }];
  for (const value of values) t.regex(refusal(value), /^Expected a header with the `type` of a message, got /);
  for (const type of ['__proto__', 'constructor', 'toString']) t.notThrows(() => refusal({ ...train, type }));
  for (const version of ['1', null, 1.5, Number.NaN, undefined]) t.regex(refusal({ ...train, version }), /^Expected `train\.version` to be 1, got /);
});

test('another protocol version has an error of its own, whatever else the message is', (t) => {
  const sentence = `Expected protocol version ${protocolVersion}, got 2; run the same Lockstep version on all hosts.`;
  t.is(refusal({ ...train, version: 2 }, 'LOCKSTEP_VERSION'), sentence);
  t.is(refusal({ version: 2, kind: 'of another time' }, 'LOCKSTEP_VERSION'), sentence);
  t.notThrows(() => refusal({ ...train, version: 0 }, 'LOCKSTEP_VERSION'));
});

test('what a stranger writes cannot steer a terminal', (t) => {
  const refused = { type: 'refused', version: 1, generation: 0, step: 0, reason: 'token', message: 'two\nlines' };
  t.notThrows(() => checkMessage(refused));
  for (const message of ['\u001b[2J', 'a\rb', '\u009b2J', '\u0007']) t.regex(refusal({ ...refused, message }), /none of control/);
  t.notThrows(() => refusal({ ...refused, message: 'x'.repeat(2001) }));
});

test('lists are counted before their items are looked at', (t) => {
  const heartbeat = { type: 'heartbeat', version: 1, generation: 0, step: 0 };
  t.is(refusal({ ...heartbeat, ranks: Array(1025).fill(0) }).split(', got')[0], 'Expected `heartbeat.ranks` to be a list of at most 1024 items');
  t.regex(refusal({ ...longest.find(({ type }) => type === 'generation'), members: [] }), /a list of 1 to 1024 items/);
});

test('every message has a sentence', (t) => {
  for (const [type, { sentence }] of messageKinds) t.regex(sentence, /^[A-Z].*: .*\.$|^[A-Z].*, .*: .*\.$/, type);
  fc.assert(fc.property(messages, ({ type }) => messageKinds.has(type)));
});
