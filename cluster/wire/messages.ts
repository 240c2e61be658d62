/**
 * Room: cluster (level 7), wire. Every message that crosses a socket: its fields as a schema, and one sentence on who sends
 * it, when and with what payload; `docs/protocol.md` is made from them. Nothing received is used before it has passed here.
 */
import { z } from 'zod';

/** Grows with every change that an older peer would misunderstand. */
export const protocolVersion = 1;

const count = z.int().min(0).max(2 ** 31 - 1);
const bytes = z.int().min(0).max(2 ** 53 - 1);
const digest = z.string().regex(/^[0-9a-f]{64}$/);
const name = z.string().min(1).max(200);
const sentence = z.string().max(2000);
/** Where a host accepts links of other hosts; no address when it accepts none. */
const address = z.string().max(300);

/** A host's place in a generation. Shards are [first, end); a host without shards takes part in everything else. */
const member = z.strictObject({ id: count, name, workers: count, first: count, end: count, address });

/** Where a rank is: for whoever must explain a silence. */
const rankProgress = z.strictObject({ step: z.int().min(-1), phase: count, layer: z.int().min(-1) });

const dataSet = z.strictObject({ sha256: digest, bytes, chunks: z.array(digest).max(2 ** 16), spec: z.unknown(), source: z.unknown() });

const kinds = {
  challenge: [{ nonce: digest }, 'Listener to dialer, first of all: a fresh nonce that the proof must cover.'],
  hello: [{ nonce: digest, proof: digest, role: z.enum(['host', 'peer']), id: count }, 'Dialer to listener: its own nonce, its proof of the token, and whether it is a host for the coordinator or the link of host `id`.'],
  welcome: [{ proof: digest }, "Listener to dialer: the listener's proof of the token; from now on both talk freely."],
  refused: [{ reason: z.string().max(100), message: sentence }, 'Either to either, last of all: why the sender closes the connection.'],
  heartbeat: [{ ranks: z.array(rankProgress).max(4096) }, 'Either to either, twice a second: the sender lives, and its ranks are there.'],
  apply: [{ name, workers: count, address, dataFolder: z.boolean() }, 'Host to coordinator: wants to take part with so many workers; other hosts reach it at `address`.'],
  run: [
    { runId: name, spec: z.unknown(), modelHash: digest, kernels: z.enum(['wasm', 'blas']), fingerprint: digest, mixedNumerics: z.boolean(), train: dataSet, validation: dataSet.optional() },
    'Coordinator to host: what the run is, and the hashes of its model, numbers and data.',
  ],
  wantData: [{ set: z.enum(['train', 'validation']), chunks: z.array(count).max(2 ** 16) }, 'Host to coordinator: the chunks of a data set that it has neither cached nor of its own.'],
  data: [{ set: z.enum(['train', 'validation']), chunk: count, offset: bytes }, 'Coordinator to host: a piece of a chunk of a data set, `offset` bytes from the start of the chunk; the payload is rows as they are stored.'],
  prepared: [{ modelHash: digest, fingerprint: digest }, 'Host to coordinator: data and plan are there; its own hashes of the model and of a probe computation.'],
  generation: [
    { members: z.array(member).min(1).max(4096), self: count, topology: z.enum(['star', 'mesh']), receivesState: z.boolean() },
    'Coordinator to host: the membership from now on; `self` is the index of the receiver, `receivesState` says that `state` follows.',
  ],
  state: [{ offset: bytes }, 'Coordinator to host: weights, moving statistics and optimizer vectors, `offset` bytes from their start in the arena.'],
  ready: [{}, 'Host to coordinator: planned for the generation, state complete, links to the other hosts open.'],
  train: [
    { epoch: count, firstBatch: count, batches: count, firstStep: count, updates: count, skippedInARow: count },
    'Coordinator to host: train on these batches, until they are done or a verdict says stop.',
  ],
  evaluate: [{}, 'Coordinator to host: compute the loss over the validation data.'],
  finished: [{ rowSeconds: z.number().min(0).max(1e9) }, 'Host to coordinator: the command is done; seconds of computing per row, without waiting (0: unknown).'],
  recall: [{}, 'Coordinator to host: a host was lost; leave the step and forget it.'],
  recalled: [{ committed: count }, 'Host to coordinator: all ranks have left; the last step that was committed here.'],
  leave: [{}, 'Host to coordinator: wants to go at the next step boundary.'],
  goodbye: [{ message: sentence }, 'Coordinator to host: released, the run is over or goes on without it.'],
  peerLost: [{ id: count }, 'Host to coordinator: the link to host `id` broke or could not be opened.'],
  statistics: [{ area: count }, 'Host to host (star: to the coordinator): its subtrees of a sync point as float64 blocks.'],
  merged: [{ area: count }, 'Coordinator to host, in a star: the block of a sync point merged over all shards.'],
  contribution: [{ bucket: count, root: count, offset: bytes }, "Host to the owner of the numbers: one of its subtrees' gradients, `offset` bytes into the gradient vector; the last piece of a bucket says so by its place."],
  reduced: [{ offset: bytes }, 'Owner to everybody: the global gradient, `offset` bytes into the gradient vector.'],
  sums: [{}, 'Host to coordinator: float64 loss sums of its subtrees, then the square sums of the blocks it owns.'],
  verdict: [{}, 'Coordinator to host: the decision on the step, as float64 numbers: apply, skip or halt, stop or go on, clipping, loss.'],
  findings: [{ first: count }, 'Host to coordinator, after a skipped step: the place of the first number that was not finite.'],
} as const;

type Kinds = typeof kinds;
export type MessageType = keyof Kinds;

/** In every header: protocol version, generation of the sender, and the last step that it committed. */
const envelope = { version: z.literal(protocolVersion), generation: count, step: count };
