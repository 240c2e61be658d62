/**
 * Room: cluster (level 7). A host's links to the other hosts of a mesh (the coordinator has one to each already). A host dials
 * those that came before it and awaits those that came after, so that two never dial each other. Links last over generations.
 */
import { LockstepError } from '../src/errors.ts';
import { dial } from './transport/dial.ts';
import type { Link } from './transport/link.ts';
import { type Listener, listen } from './transport/listen.ts';
import type { RefusalReason } from './transport/refusal.ts';
import type { Message, MessageOf } from './wire/messages.ts';

export interface MeshOptions {
  readonly host: string;
  readonly port: number;
  readonly token?: string | undefined;
  readonly tls?: { readonly cert: Buffer | string; readonly key: Buffer | string } | undefined;
  readonly tlsCa?: Buffer | string | undefined;
  /** A message from the host with this id. */
  readonly onMessage: (from: number, message: Message, payload: Uint8Array) => void;
  /** A link to a member of the generation broke. */
  readonly onLost: (id: number) => void;
  readonly onRefused: (reason: RefusalReason, message: string, remote: string) => void;
}

type Members = MessageOf<'generation'>['members'];

/** How long links may take to be there, ms. */
const linkTimeoutMs = 10_000;

export class Mesh {
  readonly #options: MeshOptions;
  readonly #links = new Map<number, Link>();
  readonly #waiting = new Set<() => void>();
  /** Aborted when the links that are awaited are wanted no more. */
  #attempt = new AbortController();
  #members: ReadonlySet<number> = new Set();
  #listener!: Listener;
  #bytesOutBefore = 0;

  private constructor(options: MeshOptions) {
    this.#options = options;
  }

  static async open(options: MeshOptions): Promise<Mesh> {
    const mesh = new Mesh(options);
    mesh.#listener = await listen({
      ...options,
      onPeer: (link, { role, id }) => {
        if (role === 'peer') mesh.#adopt(id, link);
        else link.close({ reason: 'address', message: 'Expected the link of another host, got a host that wants to join; join at the address of the coordinator.' });
      },
    });
    return mesh;
  }

  get port(): number {
    return this.#listener.port;
  }

  /** Bytes of messages sent on all links that ever were. */
  get bytesOut(): number {
    return [...this.#links.values()].reduce((sum, { traffic }) => sum + traffic.bytesOut, this.#bytesOutBefore);
  }

  linkTo(id: number): Link | undefined {
    return this.#links.get(id);
  }

  /** Resolves when there is a link to every other host of `members`; rejects with the id of one that has none in time. */
  async connect(members: Members, self: number): Promise<void> {
    const { token, tlsCa, tls } = this.#options;
    const own = members[self]!.id;
    this.#attempt = new AbortController();
    const { signal } = this.#attempt;
    const others = members.filter(({ id }) => id !== own && id !== 0);
    this.#members = new Set(others.map(({ id }) => id));
    for (const [id, link] of this.#links) if (!this.#members.has(id)) link.close();
    await Promise.all(
      others.map(async ({ id, address }) => {
        if (this.#links.has(id)) return;
        if (id > own) return this.#arrival(id, signal);
        try {
          this.#adopt(id, await dial(`${tls ? 'wss' : 'ws'}://${address}`, { role: 'peer', id: own, token, tlsCa, signal, timeoutMs: linkTimeoutMs }));
        } catch (cause) {
          throw new PeerLost(id, cause);
        }
      }),
    );
  }

  /** Ends a `connect` that is under way: what comes next need not wait for it. */
  giveUp(): void {
    this.#attempt.abort();
  }

  async close(): Promise<void> {
    this.giveUp();
    this.#members = new Set();
    for (const link of this.#links.values()) link.close();
    await this.#listener.close();
  }

  #adopt(id: number, link: Link): void {
    const before = this.#links.get(id);
    this.#links.set(id, link);
    before?.close();
    link.onMessage((message, payload) => this.#options.onMessage(id, message, payload));
    link.onClose(() => {
      if (this.#links.get(id) !== link) return;
      this.#links.delete(id);
      this.#bytesOutBefore += link.traffic.bytesOut;
      if (this.#members.has(id)) this.#options.onLost(id);
    });
    for (const wake of this.#waiting) wake();
  }

  /** Waits for the link that a host which came later opens to this one. */
  #arrival(id: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (end: () => void): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', fail);
        this.#waiting.delete(look);
        end();
      };
      const look = (): void => {
        if (this.#links.has(id)) settle(resolve);
      };
      const fail = (): void => settle(() => reject(new PeerLost(id)));
      const timer = setTimeout(fail, linkTimeoutMs);
      signal.addEventListener('abort', fail);
      this.#waiting.add(look);
    });
  }
}

export class PeerLost extends LockstepError {
  readonly id: number;

  constructor(id: number, cause?: unknown) {
    super('LOCKSTEP_NETWORK', `Expected a link to host ${id} of the mesh, got none; check that the hosts reach each other.`, { cause });
    this.id = id;
  }
}
