/**
 * Room: scripts (level 8). `--trace`: options by which the ranks of a process are recorded, and the file that comes of it.
 */
import { Option } from 'commander';
import { traceProcess } from '../../src/local/recordings.ts';
import type { Recording } from '../../src/telemetry/recording.ts';
import { checkWritable } from '../../src/telemetry/refused.ts';
import { writeTrace } from '../../src/telemetry/trace.ts';
import { integer } from './options.ts';

export interface TraceFlags {
  readonly trace?: string;
  readonly traceSteps: number;
}

export function traceOptions(): Option[] {
  return [
    new Option('--trace <file>', 'write what every rank here did in the first steps, for Perfetto and chrome://tracing'),
    new Option('--trace-steps <n>', 'how many steps that is').argParser(integer(1)).default(50),
  ];
}

/** Throws LOCKSTEP_FILE before anything is done for a file that could not be written. */
export function checkTrace({ trace }: TraceFlags): void {
  if (trace !== undefined) checkWritable('the trace', trace);
}

/** What was recorded, to the file; one that cannot be written ends no run. */
export function saveTrace({ trace }: TraceFlags, id: number, name: string, recordings: readonly Recording[], tell: (error: Error) => void): void {
  try {
    writeTrace(trace!, [traceProcess(id, name, recordings)]);
  } catch (error) {
    tell(error as Error);
  }
}
