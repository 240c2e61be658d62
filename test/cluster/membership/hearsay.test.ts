/**
 * Room: tests of the cluster's membership. Which messages say something about the membership, and what.
 */
import test from 'ava';
import fc from 'fast-check';
import { eventOf, speedOf } from '../../../cluster/membership/hearsay.ts';
import { messageKinds } from '../../../cluster/wire/messages.ts';
import { messagesOf } from '../wire/arbitrary.ts';

const envelope = { version: 1, generation: 5, step: 41 } as const;

test('a message is the event that it tells of, with the id of who sent it', (t) => {
  const prepared = { type: 'prepared', modelHash: 'a'.repeat(64), fingerprint: 'b'.repeat(64), holds: 40 } as const;
  t.deepEqual(eventOf(3, { ...envelope, ...prepared }), { kind: 'prepared', id: 3, holds: 40, seen: 5 });
  t.deepEqual(eventOf(3, { ...envelope, ...prepared, generation: 2 ** 31 - 1 }), { kind: 'prepared', id: 3, holds: 40, seen: 2 ** 30 });
  t.deepEqual(eventOf(3, { ...envelope, type: 'ready' }), { kind: 'ready', id: 3, generation: 5 });
  t.deepEqual(eventOf(3, { ...envelope, type: 'finished', rowSeconds: 0.25 }), { kind: 'boundary', id: 3, generation: 5, committed: 41, speed: 4 });
  t.deepEqual(eventOf(3, { ...envelope, type: 'finished', rowSeconds: 0 }), { kind: 'boundary', id: 3, generation: 5, committed: 41, speed: 0 });
  t.deepEqual(eventOf(3, { ...envelope, type: 'recalled', committed: 40 }), { kind: 'boundary', id: 3, generation: 5, committed: 40, speed: 0 });
  t.deepEqual(eventOf(3, { ...envelope, type: 'leave' }), { kind: 'leaveRequested', id: 3 });
  const stumbled = { workers: 2, sentence: 'Rank 1 failed.' };
  t.deepEqual(eventOf(3, { ...envelope, type: 'stumbled', ...stumbled }), { kind: 'stumbled', id: 3, generation: 5, ...stumbled });
  t.deepEqual(eventOf(3, { ...envelope, type: 'peerLost', id: 7 }), { kind: 'peerLost', id: 3, peer: 7, generation: 5 });
});

test('all other messages say nothing about it', (t) => {
  const telling = ['prepared', 'ready', 'finished', 'recalled', 'leave', 'peerLost', 'stumbled'];
  for (const type of messageKinds.keys()) {
    fc.assert(
      fc.property(messagesOf(type), fc.nat(), (message, id) => t.is(eventOf(id, message) !== undefined, telling.includes(type), type)),
      { numRuns: 5 },
    );
  }
});

test('a speed is rows a second, or 0 when it is not known', (t) => {
  t.is(speedOf(0.5), 2);
  t.is(speedOf(0), 0);
  t.is(speedOf(-1), 0);
  t.is(speedOf(Number.NaN), 0);
});
