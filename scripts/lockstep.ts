#!/usr/bin/env node
/**
 * Room: scripts (level 8). The command line: arguments, signals, exit codes. Only here and below is the process looked at.
 */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { errorCodes, isLockstepError, LockstepError } from '../src/errors.ts';
import { isHeld } from '../src/local/endings.ts';
import { checkpointsCommand } from './commands/checkpoints.ts';
import { convertCommand } from './commands/convert.ts';
import { doctorCommand } from './commands/doctor.ts';
import { evaluateCommand } from './commands/evaluate.ts';
import { findRateCommand } from './commands/find-lr.ts';
import { foldCommand } from './commands/fold.ts';
import { initCommand } from './commands/init.ts';
import { joinCommand } from './commands/join.ts';
import { plotCommand } from './commands/plot.ts';
import { predictCommand } from './commands/predict.ts';
import { recalibrateCommand } from './commands/recalibrate.ts';
import { schemaCommand } from './commands/schema.ts';
import { summaryCommand } from './commands/summary.ts';
import { sweepCommand } from './commands/sweep.ts';
import { trainCommand } from './commands/train.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };

/** Aborted when whoever reads our output has gone away. */
const unheard = new AbortController();
let outputRefused = false;
for (const stream of [process.stdout, process.stderr]) stream.on('error', (error) => onOutputError(stream, error));

const program = new Command('lockstep')
  .description('Synchronous data-parallel training of neural networks: the same run gives the same bits.')
  .version(version, '--version', 'print the version')
  .option('--verbose', 'print stack traces of errors')
  .showSuggestionAfterError()
  .addCommand(initCommand())
  .addCommand(trainCommand(unheard.signal))
  .addCommand(joinCommand(unheard.signal))
  .addCommand(evaluateCommand())
  .addCommand(predictCommand())
  .addCommand(foldCommand())
  .addCommand(recalibrateCommand())
  .addCommand(findRateCommand())
  .addCommand(sweepCommand(unheard.signal))
  .addCommand(summaryCommand())
  .addCommand(convertCommand())
  .addCommand(checkpointsCommand())
  .addCommand(plotCommand())
  .addCommand(schemaCommand())
  .addCommand(doctorCommand());

for (const command of [program, ...program.commands]) {
  command.exitOverride().configureOutput({ writeErr: () => {} });
}

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}
// Even `process.exit` would wait for the thread that does not end.
if (isHeld()) process.stderr.write('', () => process.kill(process.pid, 'SIGKILL'));

/**
 * A reader who goes away has seen enough: that is no failure, and a run ends as for a signal. Where the system refuses to write for
 * another reason (a full disk), the command goes on and does what else it was asked for, says so once, and its exit code tells.
 */
function onOutputError(stream: NodeJS.WriteStream, { code }: NodeJS.ErrnoException): void {
  // A socket's reader who leaves something unread resets the connection. What is written after it, the last lines of a run, comes here again.
  if (code === 'EPIPE' || code === 'ECONNRESET') unheard.abort();
  else if (stream === process.stdout && !outputRefused) {
    outputRefused = true;
    const sentence = `Expected to write to the standard output, but the system refused (${code}); send it to a place that can be written.`;
    process.exitCode = report(new LockstepError('LOCKSTEP_FILE', sentence));
  }
}

/** Prints what went wrong in one sentence and returns the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    const message = error.code === 'commander.help' ? 'Expected a command, got none' : error.message.replace(/^error: /, '').replaceAll(/\s*\n\s*/g, ' ');
    process.stderr.write(`lockstep: ${message.replace(/\.$/, '')}; see "lockstep --help".\n`);
    return 2;
  }
  const verbose = program.opts<{ verbose?: boolean }>().verbose ?? process.argv.includes('--verbose');
  if (isLockstepError(error)) {
    process.stderr.write(`lockstep: ${error.message}\n`);
    if (verbose) process.stderr.write(`${error.code}\n${error.stack}\n${error.cause instanceof Error ? error.cause.stack : ''}\n`);
    return errorCodes[error.code].exit;
  }
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(`lockstep: An unexpected error occurred: ${text}; run again with --verbose and report it.\n`);
  if (verbose && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return 1;
}
