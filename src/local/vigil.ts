/**
 * Room: local (level 6). The watch over ranks that neither go on nor wait for anybody: a pure judge of what their clocks say, asked
 * again and again. What it has not seen happen it does not blame: a process that was stopped for a while has stuck ranks for one look only.
 */

import type { Arena } from '../memory/arena.ts';
import type { RunPlan } from '../model/plan.ts';
import { stoodStep } from '../model/standing.ts';
import { readPulse } from '../telemetry/timing.ts';

export interface VigilOptions {
  /** Between two looks, ms. */
  readonly everyMs: number;
  /** A rank is stuck after no less time than this without a sign, ms. */
  readonly floorMs: number;
  /** And no less than so many median steps. */
  readonly steps: number;
  /** Before a step was seen nobody knows how long one takes: then this counts, ms. */
  readonly unmeasuredMs: number;
}

export const defaultVigil: VigilOptions = { everyMs: 250, floorMs: 10_000, steps: 8, unmeasuredMs: 120_000 };

/** Steps that the median is of. */
const remembered = 64;

export interface Stuck {
  readonly rank: number;
  readonly forMs: number;
}

/** Of a rank: what a step takes goes by it. */
export function mostShards({ shards: { ranks } }: RunPlan): number {
  return Math.max(...ranks.map(({ count }) => count));
}

export class Vigil {
  readonly #options: VigilOptions;
  #seen: { beats: number; unchangedMs: number }[] = [];
  #lookedAt = 0;
  #step = 0;
  /** Of the step that is under way, ms. */
  #stepMs = 0;
  #stepsMs: number[] = [];
  #hasSteps = true;
  /** All are to leave. */
  #dismissed = false;

  constructor(options: VigilOptions) {
    this.#options = options;
  }

  /**
   * A command is about to begin: what was seen before says nothing. Only of `steps` is it known how long they take: batches of an evaluation may be many
   * times as large.
   */
  begin(arena: Arena, plan: RunPlan, now: number, steps: boolean): void {
    this.#hasSteps = steps;
    this.#seen = [];
    this.#dismissed = false;
    this.#lookedAt = now;
    this.#step = stoodStep(arena, plan);
    this.#stepMs = 0;
  }

  /** The rank that has been stuck for longest, if one is. Those that have `ended` are not looked at. `now` in ms, of a clock that does not jump. */
  look(arena: Arena, plan: RunPlan, now: number, ended: ReadonlySet<number> = new Set()): Stuck | undefined {
    const elapsed = this.#time(arena, plan, now);
    const pulses = plan.ranks.map(({ times }) => readPulse(arena, times));
    // Where all are to leave, they wait for those that go on.
    const excused = !this.#dismissed || pulses.some(({ beats }, rank) => this.#seen[rank]?.beats !== beats);
    let stuck: Stuck | undefined;
    for (const [rank, { waits, beats }] of pulses.entries()) {
      const before = this.#seen[rank];
      const unchangedMs = before?.beats === beats && !(waits && excused) ? before.unchangedMs + elapsed : 0;
      this.#seen[rank] = { beats, unchangedMs };
      // Who has not begun may be long about it: its thread starts, plans and compiles.
      const deadlineMs = beats === 0 ? this.#options.unmeasuredMs : this.#deadlineMs;
      if (!ended.has(rank) && unchangedMs > deadlineMs && unchangedMs > (stuck?.forMs ?? 0)) stuck = { rank, forMs: unchangedMs };
    }
    return stuck;
  }

  /** A rank will have so many shards where it had `before`: steps may take as much longer. */
  expect(before: number, shards: number): void {
    if (shards > before) this.#stepsMs = before === 0 ? [] : this.#stepsMs.map((ms) => (ms * shards) / before);
  }

  /** The command is over: how long its steps took is known also when it was shorter than the time between two looks. */
  end(arena: Arena, plan: RunPlan, now: number): void {
    this.#time(arena, plan, now);
  }

  /** From now on all are to leave: who waits for anybody is stuck, too. Until the next command begins. */
  dismiss(): void {
    this.#dismissed = true;
  }

  get #deadlineMs(): number {
    const { floorMs, steps, unmeasuredMs } = this.#options;
    if (this.#stepsMs.length === 0 || !this.#hasSteps) return unmeasuredMs;
    const median = this.#stepsMs.toSorted((a, b) => a - b)[this.#stepsMs.length >>> 1]!;
    return Math.max(floorMs, steps * median);
  }

  /** Takes note of the steps since the last look, and returns the time since then, ms. */
  #time(arena: Arena, plan: RunPlan, now: number): number {
    // A look that comes late saw nothing of the time between.
    const elapsed = Math.min(now - this.#lookedAt, 2 * this.#options.everyMs);
    this.#lookedAt = now;
    this.#stepMs += elapsed;
    const step = stoodStep(arena, plan);
    const steps = step - this.#step;
    this.#step = step;
    if (steps <= 0) return elapsed;
    this.#stepsMs = [...this.#stepsMs, this.#stepMs / steps].slice(-remembered);
    this.#stepMs = 0;
    return elapsed;
  }
}
