/**
 * Room: telemetry (level 2). `--trace`: recordings as Chrome's trace events (the JSON Object Format), which chrome://tracing and Perfetto show:
 * a process for each host, a thread for each rank; steps with their phases below them, and an instant for each announcement to other hosts.
 * Times are whole microseconds since 1970, so that phases fit into their steps exactly, and the events of several hosts' files may be put
 * into one. Whatever happened between the recorded steps is left out.
 */
import { writeFileSync } from 'node:fs';
import type { Recording } from './recording.ts';
import { openMend, refused } from './refused.ts';
import { phases } from './timing.ts';

/** What a host recorded, and the words for it. */
export interface TraceProcess {
  /** Its number, and what it is called. */
  readonly host: number;
  readonly name: string;
  /** By rank. */
  readonly recordings: readonly Recording[];
  /** Names of what is waited for, and of what is announced, by the recordings' indices. */
  readonly arrivals: readonly string[];
  readonly announcements: readonly string[];
}

interface Place {
  readonly pid: number;
  readonly tid: number;
}

/** An event of the trace event format. `ts` and `dur` in microseconds. */
export type TraceEvent = Place &
  (
    | { readonly ph: 'M'; readonly name: string; readonly args: Readonly<Record<string, string | number>> }
    | {
        readonly ph: 'X';
        readonly name: string;
        readonly cat: string;
        readonly ts: number;
        readonly dur: number;
        readonly args: Readonly<Record<string, string | number>>;
      }
    | { readonly ph: 'i'; readonly s: 't'; readonly name: string; readonly cat: string; readonly ts: number; readonly args: Readonly<Record<string, string | number>> }
  );

export function traceEvents(processes: readonly TraceProcess[]): TraceEvent[] {
  return processes.flatMap((process) => [
    { ph: 'M', name: 'process_name', pid: process.host, tid: 0, args: { name: process.name } },
    { ph: 'M', name: 'process_sort_index', pid: process.host, tid: 0, args: { sort_index: process.host } },
    ...process.recordings.flatMap((recording, rank) => rankEvents(process, { pid: process.host, tid: rank }, recording)),
  ]);
}

function rankEvents({ arrivals, announcements }: TraceProcess, place: Place, { origin, steps }: Recording): TraceEvent[] {
  // A float64 has no room for fractions of a microsecond since 1970: what is small is rounded on its own.
  const whole = Math.floor(origin);
  const micros = (ms: number): number => whole * 1000 + Math.floor((origin - whole + ms) * 1000);
  const span = (name: string, cat: string, { from, to }: { from: number; to: number }, args: Readonly<Record<string, string | number>>): TraceEvent => {
    return { ph: 'X', name, cat, ...place, ts: micros(from), dur: micros(to) - micros(from), args };
  };
  return [
    { ph: 'M', name: 'thread_name', ...place, args: { name: `rank ${place.tid}` } },
    { ph: 'M', name: 'thread_sort_index', ...place, args: { sort_index: place.tid } },
    ...steps.flatMap((recorded) => {
      const { step } = recorded;
      return [
        span(`step ${step}`, 'step', recorded, { step }),
        ...recorded.phases.map((phase) => span(phases[phase.phase]!, 'phase', phase, { step, ...(phase.awaits >= 0 && { waitsFor: arrivals[phase.awaits]! }) })),
        ...recorded.announcements.map(
          ({ kind, index, at }): TraceEvent => ({
            ph: 'i',
            s: 't',
            name: `send ${announcements[kind]!}`,
            cat: 'network',
            ...place,
            ts: micros(at),
            args: { step, index },
          }),
        ),
      ];
    }),
  ];
}

/** Writes the file, an event a line. Throws LOCKSTEP_FILE when it cannot be written. */
export function writeTrace(path: string, processes: readonly TraceProcess[]): void {
  const lines = traceEvents(processes).map((event) => JSON.stringify(event));
  const text = `{"displayTimeUnit":"ms","otherData":${JSON.stringify(about(processes))},"traceEvents":[\n${lines.join(',\n')}\n]}\n`;
  try {
    writeFileSync(path, text);
  } catch (cause) {
    throw refused('the trace', path, cause, openMend);
  }
}

/** What the reader of the file should know of it: which hosts ran out of room for their first steps. */
function about(processes: readonly TraceProcess[]): Readonly<Record<string, unknown>> {
  const truncated = processes.filter(({ recordings }) => recordings.some(({ isFull }) => isFull)).map(({ name }) => name);
  return { writer: 'lockstep', ...(truncated.length > 0 && { truncated }) };
}
