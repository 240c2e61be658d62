/**
 * Room: tests of checkpoint. File systems that refuse: a full one and one that cannot be written. A small one of memory is mounted for
 * it, where that is allowed.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { newestVerified } from '../../src/checkpoint/folder.ts';
import { CheckpointWriter } from '../../src/checkpoint/writer.ts';
import { requestOf } from './snapshots.ts';

const disk = mkdtempSync(join(tmpdir(), 'lockstep-disk-'));
const run = (...command: string[]): { ok: boolean; reason: string } => {
  const { status, stderr, error } = spawnSync(command[0]!, command.slice(1), { encoding: 'utf8', timeout: 20_000 });
  return { ok: status === 0, reason: error?.message ?? stderr.trim() };
};
const mounted = run('mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk);
test.after.always(() => {
  if (mounted.ok) run('umount', '-l', disk);
  rmSync(disk, { recursive: true });
});

const withDisk: (title: string, implementation: (t: import('ava').ExecutionContext) => Promise<void>) => void = mounted.ok
  ? test.serial
  : (title, implementation) => test.serial.skip(`${title}; NOT TESTED: nothing can be mounted here (${mounted.reason})`, implementation);

const folder = join(disk, 'run', 'checkpoints');
const small = { inputs: 100, keep: 9 };
/** 24 bytes an input: does not fit the disk. */
const large = { inputs: 60_000, keep: 9 };

withDisk('a disk that is full is told, the checkpoint before stays, and with space again the next one is written', async (t) => {
  const writer = new CheckpointWriter(folder);
  await writer.write(requestOf(1, small));
  await t.throwsAsync(writer.write(requestOf(2, large)), {
    code: 'LOCKSTEP_CHECKPOINT',
    message: `Expected to write the checkpoint of step 2 to \`${folder}\`, but the system refused (ENOSPC: no space left on device, write); free some space there.`,
  });
  t.deepEqual(readdirSync(folder).sort(), ['latest', 'step-000000001']);
  const { found, passedOver } = await newestVerified(folder);
  t.deepEqual([found?.step, passedOver.length], [1, 0]);

  const rest = join(disk, 'rest');
  t.throws(() => writeFileSync(rest, new Uint8Array(2 ** 21)), { code: 'ENOSPC' });
  await t.throwsAsync(writer.write(requestOf(1, small)), { code: 'LOCKSTEP_CHECKPOINT', message: /ENOSPC/ });
  t.is((await newestVerified(folder)).found?.step, 1, 'nor is one of the same step lost');
  rmSync(rest);
  t.is((await writer.write(requestOf(3, small))).step, 3);
  await writer.close();
});

withDisk('a file system that cannot be written is told, and when it can be the next one is written', async (t) => {
  const writer = new CheckpointWriter(folder);
  await writer.write(requestOf(4, small));
  t.true(run('mount', '-o', 'remount,ro', disk).ok);
  await t.throwsAsync(writer.write(requestOf(5, small)), {
    code: 'LOCKSTEP_CHECKPOINT',
    message: `Expected to write the checkpoint of step 5 to \`${folder}\`, but the system refused (EROFS: read-only file system, mkdir); make its file system writable.`,
  });
  t.is((await newestVerified(folder)).found?.step, 4);
  t.true(run('mount', '-o', 'remount,rw', disk).ok);
  t.is((await writer.write(requestOf(5, small))).step, 5);
  await writer.close();
});
