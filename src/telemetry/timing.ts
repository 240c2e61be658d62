/**
 * Room: telemetry (level 2). Where a rank's time goes: seconds by phase, summed over the run in arena slots that anybody may
 * read at any time. Time spent waiting for other ranks is a phase of its own, so a straggler shows in its peers.
 */
import type { Address, Arena } from '../memory/arena.ts';
import type { MemoryPlan } from '../memory/plan.ts';
import type { Recorder } from './recording.ts';

/**
 * Phases of a step, in order. `bn_sync` is the merging of batch normalization's statistics, `wait` time at barriers, and `network` time of sending to other
 * hosts and of waiting for them, wherever it was spent.
 */
export const phases = ['data', 'forward', 'loss', 'bn_sync', 'backward', 'reduce', 'clip', 'optimizer', 'commit', 'wait', 'network'] as const;
export type Phase = (typeof phases)[number];
export const phaseIndex = Object.fromEntries(phases.map((phase, i) => [phase, i])) as Record<Phase, number>;

export function reserveTimes(plan: MemoryPlan): Address {
  return plan.reserve('control', phases.length * 8 + 8);
}

/** Seconds of each phase that the rank whose times are at `address` has spent so far. */
export function readTimes({ f64 }: Arena, address: Address): Record<Phase, number> {
  return Object.fromEntries(phases.map((phase, i) => [phase, f64[(address >>> 3) + i]!])) as Record<Phase, number>;
}

/** What a rank's clock says at a moment: whether it waits for others, and a number that changes as long as the rank goes on. */
export function readPulse({ i32 }: Arena, address: Address): { readonly waits: boolean; readonly beats: number } {
  const at = (address >>> 2) + 2 * phases.length;
  return { waits: isWaiting(i32[at]!), beats: i32[at + 1]! };
}

/** As before a rank's first sign of life. */
export function resetPulse({ i32 }: Arena, address: Address): void {
  const at = (address >>> 2) + 2 * phases.length;
  i32.fill(0, at, at + 2);
}

function isWaiting(phase: number): boolean {
  return phase === phaseIndex.wait || phase === phaseIndex.network;
}

/** A stopwatch that gives every moment to exactly one phase. */
export class PhaseClock {
  readonly #f64: Float64Array;
  readonly #i32: Int32Array;
  readonly #at: number;
  /** The words of the pulse: phase, beats. */
  readonly #pulse: number;
  /** [time of the last switch], in an array because a changing double in a field would be allocated anew. */
  readonly #last = new Float64Array(1);
  readonly #recorder: Recorder | undefined;
  #phase = 0;

  /** `recorder` is told of every switch. */
  constructor(arena: Arena, address: Address, recorder?: Recorder) {
    this.#f64 = arena.f64;
    this.#i32 = arena.i32;
    this.#at = address >>> 3;
    this.#pulse = (address >>> 2) + 2 * phases.length;
    this.#recorder = recorder;
    this.#last[0] = performance.now();
  }

  /** The time since the last switch goes to the phase before; from now on time goes to `phase`. Returns the phase before. */
  enter(phase: number): number {
    const now = performance.now();
    const before = this.#phase;
    this.#f64[this.#at + before]! += (now - this.#last[0]!) / 1000;
    this.#last[0] = now;
    this.#phase = phase;
    this.#pulsate(phase);
    this.#recorder?.enter(phase);
    return before;
  }

  /** Starts anew without giving the time since the last switch to anybody. */
  restart(phase: number): void {
    this.#last[0] = performance.now();
    this.#phase = phase;
    this.#pulsate(phase);
  }

  /** The rank goes on, in the phase that it is in. */
  beat(): void {
    this.#i32[this.#pulse + 1] = (this.#i32[this.#pulse + 1]! + 1) | 0;
  }

  #pulsate(phase: number): void {
    this.#i32[this.#pulse] = phase;
    this.beat();
  }
}
