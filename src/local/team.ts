/**
 * Room: local (level 6). The ranks of this machine: a Piscina pool with one long-lived task a thread, rung through the arena.
 * It promises that `obey` either returns when all ranks have finished or were recalled, or throws an error that names the rank, the
 * phase and the layer that failed; nothing hangs, and no thread outlives `end`. The main thread never blocks.
 * A plan lasts as long as its tasks: another one begins with `begin`, on the same threads.
 */
import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import { abort, type ControlIndex, controlIndex, resetControl } from '../collectives/control.ts';
import { recall, uplinkIndex } from '../collectives/uplink.ts';
import { LockstepError } from '../errors.ts';
import type { KernelSelection } from '../kernels/select.ts';
import type { Arena } from '../memory/arena.ts';
import type { RunPlan } from '../model/plan.ts';
import { phases } from '../telemetry/timing.ts';
import { noStep } from '../train/loop.ts';
import type { TrainingSpec } from '../train/rank.ts';
import { type Command, type RankOutcome, type RankTask, type StepSockets, writeCommand } from './task.ts';

/**
 * The most looks at a barrier before a rank sleeps, when every rank has a core: some tenths of a millisecond, as long as
 * ranks usually are apart. Waking a sleeper costs a quarter of that, at each of a step's meetings.
 */
const spinsOnOwnCore = 200_000;

export interface TeamOptions {
  readonly ranks: number;
  readonly training: TrainingSpec;
  readonly kernels: KernelSelection;
  /** The module whose default export runs a rank; absent: that of a machine alone. */
  readonly worker?: URL;
  /** The fault of one rank, for tests. */
  readonly fault?: RankTask['fault'] & { readonly rank: number };
}

/** How a command ended: `recalled` when its step was given up because another host was lost. */
export type Obeyed = 'finished' | 'recalled';

export class Team {
  readonly #options: TeamOptions;
  readonly #pool: Piscina;
  #plan!: RunPlan;
  #arena!: Arena;
  #control!: ControlIndex;
  #tasks: Promise<unknown> = Promise.resolve();
  /** What the first rank to fail failed of. */
  #failure: LockstepError | undefined;
  #commands = 0;
  /** Ranks that have left their step because they were recalled, or because all are to rest. */
  #left = 0;
  /** True while ranks obey a command: then only an abort ends them. */
  #busy = false;
  #leaderCarries = false;

  constructor(options: TeamOptions) {
    const { ranks } = options;
    this.#options = options;
    // Every task runs until the end, so threads and tasks must be as many; Piscina's own waiting and idling is of no use.
    this.#pool = new Piscina<RankTask, RankOutcome>({
      filename: (options.worker ?? new URL('./rank-worker.js', import.meta.url)).href,
      minThreads: ranks,
      maxThreads: ranks,
      concurrentTasksPerWorker: 1,
      atomics: 'disabled',
      idleTimeout: Number.POSITIVE_INFINITY,
      // Node 20 aborts the process when a thread is ended while it requires an ES module, and Piscina tries `require` before `import`.
      execArgv: ['--no-experimental-require-module'],
      // A rank makes no garbage but clock readings; more room would only be touched bit by bit.
      resourceLimits: { maxYoungGenerationSizeMb: 2 },
    });
    // A thread that dies idle, or its replacement, is no failure of the run: tasks tell their own.
    this.#pool.on('error', () => {});
  }

  /**
   * Lets the ranks go on with `plan`, of which the scratch must be zeroed; those of the plan before have ended (`rest`). With `steps`
   * the leader carries messages to other hosts itself.
   */
  begin(plan: RunPlan, arena: Arena, steps?: StepSockets): void {
    const { ranks, training, kernels, fault } = this.#options;
    this.#plan = plan;
    this.#arena = arena;
    this.#control = controlIndex(plan.control);
    this.#leaderCarries = steps !== undefined;
    this.#commands = 0;
    this.#left = 0;
    resetControl(arena, this.#control);
    const spins = ranks <= availableParallelism() ? spinsOnOwnCore : 0;
    const tasks = Array.from({ length: ranks }, async (_, rank) => {
      const task: RankTask = { memory: arena.memory, plan: plan.spec, training, kernels, rank, spins, ...(steps && { steps }), ...(fault?.rank === rank && { fault }) };
      await this.#supervise(rank, this.#pool.run(task));
    });
    this.#tasks = Promise.all(tasks);
  }

  /** Gives a command to all ranks and waits until they have finished it, or left it because of a recall. */
  async obey(command: Command): Promise<Obeyed> {
    const { i32 } = this.#arena;
    const { doorbell, finished } = this.#control;
    writeCommand(this.#arena, this.#control, command);
    this.#commands++;
    Atomics.store(i32, doorbell, this.#commands);
    Atomics.notify(i32, doorbell);
    this.#busy = true;
    const { ranks } = this.#options;
    const expected = this.#commands * ranks;
    // `waitAsync` alone does not keep the process alive.
    const alive = setInterval(() => {}, 2 ** 30);
    try {
      for (;;) {
        const done = Atomics.load(i32, finished);
        if (this.#failure) throw this.#failure;
        if (this.#left === ranks) return 'recalled';
        if (done >= expected) return 'finished';
        const change = Atomics.waitAsync(i32, finished, done);
        if (change.async) await change.value;
      }
    } finally {
      // A failure leaves ranks behind which only an abort ends.
      this.#busy = this.#failure !== undefined;
      clearInterval(alive);
    }
  }

  /** Asks the ranks, if there are any, to stop training after the step they are in; `false` takes that back. */
  requestStop(asked = true): void {
    if (this.#arena) Atomics.store(this.#arena.i32, this.#control.stopRequest, asked ? 1 : 0);
  }

  /** Asks the ranks, if there are any, to look closely at a step soon. */
  observe(): void {
    if (this.#arena) Atomics.add(this.#arena.i32, this.#control.observeRequest, 1);
  }

  /** Makes ranks that wait for other hosts leave their step, if there are any. A main thread that carries counts nothing after it. */
  recall(): void {
    if (this.#arena && this.#plan.uplink !== 0) recall(this.#arena, uplinkIndex(this.#plan.uplink), this.#leaderCarries);
  }

  /** Ends all ranks, whatever they do; the threads stay for another plan. */
  async rest(): Promise<void> {
    if (this.#busy) {
      abort(this.#arena, this.#control, -1);
    } else if (this.#arena) {
      const { i32 } = this.#arena;
      writeCommand(this.#arena, this.#control, { kind: 'end' });
      Atomics.store(i32, this.#control.doorbell, this.#commands + 1);
      Atomics.notify(i32, this.#control.doorbell);
    }
    await this.#tasks;
  }

  /** Ends all ranks and their threads. */
  async end(): Promise<void> {
    await this.rest();
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
    if (outcome.kind === 'recalled' || outcome.kind === 'aborted') {
      this.#left++;
      Atomics.notify(this.#arena.i32, this.#control.finished);
    }
    if (outcome.kind !== 'failed') return;
    const cause = new Error(outcome.message);
    if (outcome.stack !== undefined) cause.stack = outcome.stack;
    this.#failure ??= new LockstepError(outcome.code ?? 'LOCKSTEP_RANK_FAILED', this.#explain(rank, outcome.message), { cause });
    // Wakes `obey`. Both run in this thread, so it waits already or will see the failure before it does.
    Atomics.notify(this.#arena.i32, this.#control.finished);
  }

  #explain(rank: number, message: string): string {
    const at = this.#plan.ranks[rank]!.progress >>> 2;
    const [step, phase, layer] = this.#arena.i32.subarray(at, at + 3) as unknown as [number, number, number];
    const where = `in phase ${phases[phase]}${layer >= 0 ? ` of layer \`${this.#plan.topology.layers[layer]!.name}\`` : ''}`;
    const reason = message.replace(/\.$/, '');
    if (step === noStep) return `Rank ${rank} failed ${where} of an evaluation: ${reason}; the run ended there.`;
    if (step === 0) return `Rank ${rank} failed while it started: ${reason}; the run did not begin.`;
    return `Rank ${rank} failed ${where} at step ${step}: ${reason}; the run ended with the step before it.`;
  }
}
