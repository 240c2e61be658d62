/**
 * Room: checkpoint (level 3). The main thread's side of writing checkpoints: a thread does all of it, and this only waits. It promises
 * that a write ends with a checkpoint or an error, also when the thread dies, that the next one tries anew, and that an idle writer
 * keeps no process alive.
 */
import { resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { LockstepError } from '../errors.ts';
import { leftoversIn } from './prune.ts';
import type { WriteAnswer, WriteRequest, WriteTask, Written } from './request.ts';

export type { WriteRequest, Written } from './request.ts';

/** Writes that are going on in this process, whoever asked for them: what they have made so far is no rest of a dead process. */
const underWay = new Set<number>();
let writes = 0;

export class CheckpointWriter {
  readonly #folder: string;
  readonly #module: URL;
  #thread: Worker | undefined;
  /** The next write is the first of its thread. */
  #fresh = true;
  #running: Promise<WriteAnswer> | undefined;
  #settle: (answer: WriteAnswer) => void = () => {};
  #closed = false;

  /** Writes to `folder`, which is made with the first write, as is the thread. `module` is the thread's. */
  constructor(folder: string, module = new URL('./writer-thread.js', import.meta.url)) {
    this.#folder = resolve(folder);
    this.#module = module;
  }

  get busy(): boolean {
    return this.#running !== undefined;
  }

  /** Starts the thread, if there is none, so that the first write need not wait for it. */
  warmUp(): void {
    if (!this.#closed) this.#startedThread();
  }

  /** Rejects with LOCKSTEP_CHECKPOINT when it cannot be written. One at a time: ask `busy`. */
  async write(request: WriteRequest): Promise<Written> {
    if (this.#running || this.#closed) {
      const state = this.#closed ? 'a closed writer' : 'another write that is not finished';
      throw new LockstepError('LOCKSTEP_INTERNAL', `Expected to write one checkpoint at a time, got ${state}; report it.`);
    }
    const thread = this.#startedThread();
    const serial = writes++;
    underWay.add(serial);
    thread.ref();
    this.#running = new Promise((settle) => {
      this.#settle = settle;
    });
    const leftovers = this.#fresh ? await leftoversIn(this.#folder, underWay) : [];
    this.#fresh = false;
    this.#post(thread, { request, folder: this.#folder, serial, leftovers });
    const answer = await this.#running;
    // At the end of all `close` waits for the thread itself.
    if (!this.#closed) thread.unref();
    underWay.delete(serial);
    this.#running = undefined;
    if (answer.kind === 'written') return answer.written;
    const cause = new Error(answer.message);
    if (answer.stack !== undefined) cause.stack = answer.stack;
    throw new LockstepError(answer.code, answer.message, { cause });
  }

  /** Waits for the running write, then ends the thread. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
    await this.#thread?.terminate();
  }

  #post(thread: Worker, task: WriteTask): void {
    try {
      thread.postMessage(task);
    } catch (error) {
      const message = `Expected a checkpoint's record to be plain data, got something else: ${String(error)}; report it.`;
      this.#settle({ kind: 'failed', code: 'LOCKSTEP_INTERNAL', message, stack: undefined });
    }
  }

  #startedThread(): Worker {
    if (this.#thread) return this.#thread;
    // Flags of the program, like --input-type, are about its first module: some of them no thread can start with.
    // What it makes of a record is garbage at once, and would otherwise take memory up to many times as much.
    const thread = new Worker(this.#module, { name: 'checkpoint-writer', execArgv: [], resourceLimits: { maxYoungGenerationSizeMb: 2 } });
    thread.unref();
    thread.on('message', (answer: WriteAnswer) => this.#settle(answer));
    thread.on('error', (error) => this.#lost(thread, error instanceof Error ? error.message : String(error)));
    thread.on('exit', (code) => this.#lost(thread, `it ended with code ${code}`));
    this.#thread = thread;
    this.#fresh = true;
    return thread;
  }

  /** A thread that is gone is forgotten, so that the next write starts another; what it wrote at is lost. */
  #lost(thread: Worker, reason: string): void {
    if (this.#thread !== thread) return;
    this.#thread = undefined;
    const message = `Expected the thread that writes checkpoints to \`${this.#folder}\` to live, but ${reason.replace(/\.$/, '')}; the next checkpoint is written by another.`;
    this.#settle({ kind: 'failed', code: 'LOCKSTEP_CHECKPOINT', message, stack: undefined });
  }
}
