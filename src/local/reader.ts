/**
 * Room: local (level 6). The main thread's side of reading ahead: one thread for the process, whatever the number of ranks, that is
 * told what they are about to compute. It promises that ranks which wait for a batch get it, or learn why not, also when the thread dies.
 */
import { Worker } from 'node:worker_threads';
import { stepsPerEpoch } from '../data/sampler.ts';
import type { Arena } from '../memory/arena.ts';
import { type FeedPlace, reportFeedTrouble } from '../model/feed-place.ts';
import { troubleText } from '../train/feed.ts';
import type { ReadOrder, StreamedSets } from './read-ahead.ts';
import type { ReaderTask } from './reader-thread.ts';
import type { Command } from './task.ts';

export class Reader {
  readonly #arena: Arena;
  readonly #place: FeedPlace;
  readonly #sets: StreamedSets;
  readonly #thread: Worker;
  #ended = false;
  /** Batches that were ordered so far: the number of the next one. */
  #ordered = 0;

  /** `module` is the thread's. */
  constructor(arena: Arena, place: FeedPlace, sets: StreamedSets, module = new URL('./reader-thread.js', import.meta.url)) {
    this.#arena = arena;
    this.#place = place;
    this.#sets = sets;
    const workerData: ReaderTask = { memory: arena.memory, place, sets };
    // As for the writer of checkpoints: flags of the program are about its first module.
    this.#thread = new Worker(module, { name: 'row-reader', execArgv: [], workerData });
    this.#thread.unref();
    this.#thread.on('error', (error) => this.#lost(error instanceof Error ? error.message : String(error)));
    this.#thread.on('exit', (code) => this.#lost(`it ended with code ${code}`));
  }

  /** Tells the thread what a command will ask for. Only while the ranks, `ranks` of them, wait at the doorbell. */
  prepare(command: Command, ranks: number): void {
    const order = this.#orderOf(command);
    if (!order) return;
    const { i32 } = this.#arena;
    const { base, bell, taken } = this.#place;
    // Whatever the thread has yet to do of an order before this one is below its first batch.
    const message: ReadOrder = { ...order, base: this.#ordered, ranks };
    this.#ordered = (this.#ordered + order.batches) | 0;
    Atomics.store(i32, base, message.base);
    for (let rank = 0; rank < ranks; rank++) Atomics.store(i32, taken[rank]!, message.base);
    this.#thread.postMessage(message);
    Atomics.add(i32, bell, 1);
    Atomics.notify(i32, bell);
  }

  /** Ends the thread, whatever it does. */
  async end(): Promise<void> {
    this.#ended = true;
    await this.#thread.terminate();
  }

  #orderOf(command: Command): Omit<ReadOrder, 'base' | 'ranks'> | undefined {
    const { train, validation } = this.#sets;
    switch (command.kind) {
      case 'train': {
        const { epoch, firstBatch, batches } = command;
        return train && { set: 'train', epoch, firstBatch, batches };
      }
      case 'evaluate':
      case 'predict':
      case 'recalibrate':
        return (
          validation && {
            set: 'validation',
            inOrder: command.kind !== 'recalibrate',
            epoch: 0,
            firstBatch: 0,
            batches: stepsPerEpoch(validation.length, validation.batchSize, false),
          }
        );
      case 'complete':
      case 'end':
        // A step that is finished needs no rows.
        return undefined;
      default:
        return command satisfies never;
    }
  }

  #lost(reason: string): void {
    if (this.#ended) return;
    const message = `Expected the thread that reads rows ahead to live, but ${reason.replace(/\.$/, '')}; report this defect.`;
    reportFeedTrouble(this.#arena, this.#place, troubleText('LOCKSTEP_INTERNAL', message));
  }
}
