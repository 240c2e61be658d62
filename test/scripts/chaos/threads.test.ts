/**
 * Room: tests of scripts. What is told of a process that does not go on: a thread that computes without end is told from those that wait.
 */
import { existsSync } from 'node:fs';
import test from 'ava';
import { threadsOf } from '../../../scripts/chaos/threads.ts';
import { start } from '../command.ts';

test('a thread without end and a main thread that waits are told', async (t) => {
  if (!existsSync('/proc/self/task')) {
    t.log('SKIPPED: this system has no /proc');
    t.pass();
    return;
  }
  const code = "new (require('node:worker_threads').Worker)(\"console.log('spins'); setTimeout(() => { for (;;); })\", { eval: true }); console.log('began');";
  const running = start(process.execPath, ['-e', code]);
  await running.says('spins');
  const lines = await threadsOf(running.child.pid!);
  running.child.kill('SIGKILL');
  await running.end;
  t.regex(lines[0]!, new RegExp(`^thread ${running.child.pid} \\(.+\\): state S, system call .+, \\d ticks in a second$`));
  t.true(
    lines.some((line) => /state R, .*, [1-9]\d+ ticks/.test(line)),
    lines.join('\n'),
  );
  t.deepEqual(await threadsOf(2 ** 22 + 1), []);
});
