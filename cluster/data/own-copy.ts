/**
 * Room: cluster (level 7), data. A host's own copy of a run's data, in a folder that its user named. The coordinator describes
 * the data without a path; the host reads files of that folder, or of an installed package, and nothing else. It promises that an
 * own copy is taken only when it has the run's hash, and that it never looks where a message, rather than its user, says.
 */
import { basename, join } from 'node:path';
import { show } from '../../src/check.ts';
import { type FileConfig, withPaths } from '../../src/config/data.ts';
import { parseDataDescription } from '../../src/config/parse.ts';
import { field } from '../../src/config/rules.ts';
import type { DataDescription } from '../../src/config/run.ts';
import { openData } from '../../src/data/datasets.ts';
import { openSets, type Sets } from '../../src/data/sets.ts';
import type { DataSource, Texts } from '../../src/data/source.ts';
import { isLockstepError, LockstepError } from '../../src/errors.ts';
import { dataSpec, storeData } from '../../src/local/session.ts';
import { asTargets } from '../../src/local/targets.ts';
import { Arena } from '../../src/memory/arena.ts';
import { MemoryPlan } from '../../src/memory/plan.ts';
import { type DataSpec, placeData } from '../../src/model/data-place.ts';
import { type Manifest, makeManifest, type StoredData, sameSpec, shortHash } from './manifest.ts';

type SetConfig = DataDescription['train'];

const mend = "copy the coordinator's file there, or join without a data folder";

/** The data of a run as hosts are told them: names of files and folders in the place of paths, and no folder of a named data set. */
export function describeData({ train, validation, ...preparation }: DataDescription): DataDescription {
  return { ...preparation, train: withoutPlace(train), ...(validation && { validation: withoutPlace(validation) }) };
}

function withoutPlace(config: SetConfig): SetConfig {
  if ('format' in config) return withPaths(config, (path) => basename(path));
  const { folder: _, ...rest } = config;
  // A place of its own is filled in again where the description is read.
  return rest as SetConfig;
}

export interface OwnCopy {
  /** The folder that the user of this host named. */
  readonly folder: string;
  /** The set as `openOwnCopy` found it there. */
  readonly source: DataSource;
  readonly manifest: Manifest;
  /** Where the data are to be. */
  readonly data: StoredData;
}

/** Loads a set of the host's own copy. Throws LOCKSTEP_DATA when it is not the data of the run. */
export async function loadOwnCopy({ folder, source: opened, manifest, data }: OwnCopy): Promise<void> {
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

/**
 * Opens what `description` says, in `folder`, and prepares it as the coordinator did; a named data set that is not there is taken from
 * the package that brings it. Nothing is known of the description. Throws LOCKSTEP_FILE when a file is not there, LOCKSTEP_DATA when it
 * is malformed, LOCKSTEP_PROTOCOL when the description is none or names anything outside the folder.
 */
export async function openOwnCopy(description: unknown, folder: string): Promise<Sets> {
  const { train, validation, ...preparation } = parseDescription(description);
  return await openSets({ train, ...(validation && { validation }) }, preparation, (config: SetConfig, _place, texts) => openSet(config, folder, texts));
}

async function openSet(config: SetConfig, folder: string, texts: Texts | undefined): Promise<DataSource> {
  if ('format' in config)
    return await openData(
      withPaths<FileConfig>(config, (name) => member(folder, name)),
      { texts, mend },
    );
  try {
    return await openData({ ...config, folder });
  } catch (missing) {
    if (!isLockstepError(missing) || missing.code !== 'LOCKSTEP_FILE') throw missing;
    try {
      return await openData(config);
    } catch {
      throw missing;
    }
  }
}

function parseDescription(description: unknown): DataDescription {
  for (const set of ['train', 'validation']) {
    const config = field(description, set);
    if (typeof config === 'object' && config !== null && 'dataset' in config && 'folder' in config) throw refused('without a folder', config.folder);
  }
  try {
    return parseDataDescription(description, 'the description of the data');
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
