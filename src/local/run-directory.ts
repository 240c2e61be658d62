/**
 * Room: local (level 6). The folder of a run: its name, its checkpoints, and what its epochs came to. What is found there when the run
 * begins says where it goes on. A system that refuses to write there later never ends the run.
 */
import { appendFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Found, newestVerified, type PassedOver } from '../checkpoint/folder.ts';
import { LockstepError } from '../errors.ts';
import type { EpochEvent } from '../telemetry/events.ts';
import type { CheckpointOptions, OpenedDirectory } from './checkpoint-options.ts';

const nameFile = 'run-id';
const historyFile = 'history.jsonl';
const hostsFile = 'hosts.json';
export const checkpointsFolder = 'checkpoints';

export interface RunDirectory extends OpenedDirectory {
  /** What the run goes on from, if it does. */
  readonly found: Found | undefined;
  readonly passedOver: readonly PassedOver[];
  /** Of every epoch that is over, as far as the folder knows. */
  readonly epochs: readonly EpochEvent[];
}

/**
 * Opens or makes the folder. Throws LOCKSTEP_FILE when it cannot be had, LOCKSTEP_USAGE when it holds checkpoints and the run is not to
 * go on, and LOCKSTEP_CHECKPOINT when it is, and none of them verifies.
 */
export async function openRunDirectory({ runDir: path, resume = false, runId }: Pick<CheckpointOptions, 'runDir' | 'resume' | 'runId'>): Promise<RunDirectory> {
  const folder = join(path, checkpointsFolder);
  make(folder, path);
  if (!resume && readdirSync(folder).some((name) => name.startsWith('step-'))) {
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
  const known = resume ? (found?.record.runId ?? readText(join(path, nameFile))) : undefined;
  const directory = {
    path,
    runId: known ?? runId ?? 'run',
    found,
    passedOver,
    resumes: resume,
    epochs: resume ? epochsOf(found, readText(join(path, historyFile))) : [],
    hosts: resume ? hostsOf(readText(join(path, hostsFile))) : [],
  };
  writeFileSync(join(path, nameFile), `${directory.runId}\n`);
  if (!resume) writeFileSync(join(path, historyFile), '');
  return directory;
}

/** Adds an epoch that is over. Throws what the system says. */
export function noteEpoch({ path }: RunDirectory, event: EpochEvent): void {
  appendFileSync(join(path, historyFile), `${JSON.stringify(event)}\n`);
}

/** Says which hosts the run has now, for a coordinator that is started again. Without that it waits for none of them. */
export function noteHosts({ path }: Pick<RunDirectory, 'path'>, names: readonly string[], onNews: (sentence: string) => void): void {
  try {
    writeFileSync(join(path, hostsFile), `${JSON.stringify(names)}\n`);
  } catch (error) {
    onNews(`the run directory could not be written: ${(error as Error).message}`);
  }
}

function make(folder: string, path: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new LockstepError('LOCKSTEP_FILE', `Expected to make the run directory \`${path}\`, but the system refused (${code}); check the path.`, { cause });
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

/** Those of the checkpoint, and those that were over after it: of a run whose hosts were further than its newest checkpoint. */
function epochsOf(found: Found | undefined, history: string | undefined): EpochEvent[] {
  const epochs = [...((found?.record.epochs ?? []) as EpochEvent[])];
  for (const line of (history ?? '').split('\n')) {
    const event = parsed(line) as EpochEvent | undefined;
    if (event?.epoch === epochs.length) epochs.push({ ...event, loss: event.loss ?? Number.NaN });
  }
  return epochs;
}

function hostsOf(text: string | undefined): string[] {
  const names = parsed(text ?? '');
  return Array.isArray(names) ? names.filter((name) => typeof name === 'string') : [];
}

/** Undefined for the torn end of a file whose writer died. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
