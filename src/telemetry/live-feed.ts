/**
 * Room: telemetry (level 2). Tells whoever looks at the live page how the run goes, as server-sent events. It never waits for a reader and keeps
 * nothing for one: who reads slowly gets fewer and coarser updates, who reads nothing is let go. Without readers there is no timer and no work
 * but to remember steps.
 */
import type { ServerResponse } from 'node:http';
import type { EpochEvent, StepEvent } from './events.ts';
import type { LiveEvents, LiveRun, LiveStatus, LiveValidation } from './live.ts';
import { LiveHistory } from './live-history.ts';

/** Does `work` every `ms` until the function that it returns is called. */
type Every = (ms: number, work: () => void) => () => void;

export interface LiveFeedOptions {
  readonly run: LiveRun;
  /** How things stand; asked for at most twice a second, and for each new reader. */
  readonly status: () => LiveStatus;
  /** Points and validations that are kept; 2000 by default. */
  readonly capacity?: number;
  /** The clock; one that lets the process end by default. */
  readonly every?: Every;
}

/** Points go out each tick, the status every second one. */
const tickMs = 250;
const statusTicks = 2;
/** Of one `points` event: more in a quarter of a second than one can see. */
const pointsAtOnce = 24;
/** A reader that has taken nothing for a minute is gone. */
const patienceTicks = 240;
/** So that nobody can make the run serve without end. */
const mostReaders = 32;

export const feedHeaders = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'x-accel-buffering': 'no' } as const;

interface Reader {
  readonly response: ServerResponse;
  /** The last step that it was told of. */
  step: number;
  validationStep: number;
  /** Since its hello. */
  points: number;
  /** In which it could not be told anything. */
  silentTicks: number;
  /** What it has is no longer what was: it needs a new hello. */
  outdated: boolean;
}

function unrefEvery(ms: number, work: () => void): () => void {
  const timer = setInterval(work, ms).unref();
  return () => clearInterval(timer);
}

function frame<Name extends keyof LiveEvents>(name: Name, data: LiveEvents[Name]): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

export class LiveFeed {
  readonly #run: LiveRun;
  readonly #status: () => LiveStatus;
  readonly #every: Every;
  readonly #history: LiveHistory;
  #validations: LiveValidation[] = [];
  readonly #readers = new Set<Reader>();
  #stopTimer: (() => void) | undefined;
  #ticks = 0;

  constructor({ run, status, capacity = 2000, every = unrefEvery }: LiveFeedOptions) {
    this.#run = run;
    this.#status = status;
    this.#every = every;
    this.#history = new LiveHistory(capacity);
  }

  get readers(): number {
    return this.#readers.size;
  }

  step(event: StepEvent): void {
    if (event.step <= this.#history.step) this.#goBack(event.step);
    this.#history.add(event);
  }

  /** After its last step. */
  epoch({ validation }: EpochEvent): void {
    if (!validation) return;
    const accuracy = validation.metrics['accuracy'];
    this.#validations.push({ step: this.#history.step, loss: validation.loss, ...(accuracy !== undefined && { accuracy }) });
    // Every other one goes, never the last.
    if (this.#validations.length > this.#history.capacity) this.#validations = this.#validations.filter((_, i, { length }) => (length - i) % 2 === 1);
  }

  /** Answers `GET /events`: all there is so far, then what comes. */
  subscribe(response: ServerResponse): void {
    if (this.#readers.size >= mostReaders) {
      response.writeHead(503, { 'content-type': 'text/plain; charset=utf-8', 'retry-after': '5' });
      response.end(`Expected at most ${mostReaders} readers of the live page, got one more; close another.\n`);
      return;
    }
    const reader: Reader = { response, step: 0, validationStep: -1, points: 0, silentTicks: 0, outdated: true };
    // A reader may go while it is written to: that is the end of the reader, not of the run.
    response.on('error', () => this.#remove(reader));
    response.on('close', () => this.#remove(reader));
    response.writeHead(200, feedHeaders);
    response.write(`retry: 1000\n\n${this.#hello(reader)}`);
    this.#readers.add(reader);
    this.#stopTimer ??= this.#every(tickMs, () => this.#tick());
  }

  /** Tells every reader how it ended and lets it go. */
  close(): void {
    const status = frame('status', this.#status());
    for (const reader of [...this.#readers]) {
      this.#tell(reader, status);
      reader.response.end();
      this.#remove(reader);
    }
  }

  #remove(reader: Reader): void {
    this.#readers.delete(reader);
    if (this.#readers.size > 0) return;
    this.#stopTimer?.();
    this.#stopTimer = undefined;
  }

  /** What was told from `step` on is not so any more. */
  #goBack(step: number): void {
    this.#validations = this.#validations.filter((validation) => validation.step < step);
    for (const reader of this.#readers) reader.outdated = true;
  }

  #tick(): void {
    this.#ticks++;
    const status = this.#ticks % statusTicks === 0 ? frame('status', this.#status()) : '';
    for (const reader of [...this.#readers]) this.#tell(reader, status);
  }

  #tell(reader: Reader, status: string): void {
    const { response } = reader;
    if (response.destroyed || response.writableEnded) {
      this.#remove(reader);
      return;
    }
    if (response.writableNeedDrain) {
      if (++reader.silentTicks >= patienceTicks) response.destroy();
      return;
    }
    reader.silentTicks = 0;
    // A reader keeps what it is told: a new hello, coarser than all it has, before that is too much.
    const news = reader.outdated || reader.points > this.#history.capacity ? this.#hello(reader) : this.#news(reader) + status;
    if (news) response.write(news);
  }

  #hello(reader: Reader): string {
    Object.assign(reader, { step: this.#history.step, validationStep: this.#validations.at(-1)?.step ?? -1, points: 0, outdated: false });
    return frame('hello', { run: this.#run, points: this.#history.points, validations: this.#validations, status: this.#status() });
  }

  #news(reader: Reader): string {
    const points = this.#history.after(reader.step, pointsAtOnce);
    const validations = this.#validations.filter(({ step }) => step > reader.validationStep);
    reader.step = this.#history.step;
    reader.validationStep = validations.at(-1)?.step ?? reader.validationStep;
    reader.points += points.length;
    return (points.length > 0 ? frame('points', points) : '') + validations.map((validation) => frame('validation', validation)).join('');
  }
}
