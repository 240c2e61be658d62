/**
 * Room: checkpoint (level 3). What is in a folder of checkpoints, and whether a checkpoint is what it was when it was written. It
 * reads in pieces, so that a large file takes no memory, and never trusts a name or a length.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LockstepError } from '../errors.ts';
import { recordFile, stepNamed, type TensorFile, tensorFiles } from './names.ts';
import { type CheckpointRecord, type FileDigest, parseRecord } from './record.ts';

/** A folder that by its name is a checkpoint. */
export interface StepFolder {
  readonly step: number;
  readonly name: string;
}

/** The error's code, as systems say it: `ENOENT`. */
export function systemCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

/** Newest first; of one step the present one before the one that was set aside for it. Without a folder there are none. */
export async function stepFolders(folder: string): Promise<StepFolder[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return [];
    const message = `Expected to read the checkpoints of \`${folder}\`, but the system refused (${systemCode(cause)}); check the path.`;
    throw new LockstepError('LOCKSTEP_CHECKPOINT', message, { cause });
  }
  return names
    .flatMap((name) => {
      const named = stepNamed(name);
      return named ? [{ name, ...named }] : [];
    })
    .sort((a, b) => b.step - a.step || Number(a.aside) - Number(b.aside));
}

export type Inspected = { readonly record: CheckpointRecord; readonly reason?: never } | { readonly record?: CheckpointRecord; readonly reason: string };

/** The record of a checkpoint whose files are there and as long as they must be; their content is not looked at. */
export async function inspect(folder: string, { name, step }: StepFolder): Promise<Inspected> {
  const path = join(folder, name);
  const bytes = await readFile(join(path, recordFile)).catch((error: unknown) => systemCode(error));
  if (typeof bytes === 'string') return { reason: `${recordFile}: ${unreadable(bytes)}` };
  const parsed = parseRecord(bytes);
  if ('reason' in parsed) return { reason: `${recordFile}: ${parsed.reason}` };
  const { record } = parsed;
  if (record.step !== step) return { record, reason: `${recordFile}: expected step ${step}, got ${record.step}` };
  for (const file of tensorFiles) {
    const length = await stat(join(path, file)).then(
      ({ size }) => size,
      (error: unknown) => systemCode(error),
    );
    if (typeof length === 'string') return { record, reason: `${file}: ${unreadable(length)}` };
    const expected = record.files[file].bytes;
    if (length !== expected) return { record, reason: `${file}: expected ${expected} bytes, got ${length}` };
  }
  return { record };
}

/** The same, and every file has the SHA-256 that it was written with. */
export async function verify(folder: string, entry: StepFolder): Promise<Inspected> {
  const inspected = await inspect(folder, entry);
  if (inspected.reason !== undefined) return inspected;
  const { record } = inspected;
  for (const file of tensorFiles) {
    const reason = await damageOf(join(folder, entry.name), file, record.files[file]);
    if (reason !== undefined) return { record, reason };
  }
  return inspected;
}

async function damageOf(path: string, file: TensorFile, expected: FileDigest): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    for await (const piece of createReadStream(join(path, file), { highWaterMark: 2 ** 20 })) hash.update(piece as Buffer);
  } catch (error) {
    return `${file}: ${unreadable(systemCode(error))}`;
  }
  const got = hash.digest('hex');
  return got === expected.sha256 ? undefined : `${file}: expected SHA-256 ${expected.sha256}, got ${got}`;
}

function unreadable(code: string): string {
  return code === 'ENOENT' || code === 'ENOTDIR' ? 'expected a file, got none' : `expected to read it, but the system refused (${code})`;
}
