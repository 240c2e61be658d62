/**
 * Room: cluster (level 7). The hosts that call the coordinator: who is there, what each said of itself, and its signs of life.
 * Before the run is known they wait; then whoever `take`s them hears of all, those who came earlier first.
 */
import { steadyNow } from './clock.ts';
import type { RankPlace } from './membership/silence.ts';
import type { Link } from './transport/link.ts';
import { addLinkTraffic, type LinkTraffic, noLinkTraffic } from './transport/link-traffic.ts';
import { Refusal, type RefusalReason } from './transport/refusal.ts';
import type { Message, MessageOf } from './wire/messages.ts';

/** A host that has applied. Ids are never used again. */
export interface Guest {
  readonly id: number;
  readonly name: string;
  readonly workers: number;
  readonly address: string;
  /** Where its metrics are, HOST:PORT; empty when it has none. */
  readonly metrics: string;
  readonly link: Link;
  /** Times of `steadyNow`. */
  readonly signs: { readonly name: string; heartbeatAt: number; progressAt: number; ranks: readonly RankPlace[] };
}

export interface GuestListener {
  readonly onApplied: (guest: Guest) => void;
  readonly onMessage: (guest: Guest, message: Message, payload: Uint8Array) => void;
  readonly onLost: (guest: Guest, reason: string) => void;
}

export class Guests {
  readonly #guests = new Map<number, Guest>();
  readonly #name: string;
  readonly #onChange: () => void;
  readonly #shut: () => Promise<void>;
  #nextId = 1;
  /** Of hosts that are gone. */
  #trafficBefore = noLinkTraffic;
  #listener: GuestListener | undefined;

  /** `name` is the coordinator's own; `onChange` is called when a host came or went; `shut` closes the door behind them. */
  constructor(name: string, onChange: () => void, shut: () => Promise<void>) {
    this.#name = name;
    this.#onChange = onChange;
    this.#shut = shut;
  }

  get all(): Guest[] {
    return [...this.#guests.values()];
  }

  get count(): number {
    return this.#guests.size;
  }

  /** Of all of them. */
  get workers(): number {
    return this.all.reduce((sum, { workers }) => sum + workers, 0);
  }

  /** With all hosts that ever were here. */
  get traffic(): LinkTraffic {
    return this.all.reduce((sum, { link }) => addLinkTraffic(sum, link.traffic), { ...this.#trafficBefore });
  }

  get(id: number): Guest | undefined {
    return this.#guests.get(id);
  }

  /** From now on `listener` hears of everything. */
  take(listener: GuestListener): void {
    this.#listener = listener;
    for (const guest of this.#guests.values()) listener.onApplied(guest);
  }

  /** A connection that has proved itself; its first word must be an application. */
  welcome(link: Link): void {
    let guest: Guest | undefined;
    link.onMessage((message, payload) => {
      if (guest) this.#hear(guest, message, payload);
      else if (message.type === 'apply') guest = this.#enrol(link, message);
      else if (message.type !== 'heartbeat') throw new Refusal('protocol', `Expected an application first, got \`${message.type}\`.`);
    });
    link.onClose((reason) => {
      if (!guest || this.#guests.get(guest.id) !== guest) return;
      this.#forget(guest);
      this.#listener?.onLost(guest, reason);
      this.#onChange();
    });
  }

  /** Ends a connection, as far as the listener is concerned without a loss. */
  dismiss(id: number, refusal?: { readonly reason: RefusalReason; readonly message: string }): void {
    const guest = this.#guests.get(id);
    if (!guest) return;
    guest.link.close(refusal);
    this.#forget(guest);
  }

  async close(): Promise<void> {
    for (const { id } of this.all) this.dismiss(id);
    await this.#shut();
  }

  #forget({ id, link }: Guest): void {
    this.#guests.delete(id);
    this.#trafficBefore = addLinkTraffic(this.#trafficBefore, link.traffic);
  }

  #enrol(link: Link, { name: wanted, workers, address, metrics }: MessageOf<'apply'>): Guest {
    const now = steadyNow();
    const name = this.#unique(wanted);
    const seen = link.remote.replace(/:\d+$/, '');
    const guest: Guest = {
      id: this.#nextId++,
      name,
      workers,
      // A host that says only a port is reached where it calls from.
      address: address.startsWith(':') ? `${seen}${address}` : address,
      metrics: metrics.startsWith(':') ? `${seen}${metrics}` : metrics,
      link,
      signs: { name, heartbeatAt: now, progressAt: now, ranks: [] },
    };
    this.#guests.set(guest.id, guest);
    this.#listener?.onApplied(guest);
    this.#onChange();
    return guest;
  }

  /** Two hosts of one name are told apart. */
  #unique(name: string): string {
    const taken = new Set([this.#name, ...this.all.map((guest) => guest.name)]);
    let unique = name;
    for (let i = 2; taken.has(unique); i++) unique = `${name}-${i}`;
    return unique;
  }

  #hear(guest: Guest, message: Message, payload: Uint8Array): void {
    const { signs } = guest;
    signs.heartbeatAt = steadyNow();
    if (message.type !== 'heartbeat') {
      this.#listener?.onMessage(guest, message, payload);
      return;
    }
    if (JSON.stringify(message.ranks) !== JSON.stringify(signs.ranks)) signs.progressAt = signs.heartbeatAt;
    signs.ranks = message.ranks;
  }
}
