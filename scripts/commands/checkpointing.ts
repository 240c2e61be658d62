/**
 * Room: scripts (level 8). Options about checkpoints, and what they come to.
 */
import { Option } from 'commander';
import { LockstepError } from '../../src/errors.ts';
import { type CheckpointOptions, defaultKeep, type OpenedDirectory, parseEvery } from '../../src/local/checkpoint-options.ts';
import { integer } from './options.ts';

export interface CheckpointFlags {
  readonly runDir?: string;
  readonly checkpointEvery?: string;
  readonly keep?: number;
  readonly best?: string;
  readonly resume?: boolean;
  readonly allowMixedNumerics?: boolean;
}

export function checkpointOptions(): Option[] {
  return [
    new Option('--run-dir <dir>', 'folder of the run: its checkpoints go there'),
    new Option('--checkpoint-every <when>', 'such as 500steps, 60s or 1epoch (default: 1epoch; the last step always gets one)'),
    new Option('--keep <n>', `how many of the newest checkpoints stay (default: ${defaultKeep})`).argParser(integer(1)),
    new Option('--best <metric>', 'keep the checkpoint of the best epoch, too: by val_loss, accuracy ...'),
    new Option('--resume', 'go on from the newest checkpoint in --run-dir that verifies, if there is one'),
  ];
}

/** What the flags say; undefined without a run directory. Throws LOCKSTEP_USAGE for flags that mean nothing without one. */
export function checkpointsWith(flags: CheckpointFlags, runId: string, onOpened: (directory: OpenedDirectory) => void): CheckpointOptions | undefined {
  const { runDir, checkpointEvery: every, keep, best, resume, allowMixedNumerics } = flags;
  if (every !== undefined) parseEvery(every, '--checkpoint-every');
  if (runDir !== undefined) return { runDir, every, keep, best, resume, allowMixedNumerics, runId, onOpened };
  const alone = Object.entries({ '--checkpoint-every': every, '--keep': keep, '--best': best, '--resume': resume }).find(([, value]) => value !== undefined);
  if (alone) throw new LockstepError('LOCKSTEP_USAGE', `Expected \`--run-dir\` with \`${alone[0]}\`, got none; say where the checkpoints are.`);
  return undefined;
}
