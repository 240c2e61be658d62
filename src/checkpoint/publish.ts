/**
 * Room: checkpoint (level 3). How a checkpoint comes to be: in a temporary folder, synced file by file, then renamed. It promises
 * that a folder with a final name is whole, wherever the process is killed, and that of a step that is written again one whole
 * checkpoint is there at every moment. It runs in the writer's thread.
 */
import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LockstepError } from '../errors.ts';
import { systemCode } from './inspect.ts';
import { type TensorAt, tensorBytes } from './layout.ts';
import { asideOf, folderOfStep, prunedName, recordFile, temporaryName } from './names.ts';
import { keepHouse } from './prune.ts';
import { type FileDigest, serializeRecord } from './record.ts';
import type { WriteRequest, WriteTask, Written } from './request.ts';
import { encodeHeader } from './safetensors.ts';

/** So much is hashed while it is written. */
const pieceBytes = 4 * 2 ** 20;

/** Throws LOCKSTEP_CHECKPOINT when the system refuses; then nothing of this checkpoint stays that could be taken for one. */
export async function writeCheckpoint({ request, folder, serial, leftovers }: WriteTask): Promise<Written> {
  const began = performance.now();
  const { step } = request.record;
  const name = folderOfStep(step);
  const temporary = join(folder, temporaryName(name, serial));
  try {
    await makeFolder(folder);
    for (const name of leftovers) await rm(join(folder, name), { recursive: true, force: true }).catch(() => {});
    const bytes = await fill(temporary, request);
    await moveInto(folder, name, serial);
    const trouble = await keepHouse(folder, request, serial);
    const seconds = (performance.now() - began) / 1000;
    return { step, folder: join(folder, name), bytes, seconds, ...(trouble !== undefined && { trouble }) };
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    if (cause instanceof LockstepError) throw cause;
    const code = systemCode(cause);
    const message = `Expected to write the checkpoint of step ${step} to \`${folder}\`, but the system refused (${reasonOf(cause, code)}); ${mends[code] ?? 'check the folder'}.`;
    throw new LockstepError('LOCKSTEP_CHECKPOINT', message, { cause });
  }
}

const mends: Readonly<Record<string, string>> = {
  ENOSPC: 'free some space there',
  EDQUOT: 'free some space there',
  EROFS: 'make its file system writable',
  EACCES: 'let this user write there',
  EPERM: 'let this user write there',
  ENOTDIR: 'a part of the path is a file: name another folder',
  ENOENT: 'the folder was removed meanwhile: leave it in place',
};

/** `ENOSPC: no space left on device, write`, without the paths that Node adds. */
function reasonOf(cause: unknown, code: string): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return text.startsWith(`${code}: `) ? text.replace(/ '.*$/s, '') : text;
}

/** Makes the folder with its parents, and puts the names of those that were missing on the disk. */
async function makeFolder(folder: string): Promise<void> {
  const outermost = await mkdir(folder, { recursive: true });
  if (outermost === undefined) return;
  for (let made = folder; made.length >= outermost.length; made = dirname(made)) await syncFolder(dirname(made));
}

/** Makes the temporary folder with everything in it, synced. Returns its bytes. */
async function fill(temporary: string, { snapshot, layout, record }: WriteRequest): Promise<number> {
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary);
  const metadata = { format: 'lockstep', step: String(record.step) };
  const tensors = async (file: string, list: readonly TensorAt[]): Promise<FileDigest> => await writeFile(join(temporary, file), pieces(snapshot, list, metadata));
  const weights = await tensors('weights.safetensors', layout.weights);
  const optimizer = await tensors('optimizer.safetensors', layout.optimizer);
  const text = serializeRecord({ ...record, format: 1, files: { 'weights.safetensors': weights, 'optimizer.safetensors': optimizer } });
  const { bytes } = await writeFile(join(temporary, recordFile), [text]);
  await syncFolder(temporary);
  return weights.bytes + optimizer.bytes + bytes;
}

/** The bytes of a safetensors file, in pieces that are views of the snapshot. */
function* pieces(snapshot: SharedArrayBuffer, tensors: readonly TensorAt[], metadata: Readonly<Record<string, string>>): Generator<Uint8Array> {
  yield encodeHeader(tensors, metadata);
  for (const tensor of tensors) {
    const bytes = tensorBytes(snapshot, tensor);
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
  }
}

async function writeFile(path: string, parts: Iterable<Uint8Array>): Promise<FileDigest> {
  const hash = createHash('sha256');
  let bytes = 0;
  const file = await open(path, 'wx');
  try {
    for (const part of parts) {
      const writing = writeAll(file, part);
      hash.update(part);
      await writing;
      bytes += part.length;
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return { bytes, sha256: hash.digest('hex') };
}

/** A file system that is nearly full may take a part. */
async function writeAll(file: FileHandle, part: Uint8Array): Promise<void> {
  for (let at = 0; at < part.length; ) at += (await file.write(part, at)).bytesWritten;
}

/** A name is on the disk when its folder is. Windows cannot be asked for that. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/**
 * Gives the temporary folder its final name. A checkpoint that has it is set aside first, and stays aside until pruning: readers
 * take that one if this process is killed between the two. What was aside already stays, as the other may be the damaged one.
 */
async function moveInto(folder: string, name: string, serial: number): Promise<void> {
  const [present, aside] = [join(folder, name), join(folder, asideOf(name))];
  const outOfTheWay = (await exists(aside)) ? join(folder, prunedName(name, serial)) : aside;
  const moved = await rename(present, outOfTheWay).then(
    () => true,
    (error: unknown) => {
      if (systemCode(error) !== 'ENOENT') throw error;
      return false;
    },
  );
  try {
    await rename(join(folder, temporaryName(name, serial)), present);
  } catch (error) {
    if (moved) await rename(outOfTheWay, present).catch(() => {});
    throw error;
  }
  await syncFolder(folder);
  if (moved && outOfTheWay !== aside) await rm(outOfTheWay, { recursive: true, force: true }).catch(() => {});
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
