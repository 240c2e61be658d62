/**
 * Room: tests of checkpoint. A checkpoint takes its place whatever has its name already, or says what was in its way.
 */
import { mkdirSync, readdirSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { newestVerified } from '../../src/checkpoint/folder.ts';
import { writeCheckpoint } from '../../src/checkpoint/publish.ts';
import { newFolder, requestOf } from './snapshots.ts';

let serial = 0;
const write = async (folder: string, step: number, runId = 'first') =>
  await writeCheckpoint({ request: requestOf(step, { runId }), folder, serial: serial++, leftovers: [] });

async function isWhole(t: ExecutionContext, folder: string, runId: string): Promise<void> {
  t.deepEqual(readdirSync(folder).sort(), ['latest', 'step-000000010']);
  t.is((await newestVerified(folder)).found?.record.runId, runId);
}

test('a step that was set aside by a process that died is replaced', async (t) => {
  const folder = newFolder(t);
  await write(folder, 10);
  renameSync(join(folder, 'step-000000010'), join(folder, 'step-000000010.old'));
  await write(folder, 10, 'second');
  await isWhole(t, folder, 'second');
});

test('a step that is there twice, whole and damaged, is replaced by one', async (t) => {
  const folder = newFolder(t);
  await write(folder, 10);
  renameSync(join(folder, 'step-000000010'), join(folder, 'step-000000010.old'));
  mkdirSync(join(folder, 'step-000000010'));
  await write(folder, 10, 'second');
  await isWhole(t, folder, 'second');
});

test('a damaged checkpoint of the step, or a file of its name, is replaced', async (t) => {
  const folder = newFolder(t);
  await write(folder, 10);
  truncateSync(join(folder, 'step-000000010', 'run.json'), 9);
  await write(folder, 10, 'second');
  await isWhole(t, folder, 'second');
  const other = newFolder(t);
  mkdirSync(other, { recursive: true });
  writeFileSync(join(other, 'step-000000010'), 'a file');
  await write(other, 10, 'third');
  await isWhole(t, other, 'third');
});

test('what a process of the same number left under the name of this write is no obstacle', async (t) => {
  const folder = newFolder(t);
  mkdirSync(join(folder, `.step-000000010.${process.pid}-${serial}.tmp`, 'deep'), { recursive: true });
  await write(folder, 10, 'first');
  await isWhole(t, folder, 'first');
});

test('a folder that vanishes in the middle of a write is told, and made again by the next', async (t) => {
  const folder = newFolder(t);
  const run = dirname(folder);
  const request = requestOf(10);
  const { weights, optimizer } = request.layout;
  const layout = {
    weights,
    get optimizer() {
      renameSync(run, `${run}-elsewhere`);
      return optimizer;
    },
  };
  await t.throwsAsync(writeCheckpoint({ request: { ...request, layout }, folder, serial: serial++, leftovers: [] }), {
    code: 'LOCKSTEP_CHECKPOINT',
    message: `Expected to write the checkpoint of step 10 to \`${folder}\`, but the system refused (ENOENT: no such file or directory, open); the folder was removed meanwhile: leave it in place.`,
  });
  t.deepEqual(await newestVerified(join(`${run}-elsewhere`, 'checkpoints')), { passedOver: [] });
  await write(folder, 10);
  await isWhole(t, folder, 'first');
});
