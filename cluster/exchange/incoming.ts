/**
 * Room: cluster (level 7), exchange. What comes from other hosts in a step: checked against the plan, written straight to its place
 * in the arena, and counted for the ranks that wait for it.
 */
import { isLeaf } from '../../src/collectives/shared.ts';
import { type Arrival, countArrival, type UplinkIndex, uplinkIndex } from '../../src/collectives/uplink.ts';
import { LockstepError } from '../../src/errors.ts';
import type { Arena } from '../../src/memory/arena.ts';
import type { RunPlan } from '../../src/model/plan.ts';
import type { Message } from '../wire/messages.ts';
import { contributionParts, type NumberedRoot, rootsByHost, shareParts } from './routes.ts';
import { Stream } from './stream.ts';
import { Tally } from './tally.ts';

/** A step's messages between hosts. */
export type StepMessage = Extract<Message, { readonly type: 'statistics' | 'merged' | 'contribution' | 'reduced' | 'sums' | 'verdict' | 'findings' }>;

/** What every host that computes adds a part to. */
export type OwnArrival = Extract<Arrival, 'statistics' | 'contributions'>;

export class Incoming {
  readonly #plan: RunPlan;
  readonly #arena: Arena;
  readonly #index: UplinkIndex;
  /** By host. */
  readonly #roots: readonly (readonly NumberedRoot[])[];
  readonly #tallies: Readonly<Record<Exclude<Arrival, 'flushed'>, Tally>>;
  /** What each host contributes to the own share, and sends of its own. */
  readonly #contributions: ReadonlyMap<number, Stream>;
  readonly #shares: ReadonlyMap<number, Stream>;
  #leastFinding = Number.POSITIVE_INFINITY;

  constructor(plan: RunPlan, arena: Arena) {
    const hosts = plan.shards.hosts!;
    const gradients = plan.gradients.hosts!;
    this.#plan = plan;
    this.#arena = arena;
    this.#index = uplinkIndex(plan.uplink);
    this.#roots = rootsByHost(gradients, hosts.hosts);
    const others = Array.from({ length: hosts.hosts }, (_, h) => h).filter((h) => h !== hosts.host);
    const contributors = others.filter((h) => this.#roots[h]!.length > 0);
    const owners = hosts.direct ? [] : hosts.owners.filter((h) => h !== hosts.host);
    const coordinates = hosts.host === 0;
    this.#tallies = {
      statistics: new Tally(isLeaf(hosts) ? [0] : contributors),
      contributions: new Tally(contributors),
      reduced: new Tally(owners),
      sums: new Tally(coordinates ? others : []),
      verdicts: new Tally(coordinates ? [] : [0]),
      findings: new Tally(coordinates ? others : []),
    };
    this.#contributions = new Map(contributors.map((h) => [h, new Stream(contributionParts(gradients, hosts.host, this.#roots[h]!))]));
    this.#shares = new Map(owners.map((h) => [h, new Stream(shareParts(gradients, h, plan.gradients.global))]));
  }

  /** This host's own part is there: all of it, where nobody else computes. */
  own(arrival: OwnArrival): void {
    if (this.#tallies[arrival].isEmpty) countArrival(this.#arena, this.#index, arrival);
  }

  /** Throws LOCKSTEP_PROTOCOL for a message that the plan does not foresee from host `from`. */
  receive(from: number, message: StepMessage, payload: Uint8Array): void {
    const plan = this.#plan;
    const arena = this.#arena;
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
        if (streamOf(this.#contributions, from, message).take(arena, bucket, root, offset, payload)) this.#count('contributions', from);
        return;
      }
      case 'reduced':
        if (streamOf(this.#shares, from, message).take(arena, 0, 0, message.offset, payload)) this.#count('reduced', from);
        return;
      case 'sums': {
        const roots = this.#rootsOf(from);
        const { first, end } = plan.gradients.hosts!.shares[from]!;
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

  #count(arrival: Exclude<Arrival, 'flushed'>, from: number, before?: () => void): void {
    if (!this.#tallies[arrival].add(from)) return;
    before?.();
    countArrival(this.#arena, this.#index, arrival);
  }

  #rootsOf(host: number): readonly NumberedRoot[] {
    return this.#roots[host]!;
  }

  #areaOf(index: number): RunPlan['ranks'][number]['areas'][number] {
    const area = this.#plan.ranks[0]!.areas[index];
    if (!area) throw new LockstepError('LOCKSTEP_PROTOCOL', `Expected the number of a sync point of the model, got ${index}.`);
    return area;
  }
}

function streamOf(streams: ReadonlyMap<number, Stream>, from: number, { type }: Message): Stream {
  const stream = streams.get(from);
  if (!stream) throw new LockstepError('LOCKSTEP_PROTOCOL', `Expected no \`${type}\` from host ${from} of the generation, got one.`);
  return stream;
}

function expectBytes({ type }: Message, { length }: Uint8Array, bytes: number): void {
  if (length !== bytes) throw new LockstepError('LOCKSTEP_PROTOCOL', `Expected a \`${type}\` message of ${bytes} bytes, got ${length}.`);
}
