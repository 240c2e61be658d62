/**
 * Room: local (level 6). The folder of a run: its name, its checkpoints, and what its epochs came to. What is found there when the run
 * begins says where it goes on. A system that refuses to write there later never ends the run.
 */
import { appendFileSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Found, newestVerified, type PassedOver } from '../checkpoint/folder.ts';
import { LockstepError } from '../errors.ts';
import type { EpochEvent } from '../telemetry/events.ts';
import type { CheckpointOptions, OpenedDirectory } from './checkpoint-options.ts';

const runFile = 'run.json';
const historyFile = 'history.jsonl';
export const checkpointsFolder = 'checkpoints';

export interface RunDirectory extends OpenedDirectory {
  /** What the run goes on from, if it does. */
  readonly found: Found | undefined;
  readonly passedOver: readonly PassedOver[];
  /** Of every epoch that is over, as far as the folder knows. */
  readonly epochs: readonly EpochEvent[];
}

/** What a folder says of its run beside checkpoints, for a process that is started again before the first one. */
interface RunNote {
  readonly runId: string;
  readonly shards?: number | undefined;
  readonly hosts: readonly string[];
}

/**
 * Opens or makes the folder. Throws LOCKSTEP_FILE when it cannot be had, LOCKSTEP_USAGE when it holds checkpoints and the run is not to
 * go on, and LOCKSTEP_CHECKPOINT when it is, and none of them verifies.
 */
export async function openRunDirectory({ runDir: path, resume = false, runId }: Pick<CheckpointOptions, 'runDir' | 'resume' | 'runId'>): Promise<RunDirectory> {
  const folder = join(path, checkpointsFolder);
  const names = demand(path, () => {
    mkdirSync(folder, { recursive: true });
    return readdirSync(folder);
  });
  if (!resume && names.some((name) => name.startsWith('step-'))) {
    throw new LockstepError(
      'LOCKSTEP_USAGE',
      `Expected a run directory without checkpoints, got \`${path}\`, which has some; go on from them with --resume, or take another one.`,
    );
  }
  const { found, passedOver } = resume ? await newestVerified(folder) : { passedOver: [] };
  if (resume && !found && passedOver.length > 0) {
    const reasons = passedOver.map(({ folder: name, reason }) => `${name}: ${reason}`).join('; ');
    throw new LockstepError(
      'LOCKSTEP_CHECKPOINT',
      `Expected a checkpoint in \`${folder}\` that verifies, got only damaged ones (${reasons}); restore one, or take another run directory.`,
    );
  }
  const note = resume ? noteOf(readText(join(path, runFile))) : undefined;
  const directory = {
    path,
    runId: found?.record.runId ?? note?.runId ?? runId ?? 'run',
    shards: found?.record.shards ?? note?.shards,
    found,
    passedOver,
    resumes: resume,
    epochs: resume ? epochsOf(found, readText(join(path, historyFile))) : [],
    hosts: note?.hosts ?? [],
  };
  demand(path, () => {
    writeNote(path, directory);
    if (!resume) writeFileSync(join(path, historyFile), '');
  });
  return directory;
}

/** Adds an epoch that is over. Throws what the system says. */
export function noteEpoch({ path }: OpenedDirectory, event: EpochEvent): void {
  appendFileSync(join(path, historyFile), `${JSON.stringify(event)}\n`);
}

/**
 * Says how many shards the run has, and which hosts beside this one, for a process that is started again. Without that it takes as many
 * shards as there are workers then, and waits for no host.
 */
export function noteRun(
  { path, runId }: OpenedDirectory,
  note: { readonly shards: number; readonly hosts: readonly string[] },
  onNews: (sentence: string) => void,
): void {
  try {
    writeNote(path, { runId, ...note });
  } catch (error) {
    onNews(`the run directory could not be written: ${(error as Error).message}`);
  }
}

/** Whoever reads finds the old note or the new one. */
function writeNote(path: string, { runId, shards, hosts }: RunNote): void {
  const file = join(path, runFile);
  writeFileSync(`${file}.new`, `${JSON.stringify({ runId, shards, hosts })}\n`);
  renameSync(`${file}.new`, file);
}

function demand<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new LockstepError('LOCKSTEP_FILE', `Expected to read and write the run directory \`${path}\`, but the system refused (${code}); check the path.`, { cause });
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    // It was not written yet.
    return undefined;
  }
}

/**
 * Those of the checkpoint, and those that were over after it: of a run whose hosts were further than its newest checkpoint. An epoch that
 * came again stands there twice, last as it counts.
 */
function epochsOf(found: Found | undefined, history: string | undefined): EpochEvent[] {
  const epochs = [...((found?.record.epochs ?? []) as EpochEvent[])];
  const later = new Map<number, EpochEvent>();
  for (const line of (history ?? '').split('\n')) {
    const event = parsed(line) as EpochEvent | undefined;
    if (event?.epoch !== undefined) later.set(event.epoch, { ...event, loss: event.loss ?? Number.NaN });
  }
  for (let event = later.get(epochs.length); event; event = later.get(epochs.length)) epochs.push(event);
  return epochs;
}

function noteOf(text: string | undefined): RunNote | undefined {
  const { runId, shards, hosts } = (parsed(text ?? '') ?? {}) as Partial<Record<keyof RunNote, unknown>>;
  if (typeof runId !== 'string' || !Array.isArray(hosts)) return undefined;
  return { runId, hosts: hosts.filter((name) => typeof name === 'string'), ...(Number.isSafeInteger(shards) && { shards: shards as number }) };
}

/** Undefined for the torn end of a file whose writer died. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
