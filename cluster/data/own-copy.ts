/**
 * Room: cluster (level 7), data. A host's own copy of a run's data, in a folder that its user named. The coordinator describes
 * the data without a path; the host reads files of that folder, or of an installed package, and nothing else. It promises that an
 * own copy is taken only when it has the run's hash, and that it never looks where a message, rather than its user, says.
 */
import { basename, join } from 'node:path';
import { show } from '../../src/check.ts';
import type { DataConfig, DataConfigInput } from '../../src/config/data.ts';
import { parseDataConfig } from '../../src/config/parse.ts';
import { openData } from '../../src/data/datasets.ts';
import { idxSource } from '../../src/data/idx.ts';
import type { DataSource } from '../../src/data/source.ts';
import { isLockstepError, LockstepError } from '../../src/errors.ts';
import { dataSpec, storeData } from '../../src/local/session.ts';
import { asTargets } from '../../src/local/targets.ts';
import { Arena } from '../../src/memory/arena.ts';
import { MemoryPlan } from '../../src/memory/plan.ts';
import { type DataSpec, placeData } from '../../src/model/data-place.ts';
import { type Manifest, makeManifest, type StoredData, sameSpec, shortHash } from './manifest.ts';

/** A data config as hosts are told it: names of files in the place of paths, and no folder. */
export function describeData(config: DataConfig): DataConfigInput {
  if ('format' in config) return { ...config, images: basename(config.images), labels: basename(config.labels) };
  const { folder: _, ...rest } = config;
  return rest;
}

export interface OwnCopy {
  /** The folder that the user of this host named. */
  readonly folder: string;
  /** What the coordinator sent; nothing about it is known. */
  readonly description: unknown;
  readonly manifest: Manifest;
  /** Where the data are to be. */
  readonly data: StoredData;
}

/**
 * Loads the host's own copy. Throws LOCKSTEP_FILE when it is not there, LOCKSTEP_DATA when it is malformed or not the data of the
 * run, LOCKSTEP_PROTOCOL when the description is none or names anything outside the folder. Files are read in one go, as in a
 * local run.
 */
export async function loadOwnCopy({ folder, description, manifest, data }: OwnCopy): Promise<void> {
  const opened = openOwnCopy(description, folder);
  // Two classes of a single output are its targets.
  const source = data.place.spec.targetSize === 1 && opened.labels.kind === 'class' ? asTargets(opened, [1]) : opened;
  const spec = dataSpec(source, data.place.spec.classWeights);
  // Data of another spec do not fit the place; they get one of their own, for the sake of the sentence.
  const own = sameSpec(spec, data.place.spec) ? data : temporaryPlace(spec);
  storeData(source, own.place, own.arena);
  const { sha256 } = await makeManifest(own);
  if (sha256 === manifest.sha256) return;
  throw new LockstepError(
    'LOCKSTEP_DATA',
    `Expected the data in \`${folder}\` to be the run's, with the hash ${shortHash(manifest.sha256)}, got other data, with the hash ${shortHash(sha256)}; copy the coordinator's files there, or join without a data folder.`,
  );
}

/** Opens what `description` says, in `folder`; a named data set that is not there is taken from the package that brings it. */
export function openOwnCopy(description: unknown, folder: string): DataSource {
  const config = parseDescription(description);
  if ('format' in config) {
    const { images, labels, scale, limit } = config;
    const mend = "copy the coordinator's file there, or join without a data folder";
    return idxSource({ images: member(folder, images), labels: member(folder, labels), scale, limit, mend });
  }
  try {
    return openData({ ...config, folder });
  } catch (missing) {
    if (!isLockstepError(missing) || missing.code !== 'LOCKSTEP_FILE') throw missing;
    try {
      return openData(config);
    } catch {
      throw missing;
    }
  }
}

function parseDescription(description: unknown): DataConfig {
  if (typeof description === 'object' && description !== null && 'folder' in description) {
    throw refused('without a folder', description.folder);
  }
  try {
    return parseDataConfig(description, 'the description of the data');
  } catch (cause) {
    throw new LockstepError('LOCKSTEP_PROTOCOL', cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/** The path of a file directly in `folder`. Separators and drives of every system are refused on every system. */
function member(folder: string, name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused.
  if (name === '.' || name === '..' || /[/\\:\u0000-\u001f]/.test(name)) throw refused('with plain names of files', name);
  return join(folder, name);
}

function refused(rule: string, received: unknown): LockstepError {
  return new LockstepError('LOCKSTEP_PROTOCOL', `Expected the coordinator to describe the data ${rule}, got ${show(received)}; only the folder of this host is read.`);
}

function temporaryPlace(spec: DataSpec): StoredData {
  const memory = new MemoryPlan();
  const place = placeData(memory, spec);
  return { arena: Arena.create(memory.bytes), place };
}
