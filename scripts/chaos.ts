/**
 * Room: scripts (level 8). `npm run chaos -- [--minutes M] [--seed N] [--run I] [--faults K] [--only SCENARIO,...] [--json FILE] [--keep DIR]`:
 * runs in which processes are killed, stopped, cut off and started again, against the weights of an undisturbed one. Exit 1 when a run did not end
 * with the same bits, 2 for a wrong argument, 130 when interrupted.
 */
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { chaos } from './chaos/harness.ts';
import { minutes } from './chaos/minutes.ts';
import { reportText } from './chaos/report.ts';
import { type Scenario, scenarios } from './chaos/scenarios.ts';
import { lengths } from './chaos/schedule.ts';
import { integer } from './commands/options.ts';

interface Flags {
  readonly minutes: number;
  readonly seed: number;
  readonly run?: number;
  readonly faults: number;
  readonly only?: readonly Scenario[];
  readonly json?: string;
  readonly keep: string;
}

const names = [...new Set(scenarios.map(({ name }) => name))];

/** The scenarios of these names, whether they are enabled or not. */
function only(text: string): Scenario[] {
  const asked = text.split(',');
  const unknown = asked.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new InvalidArgumentError(`Expected names of ${names.join(', ')}.`);
  return scenarios.filter(({ name }) => asked.includes(name));
}

async function run({ minutes: length, seed, run, faults, only, json, keep }: Flags): Promise<number> {
  const interrupted = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupted.abort());
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  const drawn = only ?? scenarios.filter(({ enabled }) => enabled);
  try {
    const [firstRun, runs] = run === undefined ? [0, Number.POSITIVE_INFINITY] : [run, 1];
    const report = await chaos({ seed, minutes: length, firstRun, runs, scenarios: drawn, keep, size: { ...lengths, faults }, say, signal: interrupted.signal });
    say(reportText(report));
    if (json !== undefined) writeFileSync(json, `${JSON.stringify(report, undefined, 2)}\n`);
    return report.wrong.length > 0 ? 1 : 0;
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
    say('interrupted; all its processes are gone');
    return 130;
  }
}

const command = new Command('chaos')
  .description('lets faults happen to runs and compares their weights with those of an undisturbed one')
  .addOption(new Option('--minutes <m>', 'no run is begun after so many').argParser(minutes).default(5))
  .addOption(new Option('--seed <n>', 'all that happens follows from it').argParser(integer(0)).default(1))
  .addOption(new Option('--run <i>', 'this run alone, to repeat it').argParser(integer(0)))
  .addOption(new Option('--faults <k>', 'in a run').argParser(integer(1)).default(lengths.faults))
  .addOption(new Option('--only <names>', `faults of these scenarios alone, with commas between: ${names.join(', ')}`).argParser(only))
  .addOption(new Option('--json <file>', 'write the table as JSON too'))
  .addOption(new Option('--keep <dir>', 'where the files of runs that went wrong stay').default(join(tmpdir(), 'lockstep-chaos-kept')))
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
