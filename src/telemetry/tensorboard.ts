/**
 * Room: telemetry (level 2). `--tensorboard`: a run's scalars and histograms as an event file that TensorBoard reads while the run goes on.
 * Calls only put bytes into memory; they go to the disk behind the caller's back, one write at a time, so training never waits for one.
 * It never ends a run: what the system refuses to write after the file was opened is told once and counted, and so are records that come
 * faster than the disk takes them. A record that the disk took only the beginning of is made whole before others follow, as readers stop
 * at a torn one.
 */
import { closeSync, mkdirSync, openSync, write as writeToFile } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { LockstepError } from '../errors.ts';
import { type Histogram, histogramRecord, scalarsRecord, versionRecord } from './event-file.ts';
import { refused } from './refused.ts';

/** Records kept while the disk is busy, in bytes: more are dropped. */
const mostPendingBytes = 16 * 2 ** 20;

const what = "TensorBoard's events to";

export interface TensorboardOptions {
  /** Milliseconds since 1970, for the file's name and its first record. */
  readonly now?: () => number;
  /** Hears of the first failure to write. */
  readonly tell: (error: LockstepError) => void;
}

export class TensorboardWriter {
  /** The event file, new in its folder. */
  readonly path: string;
  readonly #tell: (error: LockstepError) => void;
  readonly #file: number;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  /** What must come before anything else: the record that opens the file, or the rest of one that the disk took only the beginning of. */
  #first: Buffer | undefined;
  /** Ends when everything that was pending has been tried. Never rejects. */
  #writing: Promise<void> | undefined;
  #closed: Promise<void> | undefined;
  #records: number;
  #dropped = 0;
  #told = false;

  /** Makes the folder, if need be, and in it a file of its own. Throws LOCKSTEP_FILE when it cannot. */
  constructor(folder: string, { now = wallClock, tell }: TensorboardOptions) {
    this.#tell = tell;
    const at = now();
    try {
      mkdirSync(folder, { recursive: true });
      [this.path, this.#file] = openNew(join(folder, `events.out.tfevents.${Math.floor(at / 1000)}.${hostname()}`));
    } catch (cause) {
      throw refused(what, folder, cause, 'check that it is a folder, or can be made one, and can be written');
    }
    this.#first = versionRecord(at / 1000);
    this.#records = 1;
    this.#writing = this.#writeAll();
  }

  /** Records handed over, those included that are lost, and the one that opens the file. */
  get records(): number {
    return this.#records;
  }

  /** Records that the file does not hold, or only the beginning of; final once the writer is closed. */
  get lost(): number {
    return this.#dropped + (this.#first ? 1 : 0);
  }

  /** `wallTime` in seconds since 1970. Tags with slashes are shown in groups: `loss/train`. */
  scalars(step: number, wallTime: number, values: Readonly<Record<string, number>>): void {
    this.#add(scalarsRecord({ step, wallTime }, values));
  }

  histogram(step: number, wallTime: number, tag: string, histogram: Histogram): void {
    this.#add(histogramRecord({ step, wallTime }, tag, histogram));
  }

  /** Returns once everything has been tried and the file is let go of; never throws. What comes later is lost. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  #add(record: Buffer): void {
    this.#records++;
    if (this.#closed || this.#pendingBytes + record.length > mostPendingBytes) {
      this.#dropped++;
      if (!this.#closed) this.#fail('the disk is slower than the records come');
      return;
    }
    this.#pending.push(record);
    this.#pendingBytes += record.length;
    this.#writing ??= this.#writeAll();
  }

  /** Writes until nothing is pending. Of what failed, only what must come first is left for the next time. */
  async #writeAll(): Promise<void> {
    // A burst is handled within one turn of the event loop, and microtasks are what comes right after it.
    await Promise.resolve();
    do {
      const records = this.#first ? [this.#first, ...this.#pending] : this.#pending;
      this.#pending = [];
      this.#pendingBytes = 0;
      await this.#write(records);
    } while (this.#pending.length > 0);
    this.#writing = undefined;
  }

  async #write(records: readonly Buffer[]): Promise<void> {
    const bytes = Buffer.concat(records);
    let written = 0;
    try {
      while (written < bytes.length) written += await write(this.#file, bytes, written);
      this.#first = undefined;
    } catch (cause) {
      const [whole, rest] = cut(records, written, this.#first !== undefined);
      this.#first = rest;
      this.#dropped += records.length - whole - (rest ? 1 : 0);
      this.#fail(cause);
    }
  }

  async #close(): Promise<void> {
    await this.#writing;
    // The disk may have room again.
    if (this.#first) await this.#write([this.#first]);
    try {
      closeSync(this.#file);
    } catch (cause) {
      this.#fail(cause);
    }
  }

  #fail(cause: unknown): void {
    if (this.#told) return;
    this.#told = true;
    this.#tell(refused(what, this.path, cause, 'the run goes on and counts the records that are lost, so make the place writable again to keep those to come'));
  }
}

/** Returns how many bytes the system took. */
function write(file: number, bytes: Buffer, offset: number): Promise<number> {
  return new Promise((resolve, reject) => writeToFile(file, bytes, offset, (error, written) => (error ? reject(error) : resolve(written))));
}

function wallClock(): number {
  return performance.timeOrigin + performance.now();
}

/** Opens a file that was not there: two runs of one second get files of their own. */
function openNew(path: string): readonly [path: string, file: number] {
  for (let copy = 0; ; copy++) {
    const candidate = copy === 0 ? path : `${path}.${copy}`;
    try {
      return [candidate, openSync(candidate, 'wx')];
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    }
  }
}

/** How many of `records` the first `written` bytes hold whole, and what must come first later: the rest of a torn one, or of what `mustBegin`. */
function cut(records: readonly Buffer[], written: number, mustBegin: boolean): readonly [whole: number, rest: Buffer | undefined] {
  let end = 0;
  for (const [index, record] of records.entries()) {
    const begin = end;
    end += record.length;
    if (end <= written) continue;
    const mustFollow = written > begin || (index === 0 && mustBegin);
    return [index, mustFollow ? record.subarray(written - begin) : undefined];
  }
  return [records.length, undefined];
}
