/**
 * Room: local (level 6). The ranks of this machine: a Piscina pool with one long-lived task a thread, rung through the arena.
 * It promises that `obey` returns when all ranks have finished, were recalled, or one of them has died, of which the rank, the phase and
 * the layer are known; nothing hangs, and no thread outlives `end`. The main thread never blocks.
 * A plan lasts as long as its tasks: another one begins with `begin`, on the same threads.
 */
import type { Piscina } from 'piscina';
import { abort, type ControlIndex, controlIndex, resetControl } from '../collectives/control.ts';
import { recall, uplinkIndex } from '../collectives/uplink.ts';
import type { KernelSelection } from '../kernels/select.ts';
import type { Arena } from '../memory/arena.ts';
import type { RunPlan } from '../model/plan.ts';
import { resetPulse } from '../telemetry/timing.ts';
import type { TrainingSpec } from '../train/rank.ts';
import { Endings } from './endings.ts';
import { failureError, failureOf, heldError, type RankFailure } from './failures.ts';
import { openRankPool, spinsOf } from './rank-pool.ts';
import { type Command, type RankFault, type RankOutcome, type RankTask, type StepSockets, writeCommand } from './task.ts';
import { defaultVigil, mostShards, Vigil, type VigilOptions } from './vigil.ts';
import { Waking } from './waking.ts';

export interface TeamOptions {
  readonly ranks: number;
  readonly training: TrainingSpec;
  readonly kernels: KernelSelection;
  /** The module whose default export runs a rank; absent: that of a machine alone. */
  readonly worker?: URL;
  /** When a rank is taken for stuck; absent: `defaultVigil`. */
  readonly vigil?: VigilOptions;
  /** Told every command before the ranks are. */
  readonly onCommand?: (command: Command) => void;
  /** The fault of one rank, for tests. */
  readonly fault?: RankFault & { readonly rank: number };
}

/** How a command ended: `recalled` when its step was given up because another host was lost, `stumbled` when a rank died. */
export type Obeyed = 'finished' | 'recalled' | 'stumbled';

export class Team {
  readonly #options: TeamOptions;
  readonly #pool: Piscina;
  #plan!: RunPlan;
  #arena!: Arena;
  #control!: ControlIndex;
  #tasks: Promise<unknown> = Promise.resolve();
  /** What the first rank to fail failed of. */
  #failure: RankFailure | undefined;
  /** How often the fault that was asked for may come yet. */
  #faultsLeft: number;
  readonly #vigil: Vigil;
  /** By rank: ends its thread. */
  readonly #ends: AbortController[] = [];
  /** Threads that were ended from outside. */
  readonly #endings = new Endings();
  /** Ranks that have ended, or are being ended. */
  readonly #ended = new Set<number>();
  #commands = 0;
  /** Ranks that have left their step because they were recalled, or because all are to rest. */
  #left = 0;
  /** True while ranks obey a command: then only an abort ends them. */
  #busy = false;
  #leaderCarries = false;
  /** True once ranks were told to leave their steps: until the next plan. */
  #recalled = false;
  /** True once ranks have started well. */
  #hasWorked = false;

  constructor(options: TeamOptions) {
    const { ranks, fault } = options;
    this.#options = options;
    this.#vigil = new Vigil(options.vigil ?? defaultVigil);
    this.#faultsLeft = fault?.times ?? Number.POSITIVE_INFINITY;
    this.#pool = openRankPool(ranks, options.worker ?? new URL('./rank-worker.js', import.meta.url));
  }

  /**
   * Lets the ranks go on with `plan`, of which the scratch must be zeroed; those of the plan before have ended (`rest`). With `steps`
   * the leader carries messages to other hosts itself.
   */
  begin(plan: RunPlan, arena: Arena, steps?: StepSockets): void {
    const { ranks, training, kernels, fault } = this.#options;
    if (this.#plan) this.#vigil.expect(mostShards(this.#plan), mostShards(plan));
    for (const { times } of plan.ranks) resetPulse(arena, times);
    this.#plan = plan;
    this.#arena = arena;
    this.#control = controlIndex(plan.control);
    this.#leaderCarries = steps !== undefined;
    this.#commands = 0;
    this.#left = 0;
    this.#busy = false;
    this.#recalled = false;
    this.#failure = undefined;
    this.#ended.clear();
    resetControl(arena, this.#control);
    const spins = spinsOf(ranks);
    const tasks = Array.from({ length: ranks }, async (_, rank) => {
      const task: RankTask = {
        memory: arena.memory,
        plan: plan.spec,
        training,
        kernels,
        rank,
        spins,
        ...(steps && { steps }),
        ...(fault?.rank === rank && this.#faultsLeft > 0 && { fault }),
      };
      const end = new AbortController();
      this.#ends[rank] = end;
      await this.#supervise(rank, this.#pool.run(task, { signal: end.signal }));
    });
    this.#tasks = Promise.all(tasks);
  }

  /** The rank that made the last command stumble, if one did. */
  get failure(): RankFailure | undefined {
    return this.#failure;
  }

  /**
   * Gives a command to all ranks and waits until they have finished it, or left it because of a recall or of a rank that died. Throws
   * what a rank found against the rules, and what befell one while it started: that would come again.
   */
  async obey(command: Command): Promise<Obeyed> {
    const { i32 } = this.#arena;
    const { doorbell, finished } = this.#control;
    this.#options.onCommand?.(command);
    // Before anybody can have made a step.
    this.#vigil.begin(this.#arena, this.#plan, performance.now(), command.kind === 'train' || command.kind === 'complete');
    if (this.#recalled) this.#vigil.dismiss();
    writeCommand(this.#arena, this.#control, command);
    this.#commands++;
    Atomics.store(i32, doorbell, this.#commands);
    Atomics.notify(i32, doorbell);
    this.#busy = true;
    const { ranks } = this.#options;
    const expected = this.#commands * ranks;
    const waking = new Waking(i32, finished);
    const look = (): void => {
      this.#endStuck();
      waking.wake();
    };
    // It also keeps the process alive, which waiting for a word alone does not.
    const watch = setInterval(look, this.#everyMs);
    try {
      for (;;) {
        const done = Atomics.load(i32, finished);
        if (this.#failure) {
          if (this.#failure.code !== undefined || (this.#failure.step === 0 && !this.#hasWorked))
            throw failureError(this.#failure, 'the run ended with the step before it');
          this.#hasWorked ||= this.#failure.step !== 0;
          return 'stumbled';
        }
        if (this.#left === ranks) return 'recalled';
        if (done >= expected) {
          this.#hasWorked = true;
          return 'finished';
        }
        await waking.unless(done);
      }
    } finally {
      // A failure leaves ranks behind which only an abort ends.
      this.#busy = this.#failure !== undefined;
      clearInterval(watch);
      waking.stop();
      this.#vigil.end(this.#arena, this.#plan, performance.now());
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
    if (!this.#arena || this.#plan.uplink === 0) return;
    this.#recalled = true;
    this.#vigil.dismiss();
    recall(this.#arena, uplinkIndex(this.#plan.uplink), this.#leaderCarries);
  }

  /**
   * Ends all ranks, whatever they do; the threads stay for another plan. Throws LOCKSTEP_STATE, once, when one does not end: whatever holds it may
   * write to the memory of the ranks yet.
   */
  async rest(): Promise<void> {
    if (this.#busy) {
      abort(this.#arena, this.#control, -1);
    } else if (this.#arena) {
      const { i32 } = this.#arena;
      writeCommand(this.#arena, this.#control, { kind: 'end' });
      Atomics.store(i32, this.#control.doorbell, this.#commands + 1);
      Atomics.notify(i32, this.#control.doorbell);
    }
    // Who is stuck does not see that it is to leave.
    this.#vigil.dismiss();
    const watch = setInterval(() => this.#endStuck(), this.#everyMs);
    await this.#tasks.finally(() => clearInterval(watch));
    if (!(await this.#endings.done())) throw heldError(this.#failure);
  }

  /** Ends all ranks and their threads. */
  async end(): Promise<void> {
    await this.rest().finally(() => this.#pool.destroy());
  }

  get #everyMs(): number {
    return this.#options.vigil?.everyMs ?? defaultVigil.everyMs;
  }

  /** Ends the thread of a rank that is stuck: its death is then told like any other. */
  #endStuck(): void {
    const stuck = this.#arena && this.#vigil.look(this.#arena, this.#plan, performance.now(), this.#ended);
    if (!stuck) return;
    this.#ended.add(stuck.rank);
    const { threads } = this.#pool;
    this.#ends[stuck.rank]!.abort(new Error(`it neither went on nor waited for ${Math.round(stuck.forMs / 1000)} s and was ended`));
    const removed = threads.filter((thread) => !this.#pool.threads.includes(thread));
    // It may also die of an error meanwhile, which its task tells.
    for (const thread of removed) this.#endings.add(thread);
  }

  /** Turns a rank's end into an error when it was not asked for, and makes its peers leave. */
  async #supervise(rank: number, task: Promise<RankOutcome>): Promise<void> {
    let outcome: RankOutcome;
    try {
      outcome = await task;
    } catch (error) {
      abort(this.#arena, this.#control, rank);
      const { signal } = this.#ends[rank]!;
      const { message } = (signal.aborted ? signal.reason : error) as Error;
      outcome = { kind: 'failed', code: undefined, message, stack: undefined };
    }
    this.#ended.add(rank);
    if (outcome.kind === 'recalled' || outcome.kind === 'aborted') {
      this.#left++;
      Atomics.notify(this.#arena.i32, this.#control.finished);
    }
    if (outcome.kind !== 'failed') return;
    if (rank === this.#options.fault?.rank) this.#faultsLeft--;
    this.#failure ??= failureOf(this.#arena, this.#plan, rank, outcome);
    // Wakes `obey`. Both run in this thread, so it waits already or will see the failure before it does.
    Atomics.notify(this.#arena.i32, this.#control.finished);
  }
}
