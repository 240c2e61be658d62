/**
 * Room: cluster (level 7), wire. Every message that crosses a socket: its fields as a schema, and one sentence on who sends
 * it, when and with what payload; `docs/protocol.md` is made from them. Nothing received is used before it has passed here.
 */
import { z } from 'zod';
import { show } from '../../src/check.ts';
import { choice, field, flag, integer, record } from '../../src/config/rules.ts';
import { sentences } from '../../src/config/sentences.ts';
import { LockstepError } from '../../src/errors.ts';
import { mostSentence } from './printable.ts';

/** Grows with every change that an older peer would misunderstand. */
export const protocolVersion = 1;

/** A text of `min` to `max` UTF-16 units that matches `pattern`; `rule` says so in words. */
function text(rule: string, pattern: RegExp, min: number, max: number) {
  return z.string(rule).min(min, rule).max(max, rule).regex(pattern, rule).meta({ description: rule });
}

/** A list whose longest still fits a header, whatever its items are: a test holds that. */
function list<T extends z.ZodType>(item: T, min: number, max: number) {
  const rule = `a list of ${min === 0 ? 'at most' : `${min} to`} ${max} items`;
  return z.array(item, rule).min(min, rule).max(max, rule).meta({ description: rule });
}

const count = integer(0, 2 ** 31 - 1);
const countOrNone = integer(-1, 2 ** 31 - 1);
const bytes = integer(0);
const workers = (min: number) => integer(min, 1024);
const digest = text('64 hexadecimal digits in lower case', /^[0-9a-f]{64}$/, 64, 64);
const name = text('a text of 1 to 200 characters, none of control', /^\P{Cc}*$/u, 1, 200);
const reason = text('a text of at most 100 characters, none of control', /^\P{Cc}*$/u, 0, 100);
/** People read these on terminals: what a stranger wrote must not steer them. */
const sentence = text(`a text of at most ${mostSentence} characters, none of control but tab and newline`, /^(?:\P{Cc}|[\t\n])*$/u, 0, mostSentence);
/** HOST:PORT, or :PORT where the host calls from. */
const address = text('an address of at most 300 visible ASCII characters, or nothing', /^[!-~]*$/, 0, 300);
/** What the receiver checks itself: it knows the schema of a config, the wire does not. */
const unchecked = z
  .unknown()
  .refine((value) => value !== undefined, 'any value')
  .meta({ description: 'any value: its receiver checks it' });
const seconds = z.number('a number from 0 to 1e9').min(0, 'a number from 0 to 1e9').max(1e9, 'a number from 0 to 1e9').meta({ description: 'a number from 0 to 1e9' });
const scale = z.number('a number > 0 and <= 1').gt(0, 'a number > 0 and <= 1').max(1, 'a number > 0 and <= 1').meta({ description: 'a number > 0 and <= 1' });
const rate = z.number('a finite number >= 0').min(0, 'a finite number >= 0').meta({ description: 'a finite number >= 0' });

/** A host's place in a generation. Shards are [first, end); a host without shards takes part in everything else. */
const member = record('a member', { id: count, name, workers: workers(0), first: count, end: count, address }).meta({ id: 'member' });

/** A data set has no more chunks: a list of their hashes must fit a header. */
export const mostChunks = 4096;

/** Where a rank is: for whoever must explain a silence. */
const rankProgress = record('the progress of a rank', { step: countOrNone, phase: count, layer: countOrNone }).meta({ id: 'rankProgress' });

const dataSet = record('a data set', { sha256: digest, bytes, chunks: list(digest, 0, mostChunks), source: unchecked }).meta({ id: 'dataSet' });

const kinds = {
  challenge: [{ nonce: digest }, 'Listener to dialer, first of all: a fresh nonce that the proof must cover.'],
  hello: [
    { nonce: digest, proof: digest, role: choice('host', 'peer'), id: count },
    'Dialer to listener: its own nonce, its proof of the token, and whether it is a host for the coordinator or the link of host `id` for the steps of the generation.',
  ],
  welcome: [{ proof: digest }, "Listener to dialer: the listener's proof of the token; from now on both talk freely."],
  refused: [{ reason, message: sentence }, 'Either to either, last of all: why the sender closes the connection.'],
  heartbeat: [{ ranks: list(rankProgress, 0, 1024) }, 'Either to either, twice a second: the sender lives, and its ranks are there.'],
  apply: [
    { name, workers: workers(1), address, metrics: address },
    'Host to coordinator: wants to take part with so many workers; other hosts reach it at `address`, and Prometheus at `metrics`.',
  ],
  run: [
    {
      runId: name,
      spec: unchecked,
      modelHash: digest,
      kernels: choice('wasm', 'blas'),
      fingerprint: digest,
      mixedNumerics: flag,
      train: dataSet,
      validation: dataSet.optional(),
    },
    'Coordinator to host: what the run is, and the hashes of its model, numbers and data.',
  ],
  wantData: [
    { set: choice('train', 'validation'), chunks: list(count, 0, mostChunks) },
    'Host to coordinator: the chunks of a data set that it has neither cached nor of its own.',
  ],
  data: [
    { set: choice('train', 'validation'), chunk: count, offset: bytes },
    'Coordinator to host: a piece of a chunk of a data set, `offset` bytes from the start of the chunk; the payload is rows as they are stored.',
  ],
  prepared: [
    { modelHash: digest, fingerprint: digest, holds: count },
    'Host to coordinator: data and plan are there; its own hashes of the model and of a probe computation, and the step whose state it holds from an earlier session (0: none).',
  ],
  wantState: [{}, 'Coordinator to host, before the first generation: it was started again, and the host holds the newest state.'],
  generation: [
    { members: list(member, 1, 1024), self: count, topology: choice('star', 'mesh'), receivesState: flag },
    'Coordinator to host: the membership from now on; `self` is the index of the receiver, `receivesState` says that `state` follows.',
  ],
  state: [
    { offset: bytes },
    'Coordinator to host, or host to coordinator after `wantState`: weights, moving statistics and optimizer vectors, `offset` bytes from their start in the arena.',
  ],
  ready: [{}, 'Host to coordinator: planned for the generation, state complete, links to the other hosts open.'],
  train: [
    { epoch: count, firstBatch: count, batches: count, firstStep: count, updates: count, skippedInARow: count, rateScale: scale, leastRate: rate },
    'Coordinator to host: train on these batches, until they are done or a verdict says stop.',
  ],
  evaluate: [{}, 'Coordinator to host: compute the loss over the validation data.'],
  finished: [{ rowSeconds: seconds }, 'Host to coordinator: the command is done; seconds of computing per row, without waiting (0: unknown).'],
  stumbled: [
    { sentence, workers: workers(1) },
    'Host to coordinator: a rank died, and `sentence` says what was done about it; the host stands and goes on with so many workers.',
  ],
  recall: [{}, 'Coordinator to host: a host was lost or a rank died; leave the step and forget it.'],
  recalled: [{ committed: count }, 'Host to coordinator: all ranks have left; the last step that was committed here.'],
  leave: [{}, 'Host to coordinator: wants to go at the next step boundary.'],
  goodbye: [{ message: sentence }, 'Coordinator to host: released, the run is over or goes on without it.'],
  peerLost: [{ id: count }, 'Host to coordinator: the link to host `id` for the steps of the generation broke or could not be opened.'],
  // From here on: on the links of a generation alone, and nothing else is said there.
  statistics: [{ area: count }, 'Host to host (star: to the coordinator): its subtrees of a sync point as float64 blocks.'],
  merged: [{ area: count }, 'Coordinator to host, in a star: the block of a sync point merged over all shards.'],
  contribution: [
    { bucket: count, root: count, offset: bytes },
    "Host to the owner of the numbers: one of its subtrees' gradients, `offset` bytes into the gradient vector; the last piece of a bucket says so by its place.",
  ],
  reduced: [{ offset: bytes }, 'Owner to everybody: the global gradient, `offset` bytes into the gradient vector.'],
  sums: [{}, 'Host to coordinator: float64 loss sums of its subtrees, then the square sums of the blocks it owns.'],
  verdict: [{}, 'Coordinator to host: the decision on the step, as float64 numbers: apply, skip or halt, stop or go on, clipping, loss.'],
  findings: [{ first: count }, 'Host to coordinator, after a skipped step: the place of the first number that was not finite.'],
} as const;

type Kinds = typeof kinds;
type MessageType = keyof Kinds;

/** In every header: protocol version, generation of the sender, and the last step that it committed. */
const envelope = { version: z.literal(protocolVersion, String(protocolVersion)), generation: count, step: count };

/** T, readonly all the way down. */
type Frozen<T> = T extends readonly (infer Item)[] ? readonly Frozen<Item>[] : T extends object ? { readonly [Key in keyof T]: Frozen<T[Key]> } : T;
type Values<Shape> = Shape extends z.ZodRawShape ? Frozen<z.output<z.ZodObject<Shape>>> : never;

export type MessageOf<T extends MessageType> = { readonly type: T } & Values<typeof envelope & Kinds[T][0]>;
export type Message = { [T in MessageType]: MessageOf<T> }[MessageType];

/** A message without its envelope. */
export type MessageBody<M extends Message = Message> = M extends Message ? Omit<M, 'version' | 'generation' | 'step'> : never;

/** A message's schema, envelope included, and its sentence. */
interface MessageKind {
  readonly schema: z.ZodObject;
  readonly sentence: string;
}

/** All messages, in the order in which a host meets them. */
export const messageKinds: ReadonlyMap<string, MessageKind> = new Map(
  Object.entries(kinds).map(([type, [fields, words]]) => [
    type,
    { schema: record(`a ${type} message`, { type: z.literal(type), ...envelope, ...fields }), sentence: words },
  ]),
);

/**
 * A received header as a message. Throws LOCKSTEP_VERSION for a peer of another protocol version, whatever else it says, and
 * LOCKSTEP_PROTOCOL with the first broken rule for anything else that is no message.
 */
export function checkMessage(value: unknown): Message {
  const version = field(value, 'version');
  if (version !== protocolVersion && Number.isSafeInteger(version)) {
    throw new LockstepError('LOCKSTEP_VERSION', `Expected protocol version ${protocolVersion}, got ${String(version)}; run the same Lockstep version on all hosts.`);
  }
  const type = field(value, 'type');
  const kind = typeof type === 'string' ? messageKinds.get(type) : undefined;
  if (kind === undefined) throw new LockstepError('LOCKSTEP_PROTOCOL', `Expected a header with the \`type\` of a message, got ${show(value)}.`);
  const result = kind.schema.safeParse(value);
  if (result.success) return result.data as Message;
  throw new LockstepError('LOCKSTEP_PROTOCOL', sentences(result.error.issues.slice(0, 1), value, type as string)[0]!);
}
