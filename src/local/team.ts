/**
 * Room: local (level 6). The ranks of this machine: a Piscina pool with one long-lived task a thread, rung through the arena.
 * It promises that `obey` either returns when all ranks have finished or throws an error that names the rank, the phase and
 * the layer that failed; nothing hangs, and no thread outlives `end`. The main thread never blocks.
 */
import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import { abort, type ControlIndex, controlIndex } from '../collectives/control.ts';
import { LockstepError } from '../errors.ts';
import type { KernelSelection } from '../kernels/select.ts';
import type { Arena } from '../memory/arena.ts';
import type { RunPlan } from '../model/plan.ts';
import { phases } from '../telemetry/timing.ts';
import type { TrainingSpec } from '../train/rank.ts';
import { type Command, type RankOutcome, type RankTask, writeCommand } from './task.ts';

/**
 * How often a rank looks at a barrier before it sleeps, when every rank has a core: about a tenth of a millisecond, twice
 * what waking a sleeper costs.
 */
const spinsOnOwnCore = 20_000;

export interface TeamOptions {
  readonly plan: RunPlan;
  readonly training: TrainingSpec;
  readonly kernels: KernelSelection;
  readonly arena: Arena;
  /** The fault of one rank, for tests. */
  readonly fault?: RankTask['fault'] & { readonly rank: number };
}

export class Team {
  readonly #plan: RunPlan;
  readonly #arena: Arena;
  readonly #control: ControlIndex;
  readonly #pool: Piscina;
  /** Rejects with what the first rank to fail failed of; never resolves. */
  readonly #failure: Promise<never>;
  readonly #tasks: Promise<unknown>;
  #commands = 0;
  /** True while ranks obey a command: then only an abort ends them. */
  #busy = false;

  constructor({ plan, training, kernels, arena, fault }: TeamOptions) {
    const { ranks } = plan.spec;
    this.#plan = plan;
    this.#arena = arena;
    this.#control = controlIndex(plan.control);
    // Every task runs until the end, so threads and tasks must be as many; Piscina's own waiting and idling is of no use.
    this.#pool = new Piscina<RankTask, RankOutcome>({
      filename: new URL('./rank-worker.js', import.meta.url).href,
      minThreads: ranks,
      maxThreads: ranks,
      concurrentTasksPerWorker: 1,
      atomics: 'disabled',
      idleTimeout: Number.POSITIVE_INFINITY,
    });
    const spins = ranks <= availableParallelism() ? spinsOnOwnCore : 0;
    const tasks = Array.from({ length: ranks }, async (_, rank) => {
      const task: RankTask = { memory: arena.memory, plan: plan.spec, training, kernels, rank, spins, ...(fault?.rank === rank && { fault }) };
      return await this.#supervise(rank, this.#pool.run(task));
    });
    this.#tasks = Promise.allSettled(tasks);
    this.#failure = new Promise((_, reject) => {
      for (const task of tasks) task.catch(reject);
    });
    this.#failure.catch(() => {});
  }

  /** Gives a command to all ranks and waits until they have finished it. */
  async obey(command: Command): Promise<void> {
    const { i32 } = this.#arena;
    const { doorbell, finished } = this.#control;
    writeCommand(this.#arena, this.#control, command);
    this.#commands++;
    Atomics.store(i32, doorbell, this.#commands);
    Atomics.notify(i32, doorbell);
    this.#busy = true;
    const expected = this.#commands * this.#plan.spec.ranks;
    // `waitAsync` alone does not keep the process alive.
    const alive = setInterval(() => {}, 2 ** 30);
    try {
      for (;;) {
        const done = Atomics.load(i32, finished);
        if (done >= expected) {
          this.#busy = false;
          return;
        }
        const change = Atomics.waitAsync(i32, finished, done);
        if (change.async) await Promise.race([change.value, this.#failure]);
      }
    } finally {
      clearInterval(alive);
    }
  }

  /** Asks the ranks to stop training after the step they are in. */
  requestStop(): void {
    Atomics.store(this.#arena.i32, this.#control.stopRequest, 1);
  }

  /** Ends all ranks, whatever they do, and their threads. */
  async end(): Promise<void> {
    const { i32 } = this.#arena;
    if (this.#busy) {
      abort(this.#arena, this.#control, -1);
    } else {
      writeCommand(this.#arena, this.#control, { kind: 'end' });
      Atomics.store(i32, this.#control.doorbell, this.#commands + 1);
      Atomics.notify(i32, this.#control.doorbell);
    }
    await this.#tasks;
    await this.#pool.destroy();
  }

  /** Turns a rank's end into an error when it was not asked for, and makes its peers leave. */
  async #supervise(rank: number, task: Promise<RankOutcome>): Promise<void> {
    let outcome: RankOutcome;
    try {
      outcome = await task;
    } catch (error) {
      abort(this.#arena, this.#control, rank);
      outcome = { kind: 'failed', code: undefined, message: error instanceof Error ? error.message : String(error), stack: undefined };
    }
    if (outcome.kind !== 'failed') return;
    const cause = new Error(outcome.message);
    if (outcome.stack !== undefined) cause.stack = outcome.stack;
    throw new LockstepError(outcome.code ?? 'LOCKSTEP_RANK_FAILED', this.#explain(rank, outcome.message), { cause });
  }

  #explain(rank: number, message: string): string {
    const [step, phase, layer] = this.#arena.i32.subarray(this.#plan.ranks[rank]!.progress >>> 2, (this.#plan.ranks[rank]!.progress >>> 2) + 3);
    const where = layer! >= 0 ? ` of layer \`${this.#plan.topology.layers[layer!]!.name}\`` : '';
    const place = step! > 0 ? `in phase ${phases[phase!]}${where} at step ${step}` : 'before its first step';
    return `Rank ${rank} failed ${place}: ${message.replace(/\.$/, '')}; the run ended with the step before it.`;
  }
}
