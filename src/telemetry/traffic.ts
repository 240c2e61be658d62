/**
 * Room: telemetry (level 2). What the ranks' leader sends and receives itself: totals of a generation in arena slots that anybody
 * may read at any time. One thread writes them.
 */
import type { Address, Arena } from '../memory/arena.ts';
import type { MemoryPlan } from '../memory/plan.ts';

/** Frames and their bytes, without what WebSocket and TCP add. `gradientBytesOut`: numbers of gradients, also where the main thread sends. */
const counters = ['bytesIn', 'bytesOut', 'messagesIn', 'messagesOut', 'gradientBytesOut'] as const;
type Counter = (typeof counters)[number];
export type Traffic = Readonly<Record<Counter, number>>;

export const noTraffic: Traffic = { bytesIn: 0, bytesOut: 0, messagesIn: 0, messagesOut: 0, gradientBytesOut: 0 };

export function reserveTraffic(plan: MemoryPlan): Address {
  return plan.reserve('control', counters.length * 8);
}

export function readTraffic({ f64 }: Arena, address: Address): Traffic {
  return Object.fromEntries(counters.map((counter, i) => [counter, f64[(address >>> 3) + i]!])) as Traffic;
}

export function addTraffic(a: Traffic, b: Traffic): Traffic {
  return Object.fromEntries(counters.map((counter) => [counter, a[counter] + b[counter]])) as Traffic;
}

/** Ways to the slots of a generation, for their writer. */
export class TrafficCounter {
  readonly #f64: Float64Array;
  readonly #at: number;

  constructor({ f64 }: Arena, address: Address) {
    this.#f64 = f64;
    this.#at = address >>> 3;
  }

  received(bytes: number): void {
    this.#f64[this.#at]! += bytes;
    this.#f64[this.#at + 2]!++;
  }

  sent(bytes: number): void {
    this.#f64[this.#at + 1]! += bytes;
    this.#f64[this.#at + 3]!++;
  }

  sentGradient(bytes: number): void {
    this.#f64[this.#at + 4]! += bytes;
  }
}
