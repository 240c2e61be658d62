/**
 * Room: cluster (level 7). The main thread's side of a step among hosts: what the ranks' leader announces goes out to the hosts
 * that need it, and what comes from them goes straight to its place in the arena, counted for the ranks that wait for it. Who sends
 * what where follows from the plan; a message that does not fit it is refused. One object lasts as long as a generation.
 */
import { isLeaf } from '../src/collectives/shared.ts';
import { type Arrival, countArrival, type OutboxKind, readOutbox, type UplinkIndex, uplinkIndex } from '../src/collectives/uplink.ts';
import { LockstepError } from '../src/errors.ts';
import type { Address, Arena } from '../src/memory/arena.ts';
import type { HostGradients, Range, RootVector } from '../src/model/gradients.ts';
import type { RunPlan } from '../src/model/plan.ts';
import { type DuePiece, Stream, type StreamPart } from './stream.ts';
import { Tally } from './tally.ts';
import type { Link } from './transport/link.ts';
import { type Message, protocolVersion } from './wire/messages.ts';

/** Bytes of a piece of a gradient: a system's read, below the size from which memory is taken from the system anew each time. */
const pieceBytes = 65_536;

/** A step's messages between hosts. */
export type StepMessage = Extract<Message, { readonly type: 'statistics' | 'merged' | 'contribution' | 'reduced' | 'sums' | 'verdict' | 'findings' }>;

/** What each is counted as. */
const countedAs = {
  statistics: 'statistics',
  merged: 'statistics',
  contribution: 'contributions',
  reduced: 'reduced',
  sums: 'sums',
  verdict: 'verdicts',
  findings: 'findings',
} as const satisfies Record<StepMessage['type'], Arrival>;

export function isStepMessage(message: Message): message is StepMessage {
  return Object.hasOwn(countedAs, message.type);
}

export interface ExchangeOptions {
  readonly plan: RunPlan;
  readonly arena: Arena;
  readonly generation: number;
  /** To every other host that this one talks to, by index in the generation: all of a mesh, in a star the coordinator's. */
  readonly links: ReadonlyMap<number, Link>;
}

/** Bytes that numbers of the gradient took since the run began, over all generations. */
export interface GradientTraffic {
  gradientBytesOut: number;
}

export class Exchange {
  readonly #options: ExchangeOptions;
  readonly #traffic: GradientTraffic;
  readonly #gradients: HostGradients;
  readonly #index: UplinkIndex;
  readonly #host: number;
  readonly #others: readonly number[];
  /** By host. */
  readonly #roots: readonly (readonly NumberedRoot[])[];
  /** How far each host's streams have come; the next byte that it must send of a contribution and of a share. */
  readonly #tallies: Readonly<Record<Exclude<Arrival, 'flushed'>, Tally>>;
  readonly #contributions: ReadonlyMap<number, Stream>;
  readonly #shares: ReadonlyMap<number, Stream>;
  #leastFinding = Number.POSITIVE_INFINITY;
  /**
   * For a host without shards nobody waits: gradients of the next step may come while its ranks still update by those of this
   * one, of which they would take the place. They are held until the ranks have finished so many steps.
   */
  readonly #held: (() => void)[] = [];
  #finishedSteps: number;
  #stopped = false;

  constructor(options: ExchangeOptions, traffic: GradientTraffic) {
    const { plan } = options;
    const hosts = plan.shards.hosts!;
    const gradients = plan.gradients.hosts!;
    this.#options = options;
    this.#traffic = traffic;
    this.#gradients = gradients;
    this.#index = uplinkIndex(plan.uplink);
    this.#host = hosts.host;
    this.#others = Array.from({ length: hosts.hosts }, (_, h) => h).filter((h) => h !== hosts.host);
    this.#roots = Array.from({ length: hosts.hosts }, (_, h) => gradients.roots.map((root, number) => ({ ...root, number })).filter((root) => root.host === h));
    const contributors = this.#others.filter((h) => this.#rootsOf(h).length > 0);
    const owners = hosts.direct ? [] : this.#others.filter((h) => gradients.shares[h]!.first < gradients.shares[h]!.end);
    this.#finishedSteps = hosts.own.length > 0 ? Number.POSITIVE_INFINITY : 0;
    const coordinates = hosts.host === 0;
    this.#tallies = {
      statistics: new Tally(isLeaf(hosts) ? [0] : contributors),
      contributions: new Tally(contributors),
      reduced: new Tally(owners),
      sums: new Tally(coordinates ? this.#others : []),
      verdicts: new Tally(coordinates ? [] : [0]),
      findings: new Tally(coordinates ? this.#others : []),
    };
    const own = gradients.shares[hosts.host]!;
    this.#contributions = new Map(
      contributors.map((h) => [h, new Stream(gradients.buckets.flatMap((bucket, i) => contributionParts(i, overlap(bucket, own), this.#rootsOf(h))))]),
    );
    this.#shares = new Map(owners.map((h) => [h, new Stream(shareParts(gradients, h, plan.gradients.global))]));
    void this.#pump();
  }

  /** Nothing is sent or counted any more. To be called before ranks are recalled. */
  stop(): void {
    this.#stopped = true;
    Atomics.notify(this.#options.arena.i32, this.#index.outgoing);
  }

  /** Throws LOCKSTEP_PROTOCOL for a message that the plan does not foresee from host `from`. */
  receive(from: number, message: StepMessage, payload: Uint8Array): void {
    if (this.#stopped) return;
    const { plan, arena } = this.#options;
    if (!this.#awaits(message, from)) {
      throw new LockstepError('LOCKSTEP_PROTOCOL', `Expected no \`${message.type}\` from host ${from} of the generation, got one.`);
    }
    switch (message.type) {
      case 'statistics': {
        const area = this.#areaOf(message.area);
        const blockBytes = 16 * area.channels;
        const roots = this.#rootsOf(from);
        expectBytes(message, payload, roots.length * blockBytes);
        roots.forEach(({ start }, i) => {
          arena.u8.set(payload.subarray(i * blockBytes, (i + 1) * blockBytes), area.blocks + start * blockBytes);
        });
        this.#count('statistics', from);
        return;
      }
      case 'merged': {
        const area = this.#areaOf(message.area);
        const blockBytes = 16 * area.channels;
        expectBytes(message, payload, blockBytes);
        arena.u8.set(payload, area.blocks + plan.spec.shards * blockBytes);
        this.#count('statistics', from);
        return;
      }
      case 'contribution': {
        const { bucket, root, offset } = message;
        this.#write('contributions', from, payload, this.#contributions.get(from)!.take(bucket, root, offset, payload.length));
        return;
      }
      case 'reduced':
        this.#write('reduced', from, payload, this.#shares.get(from)!.take(0, 0, message.offset, payload.length));
        return;
      case 'sums': {
        const roots = this.#rootsOf(from);
        const { first, end } = this.#gradients.shares[from]!;
        const losses = 16 * roots.length;
        // An evaluation has losses alone.
        if (payload.length !== losses) expectBytes(message, payload, losses + 8 * (end - first));
        roots.forEach(({ start }, i) => {
          arena.u8.set(payload.subarray(16 * i, 16 * (i + 1)), plan.lossBlocks + 16 * start);
        });
        arena.u8.set(payload.subarray(losses), plan.squareSums + 8 * first);
        this.#count('sums', from);
        return;
      }
      case 'verdict':
        expectBytes(message, payload, plan.verdictBytes);
        arena.u8.set(payload, plan.verdict);
        this.#count('verdicts', from);
        return;
      case 'findings':
        this.#leastFinding = Math.min(this.#leastFinding, message.first);
        this.#count('findings', from, () => {
          arena.i32[(plan.findings >>> 2) + plan.spec.ranks] = this.#leastFinding;
          this.#leastFinding = Number.POSITIVE_INFINITY;
        });
        return;
      default:
        message satisfies never;
    }
  }

  #awaits({ type }: StepMessage, from: number): boolean {
    const leaf = isLeaf(this.#options.plan.shards.hosts!);
    const fits = type === 'merged' ? leaf : type !== 'statistics' || !leaf;
    return fits && this.#tallies[countedAs[type]].awaits(from);
  }

  #write(arrival: 'contributions' | 'reduced', from: number, payload: Uint8Array, piece: DuePiece): void {
    const { address, round, completes } = piece;
    if (round > this.#finishedSteps) {
      const copy = new Uint8Array(payload);
      this.#held.push(() => this.#write(arrival, from, copy, piece));
      return;
    }
    this.#options.arena.u8.set(payload, address);
    if (completes) this.#count(arrival, from);
  }

  /** The ranks of a host without shards have finished a step. */
  #stood(): void {
    this.#finishedSteps++;
    // Nobody is further ahead than the next step, which the coordinator's verdict on this one let them begin.
    for (const write of this.#held.splice(0)) write();
  }

  #count(arrival: Exclude<Arrival, 'flushed'>, from: number, before?: () => void): void {
    if (!this.#tallies[arrival].add(from)) return;
    before?.();
    countArrival(this.#options.arena, this.#index, arrival);
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
    const roots = this.#rootsOf(this.#host);
    const hosts = plan.shards.hosts!;
    switch (kind) {
      case 'statistics': {
        // Nobody's blocks are awaited where nobody else computes.
        if (this.#tallies.statistics.isEmpty) countArrival(this.#options.arena, this.#index, 'statistics');
        if (roots.length === 0 || (hosts.topology === 'star' && this.#host === 0)) return;
        const { blocks, channels } = this.#areaOf(index);
        const payload = this.#joined(roots.map(({ start }) => [blocks + 16 * channels * start, 16 * channels]));
        this.#send(isLeaf(hosts) ? [0] : this.#others, { type: 'statistics', area: index }, payload);
        return;
      }
      case 'merged': {
        const { result, channels } = this.#areaOf(index);
        this.#send(this.#others, { type: 'merged', area: index }, this.#view(result, 16 * channels));
        return;
      }
      case 'contribution': {
        // Nor are anybody's gradients where nobody else computes.
        const bucket = this.#gradients.buckets[index]!;
        const own = overlap(bucket, this.#gradients.shares[this.#host]!);
        if (this.#tallies.contributions.isEmpty && own.from < own.to) countArrival(this.#options.arena, this.#index, 'contributions');
        this.#flush(
          hosts.owners
            .filter((owner) => owner !== this.#host)
            .flatMap((owner) => {
              const { from, to } = overlap(bucket, this.#gradients.shares[owner]!);
              return roots.map(({ number, vector }) =>
                this.#stream(owner, vector, from, to, (offset) => ({ type: 'contribution', bucket: index, root: number, offset })),
              );
            }),
        );
        return;
      }
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
      case 'stood':
        this.#stood();
        return;
      default:
        kind satisfies never;
    }
  }

  #send(to: readonly number[], fields: Fields, payload?: Uint8Array): void {
    const message = this.#message(fields);
    for (const host of to) this.#options.links.get(host)?.send(message, payload);
  }

  #message(fields: Fields): Message {
    const { plan, arena, generation } = this.#options;
    return { version: protocolVersion, generation, step: arena.i32[plan.standing >>> 2]!, ...fields };
  }

  /** Bytes [from, to) of a vector to a host, in pieces that are copied as the connection takes them. */
  async #stream(host: number, vector: Address, from: number, to: number, fields: (offset: number) => Fields): Promise<void> {
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

  #rootsOf(host: number): readonly NumberedRoot[] {
    return this.#roots[host]!;
  }

  #areaOf(index: number): RunPlan['ranks'][number]['areas'][number] {
    const area = this.#options.plan.ranks[0]!.areas[index];
    if (!area) throw new LockstepError('LOCKSTEP_PROTOCOL', `Expected the number of a sync point of the model, got ${index}.`);
    return area;
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

type Fields = StepMessage extends infer M ? (M extends StepMessage ? Omit<M, 'version' | 'generation' | 'step'> : never) : never;

/** A host's subtree with its number among all that are published, which names it in messages. */
type NumberedRoot = RootVector & { readonly number: number };

/** What a host contributes of a bucket to the share `range`. */
function contributionParts(bucket: number, range: { readonly from: number; readonly to: number }, roots: readonly NumberedRoot[]): StreamPart[] {
  if (range.from >= range.to) return [];
  return roots.map(({ number, vector }, i) => ({ ...range, bucket, root: number, vector, completes: i === roots.length - 1 }));
}

/** What an owner sends of its share in a step. */
function shareParts({ buckets, shares }: HostGradients, owner: number, vector: Address): StreamPart[] {
  const ranges = buckets.map((bucket) => overlap(bucket, shares[owner]!)).filter(({ from, to }) => from < to);
  return ranges.map((range, i) => ({ ...range, bucket: 0, root: 0, vector, completes: i === ranges.length - 1 }));
}

function overlap(a: Range, b: Range): { readonly from: number; readonly to: number } {
  const from = Math.max(a.from, b.from);
  return { from, to: Math.max(from, Math.min(a.to, b.to)) };
}

function expectBytes({ type }: Message, { length }: Uint8Array, bytes: number): void {
  if (length !== bytes) throw new LockstepError('LOCKSTEP_PROTOCOL', `Expected a \`${type}\` message of ${bytes} bytes, got ${length}.`);
}
