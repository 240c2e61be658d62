/**
 * Room: tests of checkpoint. A process that writes is killed at any moment (SIGKILL): what it said to be written is there, whole, and
 * nothing that is half written has a name that says otherwise.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { listCheckpoints, newestVerified, readCheckpointTensors } from '../../src/checkpoint/folder.ts';
import { ownerOf } from '../../src/checkpoint/names.ts';
import { CheckpointWriter } from '../../src/checkpoint/writer.ts';
import { numbers, within } from '../toy.ts';
import { newFolder, requestOf, tensorOf } from './snapshots.ts';

const program = fileURLToPath(new URL('./writing-process.js', import.meta.url));
const kills = 20;
const deadlineMs = 60_000;

/** Kills the process `afterMs` milliseconds after it has said `lines` lines; resolves to the last step that it said. */
async function killed(child: ChildProcess, lines: number, afterMs: number): Promise<number> {
  let [said, step] = [0, 0];
  for await (const line of createInterface({ input: child.stdout! })) {
    step = Number(line);
    if (++said === lines) setTimeout(() => child.kill('SIGKILL'), afterMs);
  }
  return step;
}

test(`a process killed ${kills} times while it writes always leaves a checkpoint that verifies`, async (t) => {
  const folder = newFolder(t);
  const moments = numbers(2 * kills, 5).map((value) => (value + 1) / 2);
  let [newest, interrupted] = [0, 0];
  for (let kill = 0; kill < kills; kill++) {
    const inputs = [100, 10_000, 100_000][kill % 3]!;
    const child = spawn(process.execPath, [program, folder, String(inputs)], { stdio: ['ignore', 'pipe', 'inherit'], timeout: deadlineMs, killSignal: 'SIGKILL' });
    const ended = once(child, 'exit');
    const said = await within(deadlineMs, 'lines of the writing process', killed(child, 1 + Math.floor(3 * moments[2 * kill]!), 30 * moments[2 * kill + 1]!));
    t.deepEqual(await ended, [null, 'SIGKILL']);
    t.true(said >= newest, `step ${said} after ${newest}`);
    newest = said;
    interrupted += Number(readdirSync(folder).some((name) => ownerOf(name)));

    const { found, passedOver } = await newestVerified(folder);
    t.deepEqual(passedOver, []);
    t.true(found!.step === newest || found!.step === newest + 1, `step ${found!.step}, and ${newest} was said to be written`);
    const request = requestOf(found!.step, { inputs });
    t.deepEqual(readCheckpointTensors(found!, 'weights.safetensors').get('dense/kernel')?.data, tensorOf(request, 'dense/kernel'));
    t.true((await listCheckpoints(folder)).every(({ verified }) => verified));
    // A link to a step that is just taking the place of another leads nowhere until the next write.
    if (!found!.folder.endsWith('.old')) for (const link of ['latest', 'best']) t.true(existsSync(join(folder, link)), link);
  }
  t.log(`${interrupted} of ${kills} kills left something half written`);
  t.true(interrupted > 0);

  const writer = new CheckpointWriter(folder);
  await writer.write(requestOf(newest + 2));
  await writer.close();
  t.deepEqual(
    readdirSync(folder).filter((name) => ownerOf(name)),
    [],
    'and the next write clears it away',
  );
});
