/**
 * Room: local (level 6). What a run is told about checkpoints, and what its words mean.
 */
import { show } from '../check.ts';
import { checkKeys } from '../config/sentences.ts';
import { LockstepError } from '../errors.ts';

export interface CheckpointOptions {
  /** The run directory: its folder `checkpoints` has them. Made when it is not there. */
  readonly runDir: string;
  /** `500steps`, `60s` or `1epoch`; default `1epoch`. The last step of a run always gets one. */
  readonly every?: string | undefined;
  /** How many of the newest stay; default 3. */
  readonly keep?: number | undefined;
  /** A number of the history, such as `val_loss` or `accuracy`: the checkpoint of the epoch that was best by it stays, too. */
  readonly best?: string | undefined;
  /** Goes on from the newest checkpoint that verifies; without any the run begins. Without `resume` there must be none. */
  readonly resume?: boolean | undefined;
  /** What the run is called; one that goes on keeps its name. */
  readonly runId?: string | undefined;
  /** Told what was found in the run directory. @internal */
  readonly onOpened?: ((directory: OpenedDirectory) => void) | undefined;
  /** Goes on although this machine's kernels make other bits than those of the checkpoint. */
  readonly allowMixedNumerics?: boolean | undefined;
}

/** A run directory, as others than checkpoints need it. */
export interface OpenedDirectory {
  readonly path: string;
  readonly runId: string;
  /** True when a run that was begun before may go on. */
  readonly resumes: boolean;
  /** Of a run that goes on, where that is known. */
  readonly shards: number | undefined;
  /** The hosts of the last generation of a run that goes on; none for a machine alone. */
  readonly hosts: readonly string[];
}

/** When a checkpoint is due. */
export interface Every {
  readonly count: number;
  readonly unit: 'steps' | 'seconds' | 'epochs';
}

export const defaultEvery: Every = { count: 1, unit: 'epochs' };
export const defaultKeep = 3;

const units = { steps: 'steps', step: 'steps', s: 'seconds', epoch: 'epochs', epochs: 'epochs' } as const;

/** The meaning of `500steps`, `60s` and `1epoch`. Throws LOCKSTEP_USAGE; `place` is what the message calls it. */
export function parseEvery(text: unknown, place: string): Every {
  const match = /^(\d{1,9})(steps?|s|epochs?)$/.exec(typeof text === 'string' ? text : '');
  const count = Number(match?.[1]);
  if (match && count >= 1) return { count, unit: units[match[2] as keyof typeof units] };
  throw new LockstepError('LOCKSTEP_USAGE', `Expected \`${place}\` to be like 500steps, 60s or 1epoch, got ${show(text)}; give a number >= 1 and a unit.`);
}

const keys: readonly (keyof CheckpointOptions)[] = ['runDir', 'every', 'keep', 'best', 'resume', 'runId', 'onOpened', 'allowMixedNumerics'];

/** Throws LOCKSTEP_USAGE for what has the wrong form, and LOCKSTEP_CONFIG for unknown keys. */
export function checkCheckpointOptions(options: CheckpointOptions): void {
  if (typeof options !== 'object' || options === null)
    throw new LockstepError('LOCKSTEP_USAGE', `Expected \`options.checkpoints\` to be an object with \`runDir\`, got ${show(options)}; change it.`);
  checkKeys(options as unknown as Record<string, unknown>, keys, 'options.checkpoints');
  const { runDir, every, keep, best } = options;
  if (typeof runDir !== 'string' || runDir === '') refuse('runDir', 'the path of a folder', runDir);
  if (every !== undefined) parseEvery(every, 'options.checkpoints.every');
  if (keep !== undefined && !(Number.isSafeInteger(keep) && keep >= 1)) refuse('keep', 'an integer >= 1', keep);
  if (best !== undefined && typeof best !== 'string') refuse('best', 'the name of a number of the history, like `val_loss`', best);
}

function refuse(key: string, rule: string, value: unknown): never {
  throw new LockstepError('LOCKSTEP_USAGE', `Expected \`options.checkpoints.${key}\` to be ${rule}, got ${show(value)}; change it.`);
}
