/**
 * Room: checkpoint (level 3). A folder of checkpoints as those see it who read: the newest that can be trusted, the list of all, the
 * tensors of one. It never writes.
 */
import { readlink, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { stepFolders, systemCode, verify } from './inspect.ts';
import { type LinkName, recordFile, type TensorFile, tensorFiles } from './names.ts';
import type { CheckpointRecord } from './record.ts';
import { readSafetensors, type Tensor } from './safetensors.ts';

/** A checkpoint every file of which had its SHA-256 when it was looked at. */
export interface Found {
  readonly step: number;
  /** The path of the checkpoint's own folder. */
  readonly folder: string;
  readonly record: CheckpointRecord;
}

/** A checkpoint that cannot be trusted; the reason names the file. */
export interface PassedOver {
  readonly folder: string;
  readonly reason: string;
}

/**
 * Verifies checkpoints of `folder` (the one called `checkpoints`), newest first, up to the first that is whole. There is none in a
 * folder that does not exist. Throws LOCKSTEP_CHECKPOINT when the folder cannot be read.
 */
export async function newestVerified(folder: string): Promise<{ readonly found?: Found; readonly passedOver: readonly PassedOver[] }> {
  const passedOver: PassedOver[] = [];
  for (const entry of await stepFolders(folder)) {
    const path = join(folder, entry.name);
    const { record, reason } = await verify(folder, entry);
    if (reason === undefined) return { found: { step: entry.step, folder: path, record }, passedOver };
    if (await isGone(path)) continue;
    passedOver.push({ folder: path, reason });
  }
  return { passedOver };
}

/** A checkpoint of a list: whole and with its record, or with the reason why not. */
export type Listed = (
  | { readonly verified: true; readonly record: CheckpointRecord }
  | { readonly verified: false; readonly reason: string; readonly record?: CheckpointRecord }
) & {
  readonly step: number;
  readonly folder: string;
  /** Of all its files that are there. */
  readonly bytes: number;
  /** When it was finished, in milliseconds since 1970. */
  readonly writtenAtMs: number;
  /** The link `best`, or `latest`, leads to it. */
  readonly best: boolean;
  readonly latest: boolean;
};

/** All checkpoints of `folder`, newest first, each verified. Throws LOCKSTEP_CHECKPOINT when the folder cannot be read. */
export async function listCheckpoints(folder: string): Promise<readonly Listed[]> {
  const [latest, best] = await Promise.all([linked(folder, 'latest'), linked(folder, 'best')]);
  const listed: Listed[] = [];
  for (const entry of await stepFolders(folder)) {
    const path = join(folder, entry.name);
    const { record, reason } = await verify(folder, entry);
    if (reason !== undefined && (await isGone(path))) continue;
    const sizes = await Promise.all([recordFile, ...tensorFiles].map((file) => stat(join(path, file)).catch(() => undefined)));
    const common = {
      step: entry.step,
      folder: path,
      bytes: sizes.reduce((sum, file) => sum + (file?.size ?? 0), 0),
      writtenAtMs: sizes.reduce((last, file) => Math.max(last, file?.mtimeMs ?? 0), 0),
      best: best === entry.name,
      latest: latest === entry.name,
    };
    listed.push(reason === undefined ? { verified: true, record, ...common } : { verified: false, reason, ...(record && { record }), ...common });
  }
  return listed;
}

/** True for a checkpoint that was pruned while it was looked at: it is not damaged. */
async function isGone(path: string): Promise<boolean> {
  return await stat(path).then(
    () => false,
    (error: unknown) => systemCode(error) === 'ENOENT',
  );
}

/** The name of the checkpoint that a link leads to, if it is a link. */
async function linked(folder: string, link: LinkName): Promise<string | undefined> {
  return await readlink(join(folder, link)).then(
    (target) => basename(target),
    () => undefined,
  );
}

/** The tensors of a verified checkpoint's file, by name. */
export function readCheckpointTensors(found: Found, file: TensorFile): Map<string, Tensor> {
  return readSafetensors(join(found.folder, file));
}
