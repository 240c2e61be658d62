/**
 * Room: tests of scripts. A run that fails while somebody watches: its endpoint says so for as long as it is to stay, and the exit code is that of the error.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { writeData } from '../cluster/integration/party.ts';
import { config, program, start } from './command.ts';

test('a run that is halted tells `failed` as long as it lingers', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-linger-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  writeData(folder);
  const path = join(folder, 'run.json');
  writeFileSync(path, JSON.stringify({ ...config, optimizer: { type: 'sgd', learningRate: 1e38 }, epochs: 50 }));
  const running = start(process.execPath, [program, 'train', path, '--metrics', '127.0.0.1:0', '--linger', '60s']);
  t.teardown(() => running.child.kill('SIGKILL'));
  let said = '';
  running.child.stdout!.on('data', (text: string) => {
    said += text;
  });
  await running.says('the page and the metrics stay for 60 s');
  t.regex(said, /^failed: Expected finite losses and gradients, got /m);
  const [url] = /http:\/\/127\.0\.0\.1:\d+\//.exec(said)!;
  const text = await (await fetch(`${url}metrics`)).text();
  t.regex(text, /^lockstep_run_state\{state="failed",.*\} 1$/m);
  t.regex(text, /^lockstep_run_state\{state="running",.*\} 0$/m);
  running.child.kill('SIGINT');
  const { code, stdout, stderr } = await running.end;
  t.notRegex(stdout, /stopping after this step/, 'there are no more steps');
  t.is(code, 1);
  t.regex(stderr, /^lockstep: Expected finite losses and gradients, got /m);
});
