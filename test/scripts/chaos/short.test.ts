/**
 * Room: tests of scripts. Short chaos: a cluster that loses hosts and a run of one process whose rank dies end with the bits of the
 * undisturbed run; nothing is left of the harness, also when it is interrupted.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { chaos } from '../../../scripts/chaos/harness.ts';
import type { ChaosReport } from '../../../scripts/chaos/report.ts';
import type { RunOutcome } from '../../../scripts/chaos/run.ts';
import type { Scenario } from '../../../scripts/chaos/scenarios.ts';
import { until } from '../../cluster/integration/party.ts';
import { type Running, start } from '../command.ts';

const program = fileURLToPath(new URL('../../../scripts/chaos.js', import.meta.url));

/** Starts the harness with a folder of its own for all that is temporary. */
function begin(t: ExecutionContext, ...args: string[]): Running & { readonly folder: string } {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-short-'));
  const running = start('env', [`TMPDIR=${folder}`, process.execPath, program, '--seed', '6', '--run', '0', ...args]);
  t.teardown(async () => {
    running.child.kill('SIGTERM');
    await running.end;
    rmSync(folder, { recursive: true, force: true });
  });
  return { ...running, folder };
}

/** The command lines of living processes that name this folder. */
function living(folder: string): string[] {
  if (!existsSync('/proc/self/cmdline')) return [];
  const lines = readdirSync('/proc').map((name) => {
    try {
      return /^\d+$/.test(name) ? readFileSync(join('/proc', name, 'cmdline'), 'latin1') : '';
    } catch {
      return '';
    }
  });
  return lines.filter((line) => line.includes(folder));
}

test.serial('a cluster whose hosts are killed, leave, are cut off and joined ends with the same bits', async (t) => {
  const json = join(mkdtempSync(join(tmpdir(), 'lockstep-report-')), 'report.json');
  t.teardown(() => rmSync(dirname(json), { recursive: true, force: true }));
  const { folder, end } = begin(t, '--faults', '3', '--only', 'host-kill,host-leave,host-cut,host-join', '--json', json);
  const { code, stdout, stderr } = await end;
  t.is(code, 0, stdout + stderr);
  t.regex(stdout, /^run 0: \d hosts, (star|mesh), 3 of 3 faults, .* s: same bits\n/);
  const report = JSON.parse(readFileSync(json, 'utf8')) as ChaosReport;
  t.deepEqual([report.runs, report.faults, report.verdicts], [1, 3, { 'same bits': 1, 'wrong bits': 0, hang: 0, failed: 0 }]);
  t.deepEqual(readdirSync(folder), []);
  t.deepEqual(living(folder), []);
});

test.serial('a rank of a run of one process dies and the run ends with the same bits', async (t) => {
  const { code, stdout, stderr } = await begin(t, '--faults', '1', '--only', 'lone-rank-exit').end;
  t.is(code, 0, stdout + stderr);
  t.regex(stdout, /^run 0: lone, 1 of 1 faults, .* s: same bits\n/);
});

test.serial('an interrupted harness leaves nothing', async (t) => {
  const { folder, end, child } = begin(t, '--only', 'host-stop');
  const leader = (): boolean => readdirSync(folder).some((name) => existsSync(join(folder, name, 'run-0', 'leader.0.jsonl')));
  await until('a run', leader);
  child.kill('SIGINT');
  const { code, stdout } = await end;
  t.is(code, 130);
  t.regex(stdout, /^interrupted; all its processes are gone$/m);
  t.deepEqual(readdirSync(folder), []);
  t.deepEqual(living(folder), []);
});

test.serial('a run that ends otherwise is named, and its plan and the output of its processes are kept', async (t) => {
  const keep = mkdtempSync(join(tmpdir(), 'lockstep-kept-'));
  t.teardown(() => rmSync(keep, { recursive: true, force: true }));
  // Who leads is asked to stop, which nothing can make good.
  const leaves: Scenario = { name: 'coordinator-leave', victim: 'coordinator', place: 'outside', kind: 'leave', weight: 1, enabled: true };
  const order = { seed: 1, minutes: 1, firstRun: 4, runs: 1, scenarios: [leaves], keep, size: { faults: 1, gap: 100 }, signal: new AbortController().signal };
  const said: string[] = [];
  const report = await chaos({ ...order, say: (line) => said.push(line) });
  t.is(report.verdicts.failed, 1);
  t.regex(report.wrong[0]!.detail, /^the run ended after \d+ of 400 steps$/);
  const folder = join(keep, 'seed-1-run-4');
  t.is(said.at(-1), `its plan and the output of all its processes are in ${folder}`);
  t.is((JSON.parse(readFileSync(join(folder, 'outcome.json'), 'utf8')) as RunOutcome).plan.index, 4);
  t.regex(readFileSync(join(folder, 'leader.0.out'), 'utf8'), /stopping after this step/);
});

test('a wrong argument is told', async (t) => {
  for (const [args, sentence] of [
    [['--minutes', '0'], /Expected a number > 0/],
    [['--only', 'host-kill,meteor'], /Expected names of host-kill, /],
    [['--seed', '-1'], /Expected an integer >= 0/],
  ] as const) {
    const { code, stderr } = await start(process.execPath, [program, ...args]).end;
    t.is(code, 2);
    t.regex(stderr, sentence);
  }
});
