/**
 * Room: checkpoint (level 3). run.json: what a run must know, besides its numbers, to go on. It promises that a record comes back
 * exactly as it was written, numbers that are not finite included, and that a file with any bit changed is refused: its last line
 * but one is the SHA-256 of all lines before, and its bytes must be those that its own content gives.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { LockstepError } from '../errors.ts';
import type { TensorFile } from './names.ts';

/** What run.json says. */
export interface CheckpointRecord {
  readonly format: 1;
  readonly runId: string;
  /** The last committed step. */
  readonly step: number;
  /** The epoch of the next batch, from 0. */
  readonly epoch: number;
  /** Batches of that epoch that are done. */
  readonly cursor: number;
  readonly updates: number;
  readonly skippedInARow: number;
  /** Of the epoch so far. */
  readonly epochSums: RecordedSums;
  /** Norms of the gradients of the last updates, the oldest first, where the clipper remembers them. */
  readonly gradNorms?: readonly number[];
  readonly seed: number;
  readonly shards: number;
  /** The schedule's position. */
  readonly learningRate: number;
  /** SHA-256, in hex, of what this run's kernels make of the same numbers. */
  readonly fingerprint: string;
  /** SHA-256, in hex. */
  readonly data: { readonly train: string; readonly validation?: string };
  /** Model, loss, optimizer, batch and so on: what must be equal to go on. Plain JSON data. */
  readonly run: unknown;
  /** Epoch events so far. */
  readonly epochs: readonly unknown[];
  /** What says whether it is the best. */
  readonly metric?: { readonly name: string; readonly value: number };
  readonly files: Readonly<Record<TensorFile, FileDigest>>;
}

/** What an epoch adds up; a weight when rows have any, and the numbers of metrics by what they are, as JSON. */
export interface RecordedSums {
  readonly loss: number;
  readonly correct: number;
  readonly rows: number;
  readonly weight?: number;
  readonly metrics?: Readonly<Record<string, readonly number[]>>;
}

/** What is known of a file before it is read; the hash is in hex. */
export interface FileDigest {
  readonly bytes: number;
  readonly sha256: string;
}

const count = z.int().min(0);
/** Any number: those that JSON cannot say have a way of their own. */
const number = z.custom<number>((value) => typeof value === 'number');
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const digest = z.strictObject({ bytes: count, sha256 });

/** Output has its keys in this order. */
const recordSchema = z.strictObject({
  format: z.literal(1),
  runId: z.string(),
  step: count,
  epoch: count,
  cursor: count,
  updates: count,
  skippedInARow: count,
  epochSums: z.strictObject({
    loss: number,
    correct: number,
    rows: number,
    weight: number.exactOptional(),
    metrics: z.record(z.string(), z.array(number)).exactOptional(),
  }),
  gradNorms: z.array(z.number().min(0)).exactOptional(),
  seed: count,
  shards: z.int().min(1),
  learningRate: number,
  fingerprint: sha256,
  data: z.strictObject({ train: sha256, validation: sha256.exactOptional() }),
  metric: z.strictObject({ name: z.string(), value: number }).exactOptional(),
  files: z.strictObject({ 'weights.safetensors': digest, 'optimizer.safetensors': digest }),
  run: z.unknown(),
  epochs: z.array(z.unknown()),
});

const numberKey = '$number';
/** Numbers that JSON has no words for, as `{ "$number": "NaN" }`. */
const unsayable = { NaN: Number.NaN, Infinity: Number.POSITIVE_INFINITY, '-Infinity': Number.NEGATIVE_INFINITY, '-0': -0 } as const;

function say(_: string, value: unknown): unknown {
  if (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))) return { [numberKey]: Object.is(value, -0) ? '-0' : String(value) };
  if (typeof value === 'object' && value !== null && Object.hasOwn(value, numberKey)) throw new TypeError(`An object has the key ${numberKey}`);
  return value;
}

function hear(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, numberKey)) return value;
  const { [numberKey]: word } = value as { [numberKey]: unknown };
  return typeof word === 'string' && Object.hasOwn(unsayable, word) ? unsayable[word as keyof typeof unsayable] : value;
}

/** The bytes of run.json: the same for the same record. Throws LOCKSTEP_INTERNAL for what is no record. */
export function serializeRecord(record: CheckpointRecord): Buffer {
  try {
    return bytesOf(recordSchema.parse(record) as CheckpointRecord);
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? sentenceOf(cause) : String(cause);
    throw new LockstepError('LOCKSTEP_INTERNAL', `Expected a checkpoint's record to be plain data of its schema, got other: ${reason}; report it.`, { cause });
  }
}

function bytesOf(record: CheckpointRecord): Buffer {
  const open = JSON.stringify(record, say, 2).slice(0, -'\n}'.length);
  const hashed = `${open},\n`;
  return Buffer.from(`${hashed}  "sha256": "${createHash('sha256').update(hashed).digest('hex')}"\n}\n`);
}

/** The bytes before the last two lines, which are `  "sha256": "..."` and `}`. */
function hashOfBody(bytes: Uint8Array): string {
  const lastLines = `  "sha256": "${'0'.repeat(64)}"\n}\n`.length;
  return createHash('sha256').update(bytes.subarray(0, -lastLines)).digest('hex');
}

/** The record of a run.json, or in a few words why there is none. */
export function parseRecord(bytes: Uint8Array): { readonly record: CheckpointRecord } | { readonly reason: string } {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes), hear);
  } catch {
    return { reason: 'expected JSON, got other bytes' };
  }
  if (typeof value !== 'object' || value === null) return { reason: 'expected an object, got other JSON' };
  const { sha256: said, ...rest } = value as Record<string, unknown>;
  if (typeof said !== 'string') return { reason: 'expected its SHA-256 at its end, got none' };
  const hash = hashOfBody(bytes);
  if (hash !== said) return { reason: `expected SHA-256 ${said}, got ${hash}` };
  const parsed = recordSchema.safeParse(rest);
  if (!parsed.success) return { reason: sentenceOf(parsed.error) };
  const record = parsed.data as CheckpointRecord;
  return bytesOf(record).equals(bytes) ? { record } : { reason: 'expected the bytes that its content gives, got others' };
}

/** `step: Invalid input: ...`. */
function sentenceOf({ issues }: z.ZodError): string {
  return issues.map(({ path, message }) => (path.length > 0 ? `${path.join('.')}: ${message}` : message)).join('; ');
}
