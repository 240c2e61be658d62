/**
 * Room: scripts (level 8). One run of chaos: starts its cast, lets the planned faults happen as its steps go by, starts again who died,
 * and judges how it ended.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { stepFolders, verify } from '../../src/checkpoint/inspect.ts';
import { Cast, type Slot } from './cast.ts';
import type { Fault, InsideFault, RunPlan } from './schedule.ts';
import { Strikes } from './strikes.ts';
import { StepWatch } from './tail.ts';
import { threadsOf } from './threads.ts';

/** Longer than any recovery takes, on the slowest machine: nobody is taken for stuck later than two minutes and the time that its thread may take to end. */
const hangMs = 150_000;
const lookMs = 4;
/** From the release of hosts to the end of who leads. */
const releaseMs = 10_000;

export type Verdict = 'same bits' | 'wrong bits' | 'hang' | 'failed';

interface FaultOutcome {
  readonly fault: Fault;
  /** False when the run never came to it: its process was not there, or the run had ended. */
  readonly happened: boolean;
  /** The longest time without a committed step from then until the next fault. */
  readonly gapMs?: number;
}

export interface RunOutcome {
  readonly plan: RunPlan;
  readonly verdict: Verdict;
  /** What is wrong, if something is. */
  readonly detail: string;
  /** Of a hang: what each process said last, and what its threads are doing. */
  readonly findings: readonly string[];
  readonly seconds: number;
  readonly faults: readonly FaultOutcome[];
}

export interface RunOrder {
  readonly plan: RunPlan;
  /** Where its processes write. */
  readonly folder: string;
  readonly config: string;
  /** The weights of the undisturbed run. */
  readonly expected: string;
  readonly signal: AbortSignal;
}

/** Rejects when `signal` is aborted; no process is left in any case. */
export async function runChaos(order: RunOrder): Promise<RunOutcome> {
  const course = new Course(order);
  try {
    return await course.go();
  } finally {
    await course.dispose();
  }
}

class Course {
  readonly #order: RunOrder;
  readonly #watch = new StepWatch();
  /** When each fault happened. */
  readonly #happened = new Map<Fault, number>();
  readonly #struck = new Set<Fault>();
  /** Hosts that ended well by themselves, and when. */
  readonly #released = new Map<Slot, number>();
  readonly #began = performance.now();
  #cast: Cast | undefined;
  #strikes!: Strikes;

  constructor(order: RunOrder) {
    this.#order = order;
  }

  async go(): Promise<RunOutcome> {
    const { plan, folder, config, signal } = this.#order;
    this.#cast = await Cast.gather(plan, folder, config, (slot) => this.#next(slot));
    this.#strikes = new Strikes(this.#cast);
    this.#watch.follow(this.#cast.slots[0]!.current.log);
    for (;;) {
      await pause(lookMs, undefined, { signal });
      const trouble = await this.#look(performance.now());
      if (trouble !== undefined) return this.#outcome(...trouble, trouble[0] === 'hang' ? await this.#examine() : []);
    }
  }

  async dispose(): Promise<void> {
    this.#strikes?.dispose();
    await this.#cast?.dispose();
  }

  /** The fault from inside that a process of this slot is to carry when it is started now. */
  #next(slot: number): InsideFault | undefined {
    const isNext = (fault: Fault): fault is InsideFault => fault.place === 'inside' && fault.slot === slot && !this.#happened.has(fault) && fault.at > this.#watch.step;
    return this.#order.plan.faults.find(isNext);
  }

  /** How the run ended, once it has. */
  async #look(now: number): Promise<[Verdict, string] | undefined> {
    const { plan, expected } = this.#order;
    const [leader] = this.#cast!.slots;
    const gone = leader!.current.exit !== undefined;
    this.#watch.look(now);
    this.#listen(now);
    const { end, step, advances } = this.#watch;
    if (gone && end) {
      if (end.steps !== plan.steps) return ['failed', `the run ended after ${end.steps} of ${plan.steps} steps`];
      return end.weightsSha256 === expected ? ['same bits', ''] : ['wrong bits', `expected ${expected}, got ${end.weightsSha256}`];
    }
    for (const slot of this.#cast!.slots) {
      const wrong = await this.#mend(slot, now);
      if (wrong !== undefined) return ['failed', wrong];
    }
    for (const fault of plan.faults) {
      if (fault.place === 'inside' || this.#struck.has(fault) || fault.at > step) continue;
      this.#struck.add(fault);
      this.#strikes.strike(fault, this.#cast!.slots[fault.slot]!, () => this.#happened.set(fault, performance.now()));
    }
    const still = now - Math.max(advances.at(-1) ?? 0, this.#began);
    return still > hangMs ? ['hang', `no step was committed for ${Math.round(still / 1000)} s after step ${step}`] : undefined;
  }

  /** Ranks that failed are told of by their process, or by the one that leads. */
  #listen(now: number): void {
    const { slots } = this.#cast!;
    const lines = slots.flatMap(({ current }) => current.news());
    for (const { current } of slots) {
      const { carries } = current;
      if (!carries || carries.kind === 'kill') continue;
      const sentence = new RegExp(`\\brank ${carries.rank} failed in .*\\bstep ${carries.at}\\b`, 'i');
      if (lines.some((line) => sentence.test(line))) this.#note(carries, now);
    }
  }

  #note(fault: Fault, now: number): void {
    if (!this.#happened.has(fault)) this.#happened.set(fault, now);
  }

  /** Starts again who died of a fault. Says what is wrong when it died of nothing that was done to it. */
  async #mend(slot: Slot, now: number): Promise<string | undefined> {
    const { exit, carries, doomed, name } = slot.current;
    if (!exit) return undefined;
    const fell = !doomed && carries?.kind === 'kill' && exit.signal === 'SIGKILL';
    if (fell) this.#note(carries, now);
    const isOver = this.#watch.step >= this.#order.plan.steps;
    // Hosts are released when the run is over, and may be seen to end before the last lines of its log.
    if (slot.index > 0 && !doomed && !isOver && exit.code === 0) {
      const since = this.#released.get(slot) ?? now;
      this.#released.set(slot, since);
      if (now - since < releaseMs) return undefined;
    }
    if (!doomed && !fell && !(isOver && exit.code === 0)) return `${name} ended with ${exit.code ?? exit.signal} by itself at step ${this.#watch.step}`;
    // A leader that was killed after its last step has still to tell its weights.
    if (slot.index > 0 && (isOver || slot.guest)) return undefined;
    if (slot.index === 0) {
      const damaged = await this.#damaged();
      if (damaged !== undefined) return damaged;
    }
    slot.current = slot.begin(this.#next(slot.index));
    if (slot.index === 0) this.#watch.follow(slot.current.log);
    return undefined;
  }

  /** What is wrong with the checkpoints that a death left. */
  async #damaged(): Promise<string | undefined> {
    const folder = join(this.#cast!.runDirectory, 'checkpoints');
    for (const entry of await stepFolders(folder)) {
      const { reason } = await verify(folder, entry);
      if (reason !== undefined) return `a death left ${entry.name} damaged: ${reason}`;
    }
    return undefined;
  }

  async #examine(): Promise<string[]> {
    const examined = this.#cast!.slots.map(async ({ current: { name, exit, child, output } }) => {
      if (exit) return [];
      const said = readFileSync(output, 'utf8').trimEnd().split('\n').at(-1)!;
      return [`${name} said last: ${said}`, ...(await threadsOf(child.pid!)).map((line) => `${name}, ${line}`)];
    });
    return (await Promise.all(examined)).flat();
  }

  #outcome(verdict: Verdict, detail: string, findings: readonly string[]): RunOutcome {
    const { plan } = this.#order;
    const moments = [...this.#happened.values()].sort((a, b) => a - b);
    const faults = plan.faults.map((fault): FaultOutcome => {
      const at = this.#happened.get(fault);
      if (at === undefined) return { fault, happened: false };
      const next = moments.find((moment) => moment > at) ?? Number.POSITIVE_INFINITY;
      return { fault, happened: true, gapMs: this.#watch.longestGap(at, next) };
    });
    return { plan, verdict, detail, findings, seconds: (performance.now() - this.#began) / 1000, faults };
  }
}
