/**
 * Room: local (level 6). The checkpoints of a run under way: when one is due, the copy of the state between two orders, and the thread
 * that writes it meanwhile. A system that refuses to write never ends the run: it is told, counted, and tried again when the next one is due.
 */
import { join } from 'node:path';
import type { CheckpointRecord } from '../checkpoint/record.ts';
import { CheckpointWriter, type Written } from '../checkpoint/writer.ts';
import { isLockstepError } from '../errors.ts';
import { readStanding } from '../model/standing.ts';
import { learningRateAfter } from '../optimizers/rule.ts';
import type { CheckpointEvent, EpochEvent } from '../telemetry/events.ts';
import type { TrainingSpec } from '../train/rank.ts';
import { type CheckpointOptions, defaultEvery, defaultKeep, type Every, parseEvery } from './checkpoint-options.ts';
import { recordedSums } from './epoch-sums.ts';
import { numberOf } from './history.ts';
import { layoutOf, type RunIdentity } from './resume.ts';
import { checkpointsFolder, noteEpoch, type RunDirectory } from './run-directory.ts';
import type { Station } from './station.ts';

export interface CheckpointsOptions {
  readonly directory: RunDirectory;
  readonly options: CheckpointOptions;
  readonly station: Station;
  readonly training: TrainingSpec;
  readonly stepsPerEpoch: number;
  readonly identity: RunIdentity;
  readonly onNews: (sentence: string) => void;
  readonly onEvent: (event: CheckpointEvent) => void;
}

export class Checkpoints {
  readonly #options: CheckpointsOptions;
  readonly #every: Every;
  readonly #writer: CheckpointWriter;
  readonly #snapshot: SharedArrayBuffer;
  #writing: Promise<void> = Promise.resolve();
  /** The step of the last copy. */
  #taken: number;
  /** One is due since before, for which the writer had no time or the system no room. */
  #overdue = false;
  /** The step at which the last epoch was judged, and by what. */
  #judged: { readonly done: number; readonly metric: CheckpointRecord['metric'] } | undefined;
  #takenAt = performance.now();

  constructor(options: CheckpointsOptions) {
    const { directory, station } = options;
    const { every } = options.options;
    const { from, to } = station.plan.state;
    this.#options = options;
    this.#every = every === undefined ? defaultEvery : parseEvery(every, 'options.checkpoints.every');
    this.#writer = new CheckpointWriter(join(directory.path, checkpointsFolder));
    this.#snapshot = new SharedArrayBuffer(to - from);
    this.#taken = directory.found?.record.step ?? 0;
    // Memory that is touched for the first time, and a thread that starts, would hold up the first one.
    new Uint8Array(this.#snapshot).fill(0);
    this.#writer.warmUp();
  }

  /** The step, after `done` and up to `end`, at which an order must end for a checkpoint. */
  nextStop(done: number, end: number): number {
    const { count, unit } = this.#every;
    return unit === 'steps' ? Math.min(end, (Math.floor(done / count) + 1) * count) : end;
  }

  /** How long an order may go on, ms; undefined when it is not time that counts. */
  get msLeft(): number | undefined {
    const { count, unit } = this.#every;
    return unit === 'seconds' ? Math.max(0, count * 1000 - (performance.now() - this.#takenAt)) : undefined;
  }

  /** Between two orders: a checkpoint if one is due. */
  atStep(done: number, epochs: readonly EpochEvent[]): void {
    const { count, unit } = this.#every;
    const due = (unit === 'steps' && done % count === 0) || (unit === 'seconds' && this.msLeft === 0);
    if (done > 0 && (due || this.#overdue)) this.#take(done, epochs);
  }

  /** After an epoch and its evaluation. */
  atEpoch(done: number, epochs: readonly EpochEvent[]): void {
    const { directory, options, onNews } = this.#options;
    const { count, unit } = this.#every;
    try {
      noteEpoch(directory, epochs.at(-1)!);
    } catch (error) {
      onNews(`the run directory could not be written: ${(error as Error).message}`);
    }
    const metric = metricOf(epochs.at(-1)!, options.best);
    this.#judged = { done, metric };
    if ((unit === 'epochs' && epochs.length % count === 0) || options.best !== undefined || this.#overdue) this.#take(done, epochs, metric);
  }

  /** The run ends well, or was asked to stop: its last step gets a checkpoint, and all are written when this resolves. */
  async end(done: number, epochs: readonly EpochEvent[]): Promise<void> {
    await this.#writing;
    // What was postponed after the last epoch is written now, and is no worse a candidate for it.
    if (done !== this.#taken || this.#overdue) this.#take(done, epochs, this.#judged?.done === done ? this.#judged.metric : undefined);
    await this.close();
  }

  /** Waits for what is being written. */
  async close(): Promise<void> {
    await this.#writing;
    await this.#writer.close();
  }

  #take(done: number, epochs: readonly EpochEvent[], metric?: CheckpointRecord['metric']): void {
    // After its epoch the same state is written again with what the epoch came to.
    if (done === this.#taken && !this.#overdue && metric === undefined) return;
    if (this.#writer.busy) {
      this.#options.onEvent({ event: 'checkpoint', step: done, result: 'postponed', stallSeconds: 0 });
      this.#overdue = true;
      // By time it is due once more only after as long again; by then, or at the next order, the writer may have an ear.
      this.#takenAt = performance.now();
      return;
    }
    const { station, options, training, directory, identity, stepsPerEpoch } = this.#options;
    const { arena, plan } = station;
    const began = performance.now();
    new Uint8Array(this.#snapshot).set(arena.u8.subarray(plan.state.from, plan.state.to));
    const stallSeconds = (performance.now() - began) / 1000;
    this.#overdue = false;
    this.#taken = done;
    this.#takenAt = performance.now();
    const epoch = Math.floor(done / stepsPerEpoch);
    const standing = readStanding(arena, plan);
    const record = {
      runId: directory.runId,
      ...standing,
      epochSums: recordedSums(standing.epochSums, plan.measures),
      epoch,
      cursor: done - epoch * stepsPerEpoch,
      learningRate: learningRateAfter(training.optimizer, standing.updates),
      ...identity,
      epochs: [...epochs],
      ...(metric && { metric }),
    };
    const { keep = defaultKeep, best } = options;
    const request = {
      snapshot: this.#snapshot,
      layout: layoutOf(station, training),
      record,
      keep,
      ...(best !== undefined && ({ best: lowestIsBest(best) ? 'lowest' : 'highest' } as const)),
    };
    this.#writing = this.#writer.write(request).then(
      (written) => this.#noteWritten(written, stallSeconds),
      (error: unknown) => this.#noteFailure(done, stallSeconds, error),
    );
  }

  #noteWritten({ step, bytes, seconds, trouble }: Written, stallSeconds: number): void {
    this.#options.onEvent({ event: 'checkpoint', step, result: 'written', stallSeconds, seconds, bytes });
    if (trouble !== undefined) this.#options.onNews(trouble);
  }

  #noteFailure(step: number, stallSeconds: number, error: unknown): void {
    if (!isLockstepError(error)) throw error;
    this.#overdue = true;
    this.#options.onEvent({ event: 'checkpoint', step, result: 'failed', stallSeconds });
    this.#options.onNews(`no checkpoint of step ${step}: ${error.message} The run goes on and tries again.`);
  }
}

function lowestIsBest(name: string): boolean {
  return name.endsWith('loss');
}

function metricOf(event: EpochEvent, name: string | undefined): CheckpointRecord['metric'] {
  const value = name === undefined ? undefined : numberOf(event, name);
  return value === undefined ? undefined : { name: name!, value };
}
