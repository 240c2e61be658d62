/**
 * Room: checkpoint (level 3). What is done around a checkpoint that was just written: the links `latest` and `best`, which of the old
 * ones go, and what dead processes left behind. Nothing here undoes a write: what fails is told in a sentence.
 */
import { readdir, rename, rm, symlink, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect, type StepFolder, stepFolders, systemCode } from './inspect.ts';
import { folderOfStep, type LinkName, ownerOf, prunedName, temporaryName } from './names.ts';
import type { CheckpointRecord } from './record.ts';
import type { WriteRequest } from './request.ts';

/** A checkpoint of which the record can be read and the files are as long as they must be. */
export interface Candidate extends StepFolder {
  readonly metric?: CheckpointRecord['metric'];
}

/** Sets the links and removes what need not stay. Returns what went wrong, if anything. */
export async function keepHouse(folder: string, { record, keep, best }: Pick<WriteRequest, 'record' | 'keep' | 'best'>, serial: number): Promise<string | undefined> {
  const troubles: string[] = [];
  const attempt = async (what: string, act: () => Promise<void>): Promise<void> =>
    await act().catch((error: unknown) => {
      troubles.push(`${what} (${systemCode(error)})`);
    });
  const written: StepFolder = { step: record.step, name: folderOfStep(record.step) };
  await attempt('set the link `latest`', async () => await link(folder, 'latest', written.name, serial));
  await attempt('prune old checkpoints', async () => {
    const entries = await stepFolders(folder);
    const candidates = await readable(folder, entries);
    const champion = best && bestOf(candidates, best);
    if (champion) await attempt('set the link `best`', async () => await link(folder, 'best', champion.name, serial));
    for (const { name } of outdated(entries, candidates, written, keep, champion)) {
      await attempt(`remove \`${name}\``, async () => await remove(folder, name, serial));
    }
    await removeDangling(folder, 'best');
  });
  if (troubles.length === 0) return undefined;
  return `Expected to keep the checkpoints of \`${folder}\` in order, but could not ${troubles.join(', ')}; check that folder.`;
}

/** One of each step: not the one that was set aside for it, unless the other cannot be read. */
async function readable(folder: string, entries: readonly StepFolder[]): Promise<Candidate[]> {
  const candidates: Candidate[] = [];
  for (const entry of entries) {
    if (candidates.at(-1)?.step === entry.step) continue;
    const { record, reason } = await inspect(folder, entry);
    if (reason === undefined) candidates.push({ ...entry, ...(record.metric && { metric: record.metric }) });
  }
  return candidates;
}

/** The best by the metric that the newest judged one has; of equals the first that was reached. `candidates` are newest first. */
export function bestOf(candidates: readonly Candidate[], which: 'lowest' | 'highest'): Candidate | undefined {
  const metric = candidates.find((candidate) => candidate.metric)?.metric?.name;
  const sign = which === 'lowest' ? 1 : -1;
  let champion: Candidate | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const value = candidate.metric?.name === metric ? sign * (candidate.metric?.value ?? Number.NaN) : Number.NaN;
    if (value <= least && Number.isFinite(value)) [champion, least] = [candidate, value];
  }
  return champion;
}

/**
 * What goes when `written` has come: everything older than the last `keep`, and what was set aside. Those of later steps are of
 * another way to go, which the run has left because they are damaged, or because somebody chose so: they neither go nor count.
 * Damaged ones do not count either, so that `keep` whole ones stay. `written` itself is known to be whole, so one always is left.
 */
export function outdated(
  entries: readonly StepFolder[],
  candidates: readonly StepFolder[],
  written: StepFolder,
  keep: number,
  champion: StepFolder | undefined,
): readonly StepFolder[] {
  const older = candidates.filter(({ step }) => step < written.step);
  const oldest = keep > 1 ? older[keep - 2] : written;
  return entries.filter(({ step, name }) => {
    if (name === written.name || name === champion?.name || step > written.step) return false;
    const isReplaced = candidates.some((other) => other.step === step && other.name !== name);
    return isReplaced || (oldest !== undefined && step < oldest.step);
  });
}

/** Under another name first: a checkpoint that is removed half way must not look like one. */
async function remove(folder: string, name: string, serial: number): Promise<void> {
  const pruned = join(folder, prunedName(name, serial));
  await rename(join(folder, name), pruned);
  await rm(pruned, { recursive: true, force: true });
}

/** Lets a relative link lead to `target`, in one step where the system can. */
async function link(folder: string, name: LinkName, target: string, serial: number): Promise<void> {
  const temporary = join(folder, temporaryName(name, serial));
  try {
    // Windows has links of this type for everybody; other systems ignore it.
    await symlink(target, temporary, 'junction');
    await rename(temporary, join(folder, name)).catch(async () => {
      await unlink(join(folder, name));
      await rename(temporary, join(folder, name));
    });
  } catch (error) {
    await rm(temporary, { force: true, recursive: true });
    throw error;
  }
}

/** A link that leads nowhere says nothing; one to a checkpoint that was the best by another policy stays as long as that does. */
async function removeDangling(folder: string, name: LinkName): Promise<void> {
  const names = await readdir(join(folder, name)).catch((error: unknown) => systemCode(error));
  if (names === 'ENOENT') await rm(join(folder, name), { force: true });
}

/**
 * Temporary things of processes that are dead, and of this one's number that no write under way made: the process of before may have
 * had the same, in a container it always has. Asked in the main thread, which knows its writes, after the folder was read.
 */
export async function leftoversIn(folder: string, underWay: ReadonlySet<number>): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => {
    const owner = ownerOf(name);
    return owner && (owner.pid === process.pid ? !underWay.has(owner.serial) : !isAlive(owner.pid));
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) !== 'ESRCH';
  }
}
