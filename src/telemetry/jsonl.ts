/**
 * Room: telemetry (level 2). `--log`: every event of a run as one JSON object a line. Numbers that are not finite become null,
 * as JSON has no word for them. Lines are on their way to the disk when `write` returns; `close` waits for nothing.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { LockstepError } from '../errors.ts';
import type { RunEvent } from './events.ts';

/** Lines kept before they are written, bytes: one system call for hundreds of steps. */
const bufferBytes = 64 * 1024;

export class EventLog {
  readonly #file: number;
  #pending = '';

  /** Starts the file anew. Throws LOCKSTEP_FILE when it cannot be written. */
  constructor(path: string) {
    try {
      this.#file = openSync(path, 'w');
    } catch (cause) {
      const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
      throw new LockstepError(
        'LOCKSTEP_FILE',
        `Expected to write the log \`${path}\`, but the system refused (${code}); check that its folder exists and can be written.`,
        { cause },
      );
    }
  }

  write(event: RunEvent): void {
    this.#pending += `${JSON.stringify(event)}\n`;
    if (event.event !== 'step' || this.#pending.length > bufferBytes) this.flush();
  }

  flush(): void {
    const text = this.#pending;
    this.#pending = '';
    if (text) writeSync(this.#file, text);
  }

  close(): void {
    this.flush();
    closeSync(this.#file);
  }
}
