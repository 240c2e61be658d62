/**
 * Room: cluster (level 7), exchange. Sending where the main thread carries: whatever the ranks' leader announces goes to links. Small
 * messages leave at once; numbers of the gradient in pieces, copied out of the arena as the connection takes them.
 */
import { lookAgainMs } from '../../src/collectives/control.ts';
import { countArrival, type OutboxKind, readOutbox, type UplinkIndex, uplinkIndex } from '../../src/collectives/uplink.ts';
import { Waking } from '../../src/local/waking.ts';
import type { Arena } from '../../src/memory/arena.ts';
import type { RunPlan } from '../../src/model/plan.ts';
import { TrafficCounter } from '../../src/telemetry/traffic.ts';
import type { Link } from '../transport/link.ts';
import { Departures, type Note, type Run } from './departures.ts';
import type { Place } from './routes.ts';

/** Bytes of a piece of a gradient: a system's read, below the size from which memory is taken from the system anew each time. */
const pieceBytes = 65_536;

/** What it needs of a connection. */
type StepLink = Pick<Link, 'send' | 'sendBulk'>;

export interface ExchangeOptions {
  readonly plan: RunPlan;
  readonly arena: Arena;
  readonly generation: number;
  /** To every other host that this one talks to, by index in the generation: all of a mesh, in a star the coordinator's. */
  readonly links: { get(host: number): StepLink | undefined };
}

export class Outgoing {
  readonly #options: ExchangeOptions;
  readonly #onAnnounced: (kind: OutboxKind, index: number) => void;
  readonly #departures: Departures;
  readonly #traffic: TrafficCounter;
  readonly #index: UplinkIndex;
  readonly #waking: Waking;
  readonly #timer: NodeJS.Timeout;
  #stopped = false;

  /** Begins at once. `onAnnounced` is called for everything that is announced. */
  constructor(options: ExchangeOptions, onAnnounced: (kind: OutboxKind, index: number) => void) {
    const { plan, arena, generation } = options;
    this.#options = options;
    this.#onAnnounced = onAnnounced;
    this.#departures = new Departures(plan, arena, generation);
    this.#traffic = new TrafficCounter(arena, plan.traffic);
    this.#index = uplinkIndex(plan.uplink);
    this.#waking = new Waking(arena.i32, this.#index.outgoing);
    this.#timer = setInterval(() => this.#waking.wake(), lookAgainMs).unref();
    void this.#pump();
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#waking.stop();
  }

  /** Sends what is announced, entry by entry, and sleeps in between. */
  async #pump(): Promise<void> {
    const { arena } = this.#options;
    const { outgoing } = this.#index;
    for (let sent = 0; !this.#stopped; ) {
      const announced = Atomics.load(arena.i32, outgoing);
      while (sent !== announced && !this.#stopped) this.#dispatch(...readOutbox(arena, this.#index, sent++));
      await this.#waking.unless(announced);
    }
  }

  #dispatch(kind: OutboxKind, index: number): void {
    this.#onAnnounced(kind, index);
    const { note, runs } = this.#departures.of(kind, index);
    if (note) this.#send(note);
    if (runs) this.#flush(runs.map((run) => this.#stream(run)));
  }

  #send({ to, fields, places }: Note): void {
    const message = this.#departures.message(fields);
    const payload = this.#joined(places);
    for (const host of to) this.#options.links.get(host)?.send(message, payload);
  }

  /** In pieces that are copied as the connection takes them. */
  async #stream({ to, vector, from, end, fields }: Run): Promise<void> {
    let offset = from;
    // A link that breaks is told of elsewhere.
    await this.#options.links
      .get(to)
      ?.sendBulk(() => {
        if (offset >= end || this.#stopped) return undefined;
        const bytes = Math.min(pieceBytes, end - offset);
        const piece = { message: this.#departures.message(fields(offset)), payload: this.#view({ address: vector + offset, bytes }) };
        offset += bytes;
        this.#traffic.sentGradient(bytes);
        return piece;
      })
      .catch(() => {});
  }

  /** Once all of these have left the arena, ranks may write there again. */
  #flush(streams: readonly Promise<void>[]): void {
    void Promise.all(streams).then(() => {
      if (!this.#stopped) countArrival(this.#options.arena, this.#index, 'flushed');
    });
  }

  #view({ address, bytes }: Place): Uint8Array {
    return this.#options.arena.u8.subarray(address, address + bytes);
  }

  /** One place as a view, several as a copy. */
  #joined(places: readonly Place[]): Uint8Array {
    const parts = places.filter(({ bytes }) => bytes > 0).map((place) => this.#view(place));
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }
}
