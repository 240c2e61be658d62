/**
 * Room: scripts (level 8). `npm run soak -- [--minutes M] [--json FILE]`: a run among three processes which guests join and leave every five seconds, and
 * whether those who stay hold more and more memory, threads, files, sockets or series. Linux only. Exit 1 when something grows or went wrong, 130 when interrupted.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, CommanderError, Option } from 'commander';
import { minutes } from './chaos/minutes.ts';
import { judge } from './soak/judge.ts';
import { soak } from './soak/run.ts';

interface Flags {
  readonly minutes: number;
  readonly json?: string;
}

async function run({ minutes: length, json }: Flags): Promise<number> {
  const interrupted = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupted.abort());
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-soak-'));
  try {
    const { guests, steps, samples, wrong } = await soak({ minutes: length, folder, say, signal: interrupted.signal });
    // Of a run that broke off at once there is nothing to judge.
    const judged = wrong.length > 0 ? [] : [...samples].map(([name, taken]) => ({ name, judged: judge(taken) }));
    say(`${guests} guests came and went in ${steps} steps; medians soon after the start and at the end:`);
    for (const process of judged) {
      const told = process.judged.map(
        ({ kind, before, after, ok }) => `${kind} ${before.toFixed(kind === 'rss' ? 1 : 0)} to ${after.toFixed(kind === 'rss' ? 1 : 0)}${ok ? '' : ' WRONG'}`,
      );
      say(`${process.name}: ${told.join(', ')}`);
    }
    for (const sentence of wrong) say(`WRONG: ${sentence}`);
    if (json !== undefined) writeFileSync(json, `${JSON.stringify({ minutes: length, guests, steps, wrong, judged, samples: Object.fromEntries(samples) })}\n`);
    return wrong.length === 0 && judged.every((process) => process.judged.every(({ ok }) => ok)) ? 0 : 1;
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
    say('interrupted; all its processes are gone');
    return 130;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const command = new Command('soak')
  .description('lets guests join and leave a run all the time and looks whether anything grows')
  .addOption(new Option('--minutes <m>', 'how long').argParser(minutes).default(30))
  .addOption(new Option('--json <file>', 'write all samples as JSON too'))
  .exitOverride();
try {
  await command.parseAsync();
  process.exitCode = await run(command.opts<Flags>());
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}
// Whatever a run has left behind, its verdict is out.
process.exit();
