/**
 * Room: scripts (level 8). `lockstep checkpoints DIR`: the checkpoints of a run directory, each verified.
 */
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Command } from 'commander';
import { type Listed, listCheckpoints } from '../../src/checkpoint/folder.ts';
import { LockstepError } from '../../src/errors.ts';

export function checkpointsCommand(): Command {
  return new Command('checkpoints')
    .description('list the checkpoints of a run and verify every file of them')
    .argument('<dir>', "the run's directory, or its folder of checkpoints")
    .action(runCheckpoints);
}

async function runCheckpoints(directory: string): Promise<void> {
  const folder = folderOf(directory);
  const checkpoints = await listCheckpoints(folder);
  if (checkpoints.length === 0) throw new LockstepError('LOCKSTEP_CHECKPOINT', `Expected checkpoints in \`${folder}\`, got none; check the path.`);
  process.stdout.write(`${table([header, ...checkpoints.map(row)])}\n`);
  const damaged = checkpoints.filter(({ verified }) => !verified).length;
  if (damaged === 0) return;
  const message = `Expected all checkpoints to be whole, got ${damaged} of ${checkpoints.length} damaged; a run that goes on passes them over, so they can be deleted.`;
  throw new LockstepError('LOCKSTEP_CHECKPOINT', message);
}

/** `DIR/checkpoints` if there is one, else DIR itself. */
function folderOf(directory: string): string {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new LockstepError('LOCKSTEP_FILE', `Expected a run's directory at \`${directory}\`, but it cannot be read (${code}); check the path.`, { cause });
  }
  return names.includes('checkpoints') ? join(directory, 'checkpoints') : directory;
}

const header = ['step', 'epoch', 'written', 'size', 'metric', '', 'state'];

function row(checkpoint: Listed): string[] {
  const { folder, step, record, bytes, writtenAtMs, latest, best } = checkpoint;
  const marks = [...(latest ? ['latest'] : []), ...(best ? ['best'] : [])].join(' ');
  const named = basename(folder).endsWith('.old') ? ' (set aside)' : '';
  return [
    `${step}${named}`,
    record ? `${record.epoch + 1}` : '?',
    new Date(writtenAtMs).toISOString().replace(/\.\d+Z$/, 'Z'),
    `${(bytes / 1e6).toFixed(bytes < 1e7 ? 3 : 1)} MB`,
    record?.metric ? `${record.metric.name} ${record.metric.value.toPrecision(5)}` : '',
    marks,
    checkpoint.verified ? 'ok' : `damaged: ${checkpoint.reason}`,
  ];
}

/** Columns two spaces apart. */
function table(rows: readonly string[][]): string {
  const widths = header.map((_, column) => Math.max(...rows.map((cells) => cells[column]!.length)));
  return rows
    .map((cells) =>
      cells
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
