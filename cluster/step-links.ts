/**
 * Room: cluster (level 7). The connections of a generation over which a step's numbers go: between every two hosts of a mesh, in a star
 * between the coordinator and every other. A host dials those that came before it and awaits those that came after, so that two never dial
 * each other. They are made anew for every generation, so nothing of another one can come, and control messages never wait behind numbers.
 */
import { isLockstepError } from '../src/errors.ts';
import type { StepSockets } from '../src/local/task.ts';
import { type SystemCalls, systemCalls } from './transport/descriptor.ts';
import { dial } from './transport/dial.ts';
import type { Peer } from './transport/handshake.ts';
import type { Link } from './transport/link.ts';
import { addLinkTraffic, type LinkTraffic, noLinkTraffic } from './transport/link-traffic.ts';
import { Refusal } from './transport/refusal.ts';
import type { MessageOf } from './wire/messages.ts';

export interface StepLinksOptions {
  readonly token?: string | undefined;
  readonly tls?: object | undefined;
  readonly tlsCa?: Buffer | string | undefined;
  /** Where this host reaches the coordinator; absent on the coordinator. */
  readonly coordinatorUrl?: string;
  /** Why the main thread shall carry although leaders could; for tests. */
  readonly carriedByMain?: string;
  /** Told once why the main thread has to carry. */
  readonly onNews: (sentence: string) => void;
}

export type Generation = Pick<MessageOf<'generation'>, 'generation' | 'members' | 'self' | 'topology'>;

/** What the main thread needs of a link to carry. */
export type StepLink = Pick<Link, 'send' | 'sendBulk' | 'onMessage' | 'onClose' | 'close'>;

/** The ways to the other hosts of a generation, by index: handed over for the leader, or links of the main thread. */
export interface Ways {
  readonly steps: StepSockets | undefined;
  readonly links: ReadonlyMap<number, StepLink>;
  /** Only when the ranks have ended. */
  readonly close: () => void;
}

/** The id of a host that could not be reached. */
export interface Unreached {
  readonly lost: number;
}

/** A link to the member with this id and index. */
interface Way {
  readonly id: number;
  readonly index: number;
  readonly link: Link;
  readonly dialed: boolean;
}

/** How long links may take to be there, ms. */
const linkTimeoutMs = 10_000;

export class StepLinks {
  readonly #options: StepLinksOptions;
  /** By generation and id: those that others opened and nobody has asked for yet. */
  readonly #arrived = new Map<string, Link>();
  readonly #waiting = new Set<() => void>();
  readonly #links = new Set<Link>();
  /** Aborted when the links that are awaited are wanted no more. */
  #attempt = new AbortController();
  #generation = 0;
  #trafficBefore = noLinkTraffic;
  #explained = false;
  #closed = false;
  /** Links of generations that were over when they came. */
  stale = 0;

  constructor(options: StepLinksOptions) {
    this.#options = options;
  }

  /** What the main thread sent and received on all links that ever were. */
  get traffic(): LinkTraffic {
    return [...this.#links].reduce((sum, { traffic }) => addLinkTraffic(sum, traffic), { ...this.#trafficBefore });
  }

  /** A link that another host opened. */
  adopt(link: Link, { id, generation }: Pick<Peer, 'id' | 'generation'>): void {
    this.#register(link);
    if (generation < this.#generation) {
      this.stale++;
      link.close({ reason: 'stale', message: `Expected a link for generation ${this.#generation} or later, got one for generation ${generation}.` });
      return;
    }
    const key = keyOf(generation, id);
    this.#arrived.get(key)?.close();
    this.#arrived.set(key, link);
    link.onMessage(({ type }) => {
      throw new Refusal('protocol', `Expected nothing before all hosts of the generation are ready, got \`${type}\`.`);
    });
    link.onClose(() => {
      if (this.#arrived.get(key) === link) this.#arrived.delete(key);
    });
    for (const wake of this.#waiting) wake();
  }

  /** Resolves when there is a link to every host that this one talks to, or to the id of one that has none in time. */
  async connect({ generation, members, self, topology }: Generation): Promise<Ways | Unreached> {
    this.#generation = generation;
    for (const [key, link] of this.#arrived) if (generationOf(key) < generation) link.close();
    this.giveUp();
    // Ends by itself, not as the one that is under way: that may be another one by then.
    const attempt = new AbortController();
    this.#attempt = attempt;
    if (this.#closed) attempt.abort();
    const { signal } = attempt;
    const others = members
      .map(({ id, address }, index) => ({ id, address, index }))
      .filter(({ index }) => index !== self && (topology === 'mesh' || self === 0 || index === 0));
    const own = members[self]!.id;
    const opened: Way[] = [];
    let lost: number | undefined;
    const open = async ({ id, address, index }: (typeof others)[number]): Promise<void> => {
      const dialed = id < own;
      const link = await (dialed ? this.#dial(id, address, own, signal) : this.#arrival(id, signal));
      if (link) opened.push({ id, index, dialed, link });
      else {
        lost ??= id;
        attempt.abort();
      }
    };
    await Promise.all(others.map(open));
    const ways = lost === undefined ? this.#waysOver(opened, generation) : { lost };
    if ('lost' in ways) for (const { link } of opened) link.close();
    return ways;
  }

  /** Ends a `connect` that is under way: what comes next need not wait for it. */
  giveUp(): void {
    this.#attempt.abort();
  }

  /** Before a new session with a coordinator: what the last one left ends, and generations are counted anew. */
  startOver(): void {
    this.giveUp();
    this.#generation = 0;
    for (const link of this.#arrived.values()) link.close();
  }

  close(): void {
    this.#closed = true;
    this.giveUp();
    for (const link of this.#links) link.close();
  }

  #register(link: Link): void {
    this.#links.add(link);
    link.onClose(() => {
      if (this.#links.delete(link)) this.#trafficBefore = addLinkTraffic(this.#trafficBefore, link.traffic);
    });
  }

  async #dial(id: number, address: string, own: number, signal: AbortSignal): Promise<Link | undefined> {
    const { token, tls, tlsCa, coordinatorUrl, onNews } = this.#options;
    const url = id === 0 ? coordinatorUrl! : `${tls ? 'wss' : 'ws'}://${address}`;
    try {
      const link = await dial(url, { role: 'peer', id: own, generation: this.#generation, token, tlsCa, signal, timeoutMs: linkTimeoutMs });
      this.#register(link);
      return link;
    } catch (error) {
      if (!isLockstepError(error)) throw error;
      if (!signal.aborted) onNews(error.message);
      return undefined;
    }
  }

  /** Waits for the link that a host which came later opens to this one. */
  #arrival(id: number, signal: AbortSignal): Promise<Link | undefined> {
    const key = keyOf(this.#generation, id);
    return new Promise((resolve) => {
      const settle = (link: Link | undefined): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', fail);
        this.#waiting.delete(look);
        resolve(link);
      };
      const look = (): void => {
        const link = this.#arrived.get(key);
        if (!this.#arrived.delete(key)) return;
        link!.onMessage(undefined);
        settle(link);
      };
      const fail = (): void => settle(undefined);
      const timer = setTimeout(fail, linkTimeoutMs);
      signal.addEventListener('abort', fail);
      this.#waiting.add(look);
      if (signal.aborted) fail();
      else look();
    });
  }

  /** All of them for the leader, or none: it waits at one place. */
  #waysOver(opened: readonly Way[], generation: number): Ways | Unreached {
    const system = systemCalls();
    const reason = this.#options.carriedByMain ?? (opened.some(({ link }) => link.isEncrypted) ? 'only Node speaks TLS' : system.ok ? undefined : system.reason);
    if (opened.length > 0 && system.ok && reason === undefined) return handOver(opened, generation, system.calls);
    if (reason !== undefined && !this.#explained) this.#options.onNews(`steps go through the main thread, which takes longer: ${reason}`);
    this.#explained = true;
    const close = (): void => {
      for (const { link } of opened) link.close();
    };
    return { steps: undefined, links: new Map(opened.map(({ index, link }) => [index, link])), close };
  }
}

function handOver(opened: readonly Way[], generation: number, calls: SystemCalls): Ways | Unreached {
  const sockets: StepSockets['sockets'][number][] = [];
  const close = (): void => {
    for (const { descriptor } of sockets) calls.close(descriptor);
  };
  for (const { id, index, link, dialed } of opened) {
    const descriptor = link.detach(calls);
    if (descriptor === undefined) {
      close();
      return { lost: id };
    }
    sockets.push({ host: index, descriptor, masks: dialed });
  }
  return { steps: { generation, sockets }, links: new Map(), close };
}

function keyOf(generation: number, id: number): string {
  return `${generation} ${id}`;
}

function generationOf(key: string): number {
  return Number.parseInt(key, 10);
}
