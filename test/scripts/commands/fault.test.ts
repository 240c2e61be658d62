/**
 * Room: tests of scripts. LOCKSTEP_FAULT: a rank fails where it says, and what cannot be understood is told before anything begins.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { program, type Result, start, writeRun } from '../command.ts';

async function trainWith(t: ExecutionContext, fault: string, ...args: string[]): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-fault-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const config = writeRun((name, bytes) => {
    writeFileSync(join(folder, name), bytes);
    return join(folder, name);
  });
  return await start('env', [`LOCKSTEP_FAULT=${fault}`, process.execPath, program, 'train', config, '--steps', '8', ...args]).end;
}

test('a rank fails at the step and in the phase that were asked for', async (t) => {
  const fault = { rank: 1, step: 5, phase: 'backward', kind: 'throw', times: 1 };
  const { code, stdout, stderr } = await trainWith(t, JSON.stringify(fault));
  t.is(code, 0, stderr);
  t.regex(stdout, /^Rank 1 failed in phase backward.* at step 5: .*; it was started again and its step is replayed$/m);
});

test('a process that is to be killed at a phase is', async (t) => {
  const fault = { rank: 0, step: 5, phase: 'commit', kind: 'kill' };
  const { code, stdout } = await trainWith(t, JSON.stringify(fault));
  t.is(code, null);
  t.notRegex(stdout, /done/);
});

test('an empty one is none', async (t) => {
  const { code, stdout } = await trainWith(t, '');
  t.is(code, 0);
  t.notRegex(stdout, /failed/);
});

for (const [fault, sentence] of [
  ['{"rank":', 'LOCKSTEP_FAULT to be a JSON object of `rank`, `step`, `phase`, `kind` and, if wanted, `times`, got `"{\\"rank\\":"`'],
  ['[]', 'LOCKSTEP_FAULT to be a JSON object of `rank`, `step`, `phase`, `kind` and, if wanted, `times`, got `"[]"`'],
  ['{"rank":0,"step":-1,"phase":"commit","kind":"kill"}', '`step` of LOCKSTEP_FAULT to be an integer >= 0, got '],
  ['{"rank":0,"step":1,"phase":"decide","kind":"kill"}', '`phase` of LOCKSTEP_FAULT to be one of data, forward, '],
  ['{"rank":0,"step":1,"phase":"clip"}', '`kind` of LOCKSTEP_FAULT to be one of throw, exit, memory, hang, block, kill, got '],
  ['{"rank":0,"step":1,"phase":"clip","kind":"kill","size":1}', 'LOCKSTEP_FAULT to be a JSON object of '],
] as const) {
  test(`a fault that nobody understands is told: ${fault}`, async (t) => {
    const { code, stdout, stderr } = await trainWith(t, fault);
    t.is(code, 2);
    t.is(stdout, '');
    t.true(stderr.startsWith(`lockstep: Expected ${sentence}`), stderr);
    t.regex(stderr, /; mend it or unset it\.\n$/);
  });
}
