/**
 * Room: cluster (level 7), exchange. The leader rank carries its host's messages itself, on connections that the main thread made and
 * handed over: an exchange then costs no thread a wake-up. It works whenever the leader announces or waits, and between layers.
 */

import { reportTrouble } from '../../src/collectives/trouble.ts';
import { type Carrier, countArrival, type OutboxKind, type UplinkIndex, uplinkIndex } from '../../src/collectives/uplink.ts';
import { isLockstepError } from '../../src/errors.ts';
import type { StepSockets } from '../../src/local/task.ts';
import type { Arena } from '../../src/memory/arena.ts';
import type { RunPlan } from '../../src/model/plan.ts';
import { TrafficCounter } from '../../src/telemetry/traffic.ts';
import { PollSet, SystemCallFailed, type SystemCalls } from '../transport/descriptor.ts';
import { RecurringHead } from '../wire/known-headers.ts';
import { Departures, type Note, type Run } from './departures.ts';
import { Incoming } from './incoming.ts';
import { Inlet } from './inlet.ts';
import { frameAt, Outlet, type Sendable, sendableFor } from './outlet.ts';

/** Looks at the connections before sleeping in the system, about a microsecond each: being woken costs as much as a hundred. */
const fewestLooks = 20;
const mostLooks = 500;

/** The connection to one host. */
interface Line {
  readonly host: number;
  readonly descriptor: number;
  readonly inlet: Inlet;
  readonly outlet: Outlet;
  isOpen: boolean;
}

export class LeaderCarrier implements Carrier {
  readonly #arena: Arena;
  readonly #plan: RunPlan;
  readonly #calls: SystemCalls;
  readonly #index: UplinkIndex;
  readonly #incoming: Incoming;
  readonly #departures: Departures;
  readonly #lines: readonly Line[];
  readonly #lineTo: ReadonlyMap<number, Line>;
  readonly #poll: PollSet;
  readonly #pollAddress: number;
  /** True when peers may send more than the system holds for us while we compute. */
  readonly #receivesMuch: boolean;
  /** What leaves in every step is one object. */
  readonly #heads = new WeakMap<Note, RecurringHead>();
  readonly #mostLooks: number;
  /** Halved when it was in vain, doubled when it was not. */
  #looks = fewestLooks;
  #frame: Sendable;

  /** `spins` as in `Barrier`: 0 where others need the core. */
  constructor(plan: RunPlan, arena: Arena, { generation, sockets }: StepSockets, calls: SystemCalls, spins: number) {
    const base = calls.addressOf(arena.u8);
    const traffic = new TrafficCounter(arena, plan.traffic);
    this.#arena = arena;
    this.#plan = plan;
    this.#calls = calls;
    this.#mostLooks = spins > 0 ? mostLooks : fewestLooks;
    this.#index = uplinkIndex(plan.uplink);
    const incoming = new Incoming(plan, arena);
    const departures = new Departures(plan, arena, generation);
    this.#incoming = incoming;
    this.#departures = departures;
    this.#receivesMuch = plan.gradients.hosts!.buckets.length > 1;
    this.#lines = sockets.map(({ host, descriptor, masks }) => {
      const shared = { calls, descriptor, base, traffic };
      const outlet = new Outlet({ ...shared, masks, message: (fields) => departures.message(fields) });
      const inlet = new Inlet({ ...shared, masked: !masks, host, generation, arena, incoming });
      return { host, descriptor, inlet, outlet, isOpen: true };
    });
    this.#lineTo = new Map(this.#lines.map((line) => [line.host, line]));
    this.#poll = new PollSet(sockets.length);
    this.#pollAddress = calls.addressOf(this.#poll.bytes);
    this.#frame = sendableFor(0, calls);
  }

  get isBusy(): boolean {
    return this.#receivesMuch || this.isSending;
  }

  get isSending(): boolean {
    return this.#lines.some(({ outlet }) => !outlet.isEmpty);
  }

  announced(kind: OutboxKind, index: number): void {
    this.#incoming.announced(kind, index);
    const { note, runs } = this.#departures.of(kind, index);
    if (note) this.#post(note);
    if (runs) this.#start(runs);
  }

  work(ms: number): void {
    if (ms === 0) {
      this.#look();
      return;
    }
    for (let look = 0; look < this.#looks; look++) {
      if (!this.#look()) continue;
      this.#looks = Math.min(this.#mostLooks, 2 * this.#looks);
      return;
    }
    this.#looks = Math.max(fewestLooks, this.#looks >>> 1);
    this.#sleep(ms);
  }

  /** True when something came, left as a whole, or broke: somebody may wait for that. */
  #look(): boolean {
    let happened = false;
    for (const line of this.#lines) {
      if (!line.isOpen) continue;
      try {
        if (!line.outlet.isEmpty && line.outlet.flush()) happened = true;
        if (line.inlet.read()) happened = true;
      } catch (error) {
        this.#break(line, error);
        happened = true;
      }
    }
    return happened;
  }

  #sleep(ms: number): void {
    let count = 0;
    for (const { isOpen, descriptor, inlet, outlet } of this.#lines) {
      if (isOpen && !(inlet.isHeld && outlet.isEmpty)) this.#poll.set(count++, descriptor, !inlet.isHeld, !outlet.isEmpty);
    }
    this.#calls.poll(this.#pollAddress, count, ms);
  }

  #post(note: Note): void {
    const { to, places } = note;
    let bytes = 0;
    for (const place of places) bytes += place.bytes;
    if (this.#frame.room < bytes) this.#frame = sendableFor(bytes, this.#calls);
    const { buffer } = this.#frame;
    const head = this.#headOf(note).at(this.#departures.step);
    buffer.set(head, frameAt);
    let end = frameAt + head.length;
    for (const { address, bytes: length } of places) {
      buffer.set(this.#arena.u8.subarray(address, address + length), end);
      end += length;
    }
    for (const host of to) {
      const line = this.#lineTo.get(host);
      try {
        if (line?.isOpen) line.outlet.post(this.#frame, end - frameAt);
      } catch (error) {
        this.#break(line!, error);
      }
    }
  }

  #headOf(note: Note): RecurringHead {
    const head = this.#heads.get(note) ?? new RecurringHead(this.#departures.message(note.fields));
    this.#heads.set(note, head);
    return head;
  }

  #start(runs: readonly Run[]): void {
    let left = runs.length;
    const flushed = (): void => countArrival(this.#arena, this.#index, 'flushed');
    if (left === 0) flushed();
    const onLeft = (): void => {
      if (--left === 0) flushed();
    };
    for (const run of runs) this.#lineTo.get(run.to)!.outlet.add(run, onLeft);
    for (const line of this.#lines) {
      try {
        if (line.isOpen) line.outlet.flush();
      } catch (error) {
        this.#break(line, error);
      }
    }
  }

  /** What fails on a connection ends that one, and is told. */
  #break(line: Line, error: unknown): void {
    if (!(error instanceof SystemCallFailed) && !isLockstepError(error)) throw error;
    line.isOpen = false;
    line.outlet.close();
    reportTrouble(this.#arena, this.#plan.trouble, { host: line.host, reason: error.message });
  }
}
