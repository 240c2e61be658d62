/**
 * Room: tests of scripts. `lockstep train --run-dir` killed with SIGKILL again and again, and started again with --resume: the last one ends
 * with the bits of a run that nobody killed, and its log says every step once.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { writeData } from '../cluster/integration/party.ts';
import { config, lockstep, program, start } from './command.ts';

interface Logged {
  readonly event: string;
  readonly step?: number;
  readonly epoch?: number;
  readonly weightsSha256?: string;
}

function eventsOf(path: string): Logged[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as Logged);
}

test('killed five times and resumed: the same bits, and a log without gaps or repetitions', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-killed-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  writeData(folder);
  const path = join(folder, 'run.json');
  writeFileSync(path, JSON.stringify({ ...config, epochs: undefined, steps: 30_000 }));
  const [log, reference] = [join(folder, 'log.jsonl'), join(folder, 'reference.jsonl')];
  const given = ['train', path, '--shards', '2', '--run-dir', join(folder, 'run'), '--checkpoint-every', '100steps', '--resume', '--log', log];
  for (let kill = 1; kill <= 5; kill++) {
    const running = start(process.execPath, [program, ...given, '--workers', String(1 + (kill % 2)), '--metrics', 'off']);
    // Some checkpoints later, whatever the machine's pace.
    const before = kill * 1000;
    await t.notThrowsAsync(
      (async () => {
        const deadline = performance.now() + 60_000;
        while (Math.max(0, ...stepsIn(join(folder, 'run'))) < before) {
          if (performance.now() > deadline) throw new Error(`no checkpoint after step ${before}`);
          await new Promise((resolve) => setImmediate(resolve));
        }
      })(),
    );
    running.child.kill('SIGKILL');
    await running.end;
  }
  t.is((await lockstep(...given, '--workers', '2')).code, 0);
  t.is((await lockstep('train', path, '--shards', '2', '--log', reference)).code, 0);
  const [events, expected] = [eventsOf(log), eventsOf(reference)];
  t.is(events.at(-1)!.weightsSha256, expected.at(-1)!.weightsSha256);
  const told = (list: readonly Logged[]): string[] =>
    list.filter(({ event }) => event === 'step' || event === 'epoch').map(({ event, step, epoch }) => `${event} ${step ?? epoch}`);
  t.deepEqual(told(events), told(expected));
  const listed = await lockstep('checkpoints', join(folder, 'run'));
  t.is(listed.code, 0, listed.stdout);
});

function stepsIn(runDir: string): number[] {
  try {
    return readdirSync(join(runDir, 'checkpoints'))
      .filter((name) => /^step-\d+$/.test(name))
      .map((name) => Number(name.slice(5)));
  } catch {
    return [];
  }
}

test('a directory that holds a run is refused without --resume, and what needs a directory is refused without one', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-killed-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  writeData(folder);
  const path = join(folder, 'run.json');
  writeFileSync(path, JSON.stringify({ ...config, steps: 3 }));
  const runDir = join(folder, 'run');
  t.is((await lockstep('train', path, '--run-dir', runDir)).code, 0);
  const again = await lockstep('train', path, '--run-dir', runDir);
  t.is(again.code, 2);
  t.regex(again.stderr, /^lockstep: Expected a run directory without checkpoints, got .*; go on from them with --resume, or take another one\.\n$/);
  const other = await lockstep('train', path, '--run-dir', runDir, '--resume', '--seed', '77');
  t.is(other.code, 2);
  t.regex(other.stderr, /differs in `seed` \(`\d+` there, `77` here\)/);
  const alone = await lockstep('train', path, '--resume');
  t.is(alone.code, 2);
  t.regex(alone.stderr, /Expected `--run-dir` with `--resume`, got none/);
});
