/**
 * Room: tests of the cluster, integration. A hundred thousand mutated messages to a live run, from peers that know the token and from
 * some that do not: the run goes on, no process ends, and the weights are those of a run without them.
 */
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { encodeFrame } from '../../../cluster/wire/frame.ts';
import { messageKinds } from '../../../cluster/wire/messages.ts';
import { Philox } from './random.ts';
import { messagesOf } from '../wire/arbitrary.ts';
import { deadlineMs, party, recipe } from './party.ts';
import { envelope, insider, type Stranger, stranger } from './peers.ts';

const run = recipe();
const frames = 100_000;
const seed = 20_260_101;
/** Connections at a time. */
const connections = 8;

/** Valid frames of every kind, of the envelope that a host without a generation has or of any. */
const valid = [...messageKinds.keys()].flatMap((type) =>
  fc.sample(messagesOf(type), { seed, numRuns: 20 }).map((message, i) => encodeFrame(i % 2 ? message : { ...message, ...envelope }, new Uint8Array(8 * (i % 5)))),
);
