/**
 * Room: tests of scripts. A rank in a call that does not return: its thread cannot be ended, and the process cannot end by itself. The run ends with a sentence all the same,
 * and goes on from its checkpoint to the same bits.
 */
import { dirname, join } from 'node:path';
import test from 'ava';
import { temporaryFolder } from '../data/folder.ts';
import { lockstep, program, start, writeRun } from './command.ts';

const file = temporaryFolder();

test('a run whose rank never returns ends with a sentence, and goes on in another process', async (t) => {
  const config = writeRun(file, { steps: 60 });
  const given = ['train', config, '--shards', '4'];
  const kept = [...given, '--run-dir', join(dirname(config), 'run'), '--checkpoint-every', '10steps', '--resume'];
  const fault = JSON.stringify({ rank: 1, step: 34, phase: 'forward', kind: 'block', times: 1 });
  const held = start(process.execPath, [program, ...kept], { env: { LOCKSTEP_FAULT: fault }, silentInput: true });
  const { code, stderr } = await held.end;
  t.is(code, null);
  t.is(held.child.signalCode, 'SIGKILL');
  t.regex(
    stderr,
    /^lockstep: Rank 1 failed in phase forward.* at step 34: it neither went on nor waited for 10 s and was ended, but a call into the system that does not return holds its thread; go on from a checkpoint with --resume in another process\.\n$/,
  );
  const bits = async (args: readonly string[]): Promise<string | undefined> => /^weights ([0-9a-f]{64})$/m.exec((await lockstep(...args)).stdout)?.[1];
  const expected = await bits(given);
  t.truthy(expected);
  t.is(await bits(kept), expected);
});
