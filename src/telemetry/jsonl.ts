/**
 * Room: telemetry (level 2). `--log`: every event of a run as one JSON object a line. Numbers that are not finite become null,
 * as JSON has no word for them. Events come in bursts; the lines of a burst are handed to the system together, before anything
 * else happens: a crash or a kill of the process loses at most the burst it falls into. `close` waits for no disk.
 * A log never ends a run: what the system refuses to write after the file was opened is told once and counted.
 */
import { closeSync, existsSync, openSync, readFileSync, truncateSync, writeSync } from 'node:fs';
import type { LockstepError } from '../errors.ts';
import type { HostEndEvent, RunEvent } from './events.ts';
import { checkWritable, openMend, refused } from './refused.ts';

/** Lines of one burst kept before they are written, in characters. */
const bufferSize = 64 * 1024;

const newline = 10;
const nothing = Buffer.alloc(0);

export class EventLog {
  readonly #path: string;
  readonly #tell: (error: LockstepError) => void;
  /** Undefined once closed. */
  #file: number | undefined;
  #pending = '';
  /** The rest of a line that the system took only the beginning of: it comes first when the system takes more. */
  #torn: Buffer = nothing;
  #lines = 0;
  #dropped = 0;
  #told = false;

  /**
   * Starts the file anew, or goes on after what it holds of a run that goes on (`after`). Throws LOCKSTEP_FILE when it cannot be opened. When it cannot be written later, `tell` hears of the
   * first time, and every later burst tries again.
   */
  constructor(path: string, tell: (error: LockstepError) => void, after?: LoggedBefore) {
    this.#path = path;
    this.#tell = tell;
    try {
      if (after && existsSync(path)) truncateSync(path, bytesBefore(readFileSync(path), after));
      this.#file = openSync(path, after ? 'a' : 'w');
    } catch (cause) {
      throw refused('the log', path, cause, openMend);
    }
  }

  /** Events written, those included that are lost. */
  get lines(): number {
    return this.#lines;
  }

  /** Events that the file does not hold, or only the beginning of; final once the log is closed. */
  get lost(): number {
    return this.#dropped + (this.#torn.length > 0 ? 1 : 0);
  }

  write(event: RunEvent | HostEndEvent): void {
    // A burst is handled within one turn of the event loop, and microtasks are what comes right after it.
    if (!this.#pending) queueMicrotask(() => this.#flush());
    this.#pending += `${JSON.stringify(event)}\n`;
    this.#lines++;
    if (this.#pending.length > bufferSize) this.#flush();
  }

  /** Writes what is left and lets go of the file; a second time does nothing. */
  close(): void {
    this.#flush();
    const file = this.#file;
    this.#file = undefined;
    try {
      if (file !== undefined) closeSync(file);
    } catch (cause) {
      this.#fail(cause);
    }
  }

  #flush(): void {
    const bytes = Buffer.concat([this.#torn, Buffer.from(this.#pending)]);
    if (bytes.length === 0 || this.#file === undefined) return;
    this.#pending = '';
    let insideLine = this.#torn.length > 0;
    let written = 0;
    try {
      while (written < bytes.length) {
        written += writeSync(this.#file, bytes, written);
        insideLine = bytes[written - 1] !== newline;
      }
      this.#torn = nothing;
    } catch (cause) {
      const next = insideLine ? bytes.indexOf(newline, written) + 1 : written;
      this.#torn = bytes.subarray(written, next);
      this.#dropped += bytes.toString('latin1', next).split('\n').length - 1;
      this.#fail(cause);
    }
  }

  #fail(cause: unknown): void {
    if (this.#told) return;
    this.#told = true;
    this.#tell(refused('the log', this.#path, cause, 'the run goes on and counts the lines that are lost, so make the place writable again to keep those to come'));
  }
}

/** Where a run goes on: after so many steps, and so many epochs that are over. */
export interface LoggedBefore {
  readonly steps: number;
  readonly epochs: number;
}

/** How much of a log is of the steps and epochs that do not come again; a torn line, or the end of a run that now goes on, ends it. */
function bytesBefore(log: Buffer, { steps, epochs }: LoggedBefore): number {
  let kept = 0;
  for (let end = log.indexOf(newline); end >= 0; end = log.indexOf(newline, kept)) {
    const event = parsed(log.toString('utf8', kept, end));
    const stays =
      ((event?.event === 'step' || event?.event === 'checkpoint') && event.step <= steps) || (event?.event === 'epoch' && event.epoch < epochs && !event.partial);
    if (!stays) break;
    kept = end + 1;
  }
  return kept;
}

function parsed(line: string): RunEvent | undefined {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/**
 * Makes sure, as far as that can be seen without touching the file, that a log can be opened there. Throws LOCKSTEP_FILE as opening
 * it does.
 */
export function checkLog(path: string): void {
  checkWritable('the log', path);
}
