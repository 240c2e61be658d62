/**
 * Room: collectives (level 3). A rank's way to other hosts: words of the arena by which the leader (rank 0) says what is there to
 * be sent, and whoever carries messages says what has come. Only counts cross; who sends what where is known from the plan.
 *
 *   leader --outbox entries, outgoing--> carrier --messages--> other hosts
 *   ranks <--counts of what has come-- carrier <--messages, straight into the arena--
 *
 * The carrier is the leader itself, whenever it waits, or the main thread. Every count begins at 0 with a generation and only
 * grows. When a generation is recalled the carrier first stops counting, then says so: a wait for a count that was reached goes
 * on, any other ends, for every rank the same ones.
 */
import type { Address, Arena } from '../memory/arena.ts';
import type { MemoryPlan } from '../memory/plan.ts';
import { throwIfAborted } from './barrier.ts';
import type { ControlIndex } from './control.ts';

const lineBytes = 64;

/** What ranks wait for; each word counts completed ones. */
export const arrivals = [
  /** Sync points of which all other hosts' blocks (star: the merged block) are there. */
  'statistics',
  /** Buckets to which all other hosts have contributed their gradients, where this host reduces. */
  'contributions',
  /** Steps of which the global gradient is there. */
  'reduced',
  /** Coordinator: how often all other hosts' loss and square sums have come. */
  'sums',
  /** Verdicts on steps, from the coordinator. */
  'verdicts',
  /** Coordinator: how often all other hosts' findings have come. */
  'findings',
  /** Bulk entries of the outbox that have left the arena, so that their places may be written again. */
  'flushed',
] as const;
export type Arrival = (typeof arrivals)[number];

/**
 * What the leader announces, each with the index of an area or bucket (0 where there is none). `stood`: a host without shards has
 * finished a step; nothing is sent, but gradients of the next one may come.
 */
export const outboxKinds = ['statistics', 'merged', 'contribution', 'reduced', 'losses', 'sums', 'verdict', 'findings', 'stood'] as const;
export type OutboxKind = (typeof outboxKinds)[number];

/** Entries on their way at once; a leader waits for other hosts long before it is so far ahead. A power of two. */
const outboxLength = 1024;

/** `recallAsked`: the main thread wants the generation recalled by a leader that carries. `recalled`: nothing is counted any more. */
const words = [...arrivals, 'outgoing', 'recallAsked', 'recalled'] as const;

/** Reserved in every generation anew, hence zeroed. */
export function reserveUplink(plan: MemoryPlan): Address {
  return plan.reserve('control', words.length * lineBytes + outboxLength * 8);
}

/** Index into `arena.i32` of every word, and of the outbox. */
export type UplinkIndex = Readonly<Record<(typeof words)[number] | 'outbox', number>>;

export function uplinkIndex(address: Address): UplinkIndex {
  const entries = [...words, 'outbox'].map((word, line) => [word, (address + line * lineBytes) >>> 2]);
  return Object.fromEntries(entries) as UplinkIndex;
}

/** Sends and receives in the leader's own thread, while it waits. Made for one generation. */
export interface Carrier {
  /** True when computing ranks should let it work now and then: it has something to send, or much may come meanwhile. */
  readonly isBusy: boolean;
  /** True while something announced has not left. */
  readonly isSending: boolean;
  /** An entry of the outbox is there to be sent: as much as the network takes leaves at once. */
  announced(kind: OutboxKind, index: number): void;
  /** Sends and receives what it can; sleeps up to `ms` when nothing came, and nothing left as a whole. Counts arrivals. */
  work(ms: number): void;
}

/** Entry number `entry` of the outbox: [kind, index]. */
export function readOutbox({ i32 }: Arena, { outbox }: UplinkIndex, entry: number): readonly [kind: OutboxKind, index: number] {
  const at = outbox + 2 * (entry & (outboxLength - 1));
  return [outboxKinds[i32[at]!]!, i32[at + 1]!];
}

/** One more of `word` has come. */
export function countArrival({ i32 }: Arena, index: UplinkIndex, word: Arrival): void {
  Atomics.add(i32, index[word], 1);
  Atomics.notify(i32, index[word]);
}

/** Main thread: makes ranks leave. Where the main thread carries, it counts nothing afterwards. */
export function recall({ i32 }: Arena, index: UplinkIndex, leaderCarries: boolean): void {
  if (leaderCarries) Atomics.store(i32, index.recallAsked, 1);
  else sayRecalled(i32, index);
}

function sayRecalled(i32: Int32Array, index: UplinkIndex): void {
  Atomics.store(i32, index.recalled, 1);
  for (const word of arrivals) Atomics.notify(i32, index[word]);
}

/** Thrown in ranks whose generation was recalled: the step they are in is forgotten. */
export class Recalled extends Error {
  override readonly name = 'Recalled';
}

/** Looks before sleeping: some microseconds. Whoever carries needs a core to bring what is waited for. */
const fewestSpins = 500;
/** How long a sleeper sleeps before it looks at the words that wake nobody here (abort, recallAsked), ms. */
const lookAgainMs = 20;

export class Uplink {
  readonly #i32: Int32Array;
  readonly #control: ControlIndex;
  readonly #index: UplinkIndex;
  readonly #leads: boolean;
  readonly #carrier: Carrier | undefined;
  readonly #expected: Record<Arrival, number>;
  #announced = 0;

  /**
   * One rank of a host leads: what it announces, all announce at the same places of a step, so that each can wait for it. It may
   * have a carrier; without one the main thread carries.
   */
  constructor(arena: Arena, control: ControlIndex, address: Address, leads: boolean, carrier?: Carrier) {
    this.#i32 = arena.i32;
    this.#control = control;
    this.#leads = leads;
    this.#carrier = carrier;
    this.#index = uplinkIndex(address);
    this.#expected = Object.fromEntries(arrivals.map((word) => [word, 0])) as Record<Arrival, number>;
  }

  /** An entry of the outbox is complete in the arena, as far as the leader knows. */
  announce(kind: OutboxKind, index = 0): void {
    const at = this.#index.outbox + 2 * (this.#announced++ & (outboxLength - 1));
    if (!this.#leads) return;
    this.#i32[at] = outboxKinds.indexOf(kind);
    this.#i32[at + 1] = index;
    Atomics.store(this.#i32, this.#index.outgoing, this.#announced);
    Atomics.notify(this.#i32, this.#index.outgoing);
    if (!this.#wasRecalled) this.#carrier?.announced(kind, index);
  }

  /** Between two computations of a leader that carries: lets what is on its way go on. */
  proceed(): void {
    if (this.#carrier?.isBusy) this.#work(0);
  }

  /** Returns once everything announced has left, or never will. Throws Aborted. */
  drain(): void {
    const carrier = this.#carrier;
    while (carrier?.isSending) {
      throwIfAborted(this.#i32, this.#control);
      if (this.#isRecalled()) return;
      this.#work(lookAgainMs);
    }
  }

  /** Waits until the leader has announced all that this rank has, too. Throws Aborted. */
  awaitLeader(): void {
    if (!this.#leads) this.#reach(this.#index.outgoing, this.#announced, false);
  }

  /** One more of `word` is awaited, now or by a later `waitFor`. Every rank calls it at the same places of a step. */
  expect(word: Arrival): void {
    this.#expected[word]++;
  }

  /** Waits for one more of `word`. */
  take(word: Arrival): void {
    this.expect(word);
    this.waitFor(word);
  }

  /** Waits until all that was expected of `word` has come. Throws Recalled, or Aborted. */
  waitFor(word: Arrival): void {
    this.#reach(this.#index[word], this.#expected[word], true);
  }

  #reach(at: number, count: number, recallable: boolean): void {
    const carrier = this.#carrier;
    if (Atomics.load(this.#i32, at) >= count) return;
    if (carrier) this.#work(0);
    else for (let i = 0; i < fewestSpins; i++) if (Atomics.load(this.#i32, at) >= count) return;
    for (;;) {
      const come = Atomics.load(this.#i32, at);
      if (come >= count) return;
      throwIfAborted(this.#i32, this.#control);
      const recalled = recallable && this.#isRecalled();
      if (recalled && Atomics.load(this.#i32, at) < count) throw new Recalled('The generation was recalled.');
      if (carrier) this.#work(lookAgainMs);
      else Atomics.wait(this.#i32, at, come, lookAgainMs);
    }
  }

  /** All that has come so far. */
  get #arrived(): number {
    let sum = 0;
    for (const word of arrivals) sum += Atomics.load(this.#i32, this.#index[word]);
    return sum;
  }

  get #wasRecalled(): boolean {
    return Atomics.load(this.#i32, this.#index.recalled) !== 0;
  }

  /**
   * Once ranks have been told of a recall nothing is carried any more: a count that grew then would let the leader go on, to a meeting that a rank which looked
   * before has left for ever.
   */
  #work(ms: number): void {
    if (!this.#wasRecalled) this.#carrier!.work(ms);
  }

  /** A leader that carries passes on what the main thread asked for: it counts only when it works, which it never does again. */
  #isRecalled(): boolean {
    const { recallAsked, recalled } = this.#index;
    if (this.#carrier && Atomics.load(this.#i32, recallAsked) !== 0 && Atomics.load(this.#i32, recalled) === 0) {
      // What has come already may be all that the step lacks, here and in its later waits.
      for (let before = -1; before !== this.#arrived; ) {
        before = this.#arrived;
        this.#carrier.work(0);
      }
      sayRecalled(this.#i32, this.#index);
    }
    return this.#wasRecalled;
  }
}
