/**
 * Room: tests of scripts. `lockstep checkpoints`: what it says of whole and damaged ones, and what it exits with.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'ava';
import { CheckpointWriter } from '../../src/checkpoint/writer.ts';
import { newFolder, requestOf } from '../checkpoint/snapshots.ts';
import { lockstep } from './command.ts';

/** The rows of the table, each as its cells. */
const cellsOf = (stdout: string): string[][] =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/));

test('checkpoints are listed newest first with what they are; a damaged one is named and the exit code tells', async (t) => {
  const folder = newFolder(t);
  const run = dirname(folder);
  const writer = new CheckpointWriter(folder);
  for (const [step, value] of [
    [100, 0.5],
    [200, 0.25],
    [300, Number.NaN],
  ] as const)
    await writer.write({ ...requestOf(step, { metric: { name: 'val_loss', value } }), best: 'lowest' });
  await writer.close();

  const whole = await lockstep('checkpoints', run);
  t.deepEqual([whole.code, whole.stderr], [0, '']);
  const [header, ...rows] = cellsOf(whole.stdout);
  t.deepEqual(header, ['step', 'epoch', 'written', 'size', 'metric', 'state']);
  t.deepEqual(
    rows.map((cells) => cells.toSpliced(2, 1)),
    [
      ['300', '3', '0.002 MB', 'val_loss NaN', 'latest', 'ok'],
      ['200', '3', '0.002 MB', 'val_loss 0.25000', 'best', 'ok'],
      ['100', '3', '0.002 MB', 'val_loss 0.50000', 'ok'],
    ],
  );
  for (const [, , written] of rows) t.regex(written!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);

  const path = join(folder, 'step-000000200', 'weights.safetensors');
  const bytes = readFileSync(path);
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(path, bytes);
  mkdirSync(join(folder, 'step-000000050'));
  for (const directory of [run, folder]) {
    const { code, stdout, stderr } = await lockstep('checkpoints', directory);
    t.is(code, 1);
    t.is(stderr, 'lockstep: Expected all checkpoints to be whole, got 2 of 4 damaged; a run that goes on passes them over, so they can be deleted.\n');
    const states = cellsOf(stdout).map((cells) => cells.at(-1)!);
    t.regex(states[2]!, /^damaged: weights\.safetensors: expected SHA-256 [0-9a-f]{64}, got [0-9a-f]{64}$/);
    t.deepEqual([states[1], states[3], states[4]], ['ok', 'ok', 'damaged: run.json: expected a file, got none']);
  }
});

test('a directory without checkpoints is told', async (t) => {
  const folder = newFolder(t);
  const run = dirname(folder);
  const missing = await lockstep('checkpoints', run);
  t.is(missing.code, 2);
  t.is(missing.stderr, `lockstep: Expected a run's directory at \`${run}\`, but it cannot be read (ENOENT); check the path.\n`);
  mkdirSync(folder, { recursive: true });
  const empty = await lockstep('checkpoints', run);
  t.is(empty.code, 1);
  t.is(empty.stderr, `lockstep: Expected checkpoints in \`${folder}\`, got none; check the path.\n`);
});
