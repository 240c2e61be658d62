/**
 * Room: cluster (level 7), exchange. What goes to other hosts in a step: whatever the ranks' leader announces, to those that need it.
 * Small messages leave at once; numbers of the gradient in pieces, copied out of the arena as the connection takes them.
 */
import { isLeaf } from '../../src/collectives/shared.ts';
import { countArrival, type OutboxKind, readOutbox, type UplinkIndex, uplinkIndex } from '../../src/collectives/uplink.ts';
import type { Address, Arena } from '../../src/memory/arena.ts';
import type { HostGradients } from '../../src/model/gradients.ts';
import type { RunPlan } from '../../src/model/plan.ts';
import type { Link } from '../transport/link.ts';
import { type Message, type MessageBody, protocolVersion } from '../wire/messages.ts';
import type { OwnArrival, StepMessage } from './incoming.ts';
import { type NumberedRoot, overlap, rootsByHost } from './routes.ts';

/** Bytes of a piece of a gradient: a system's read, below the size from which memory is taken from the system anew each time. */
const pieceBytes = 65_536;

/** What the exchange needs of a connection. */
export type StepLink = Pick<Link, 'send' | 'sendBulk'>;

export interface ExchangeOptions {
  readonly plan: RunPlan;
  readonly arena: Arena;
  readonly generation: number;
  /** To every other host that this one talks to, by index in the generation: all of a mesh, in a star the coordinator's. */
  readonly links: ReadonlyMap<number, StepLink>;
}

/** Bytes that numbers of the gradient took since the run began, over all generations. */
export interface GradientTraffic {
  gradientBytesOut: number;
}

export class Outgoing {
  readonly #options: ExchangeOptions;
  readonly #traffic: GradientTraffic;
  readonly #onOwn: (arrival: OwnArrival) => void;
  readonly #gradients: HostGradients;
  readonly #index: UplinkIndex;
  readonly #host: number;
  readonly #others: readonly number[];
  readonly #roots: readonly NumberedRoot[];
  #stopped = false;

  /** Begins at once. `onOwn` is called when this host's blocks of a sync point, or its gradients of a bucket, are announced. */
  constructor(options: ExchangeOptions, traffic: GradientTraffic, onOwn: (arrival: OwnArrival) => void) {
    const { shards, gradients, uplink } = options.plan;
    const { host, hosts } = shards.hosts!;
    this.#options = options;
    this.#traffic = traffic;
    this.#onOwn = onOwn;
    this.#gradients = gradients.hosts!;
    this.#index = uplinkIndex(uplink);
    this.#host = host;
    this.#others = Array.from({ length: hosts }, (_, h) => h).filter((h) => h !== host);
    this.#roots = rootsByHost(this.#gradients, hosts)[host]!;
    void this.#pump();
  }

  stop(): void {
    this.#stopped = true;
    Atomics.notify(this.#options.arena.i32, this.#index.outgoing);
  }

  /** Sends what is announced, entry by entry, and sleeps in between. */
  async #pump(): Promise<void> {
    const { arena } = this.#options;
    const { outgoing } = this.#index;
    for (let sent = 0; !this.#stopped; ) {
      const announced = Atomics.load(arena.i32, outgoing);
      while (sent !== announced && !this.#stopped) this.#dispatch(...readOutbox(arena, this.#index, sent++));
      const change = Atomics.waitAsync(arena.i32, outgoing, announced);
      if (change.async) await change.value;
    }
  }

  #dispatch(kind: OutboxKind, index: number): void {
    const { plan } = this.#options;
    const roots = this.#roots;
    const hosts = plan.shards.hosts!;
    switch (kind) {
      case 'statistics': {
        this.#onOwn('statistics');
        if (roots.length === 0 || (hosts.topology === 'star' && this.#host === 0)) return;
        const { blocks, channels } = plan.ranks[0]!.areas[index]!;
        const payload = this.#joined(roots.map(({ start }) => [blocks + 16 * channels * start, 16 * channels]));
        this.#send(isLeaf(hosts) ? [0] : this.#others, { type: 'statistics', area: index }, payload);
        return;
      }
      case 'merged': {
        const { result, channels } = plan.ranks[0]!.areas[index]!;
        this.#send(this.#others, { type: 'merged', area: index }, this.#view(result, 16 * channels));
        return;
      }
      case 'contribution':
        this.#onOwn('contributions');
        this.#flush(
          hosts.owners
            .filter((owner) => owner !== this.#host)
            .flatMap((owner) => {
              const { from, to } = overlap(this.#gradients.buckets[index]!, this.#gradients.shares[owner]!);
              return roots.map(({ number, vector }) =>
                this.#stream(owner, vector, from, to, (offset) => ({ type: 'contribution', bucket: index, root: number, offset })),
              );
            }),
        );
        return;
      case 'reduced': {
        const { from, to } = overlap(this.#gradients.buckets[index]!, this.#gradients.shares[this.#host]!);
        this.#flush(this.#others.map((host) => this.#stream(host, plan.gradients.global, from, to, (offset) => ({ type: 'reduced', offset }))));
        return;
      }
      case 'losses':
      case 'sums': {
        const { first, end } = kind === 'sums' ? this.#gradients.shares[this.#host]! : { first: 0, end: 0 };
        const losses = roots.map(({ start }): [Address, number] => [plan.lossBlocks + 16 * start, 16]);
        this.#send([0], { type: 'sums' }, this.#joined([...losses, [plan.squareSums + 8 * first, 8 * (end - first)]]));
        return;
      }
      case 'verdict':
        this.#send(this.#others, { type: 'verdict' }, this.#view(plan.verdict, plan.verdictBytes));
        return;
      case 'findings':
        this.#send([0], { type: 'findings', first: this.#options.arena.i32[(plan.findings >>> 2) + plan.spec.ranks]! });
        return;
      default:
        kind satisfies never;
    }
  }

  #send(to: readonly number[], fields: MessageBody<StepMessage>, payload?: Uint8Array): void {
    const message = this.#message(fields);
    for (const host of to) this.#options.links.get(host)?.send(message, payload);
  }

  #message(fields: MessageBody<StepMessage>): Message {
    const { plan, arena, generation } = this.#options;
    return { version: protocolVersion, generation, step: arena.i32[plan.standing >>> 2]!, ...fields };
  }

  /** Bytes [from, to) of a vector to a host, in pieces that are copied as the connection takes them. */
  async #stream(host: number, vector: Address, from: number, to: number, fields: (offset: number) => MessageBody<StepMessage>): Promise<void> {
    let offset = from;
    // A link that breaks is told of elsewhere.
    await this.#options.links
      .get(host)
      ?.sendBulk(() => {
        if (offset >= to || this.#stopped) return undefined;
        const length = Math.min(pieceBytes, to - offset);
        const piece = { message: this.#message(fields(offset)), payload: this.#view(vector + offset, length) };
        offset += length;
        this.#traffic.gradientBytesOut += length;
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

  #view(address: Address, bytes: number): Uint8Array {
    return this.#options.arena.u8.subarray(address, address + bytes);
  }

  /** One range as a view, several as a copy. */
  #joined(ranges: readonly (readonly [address: Address, bytes: number])[]): Uint8Array {
    const parts = ranges.filter(([, bytes]) => bytes > 0).map(([address, bytes]) => this.#view(address, bytes));
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }
}
