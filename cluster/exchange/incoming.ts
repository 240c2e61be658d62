/**
 * Room: cluster (level 7), exchange. What comes from other hosts in a step: checked against the plan, written straight to its place
 * in the arena, and counted for the ranks that wait for it.
 */
import { isLeaf } from '../../src/collectives/shared.ts';
import { type Arrival, countArrival, type OutboxKind, type UplinkIndex, uplinkIndex } from '../../src/collectives/uplink.ts';
import { LockstepError } from '../../src/errors.ts';
import type { Arena } from '../../src/memory/arena.ts';
import type { RunPlan } from '../../src/model/plan.ts';
import type { Message } from '../wire/messages.ts';
import { contributionParts, type NumberedRoot, overlap, type Place, rootsByHost, shareParts } from './routes.ts';
import { type DuePiece, Stream } from './stream.ts';
import { Tally } from './tally.ts';

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

/** A message whose payload is due. */
export interface Arriving {
  /** Where the bytes go, in this order. */
  readonly places: readonly Place[];
  /** False while ranks still use what would be overwritten. */
  readonly isOpen: () => boolean;
  /** To be called once, when they are all there. */
  readonly complete: () => void;
}

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
  /** What was foreseen for messages that a reader recognised and gave as one object again and again. */
  readonly #known = new WeakMap<StepMessage, { readonly from: number; readonly bytes: number; readonly arriving: Arriving }>();
  #leastFinding = Number.POSITIVE_INFINITY;
  /**
   * For a host without shards nobody waits: gradients of the next step may come while its ranks still update by those of this
   * one, of which they would take the place. They are held until the ranks have finished so many steps.
   */
  readonly #held: (() => void)[] = [];
  #finishedSteps: number;

  constructor(plan: RunPlan, arena: Arena) {
    const hosts = plan.shards.hosts!;
    const gradients = plan.gradients.hosts!;
    this.#plan = plan;
    this.#arena = arena;
    this.#index = uplinkIndex(plan.uplink);
    this.#roots = rootsByHost(gradients, hosts.hosts);
    const others = Array.from({ length: hosts.hosts }, (_, h) => h).filter((h) => h !== hosts.host);
    const contributors = others.filter((h) => this.#roots[h]!.length > 0);
    const owners = hosts.direct ? [] : others.filter((h) => gradients.shares[h]!.first < gradients.shares[h]!.end);
    this.#finishedSteps = hosts.own.length > 0 ? Number.POSITIVE_INFINITY : 0;
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

  /** The leader of this host has announced something: where nobody else's part is awaited, that completes it. */
  announced(kind: OutboxKind, index: number): void {
    const { buckets, shares } = this.#plan.gradients.hosts!;
    if (kind === 'statistics' && this.#tallies.statistics.isEmpty) countArrival(this.#arena, this.#index, 'statistics');
    if (kind === 'contribution' && this.#tallies.contributions.isEmpty) {
      const { from, to } = overlap(buckets[index]!, shares[this.#plan.shards.hosts!.host]!);
      if (from < to) countArrival(this.#arena, this.#index, 'contributions');
    }
    if (kind === 'stood') this.#stood();
  }

  /**
   * Where the `bytes` bytes of a message's payload go; a piece of a gradient is taken as come. Throws LOCKSTEP_PROTOCOL for a message that the plan does not
   * foresee from host `from`.
   */
  expect(from: number, message: StepMessage, bytes: number): Arriving {
    const known = this.#known.get(message);
    if (known?.from === from && known.bytes === bytes) return known.arriving;
    const arriving = this.#expectNew(from, message, bytes);
    if (recurs.has(message.type)) this.#known.set(message, { from, bytes, arriving });
    return arriving;
  }

  #expectNew(from: number, message: StepMessage, bytes: number): Arriving {
    const { ranks, spec, lossBlocks, measures, squareSums, verdict, verdictBytes, gradients } = this.#plan;
    if (!this.#awaits(message, from)) {
      throw new LockstepError('LOCKSTEP_PROTOCOL', `Expected no \`${message.type}\` from host ${from} of the generation, got one.`);
    }
    switch (message.type) {
      case 'statistics': {
        const { blocks, channels } = areaOf(ranks, message.area);
        const places = this.#roots[from]!.map(({ start }) => ({ address: blocks + 16 * channels * start, bytes: 16 * channels }));
        return this.#counted('statistics', from, checked(message, places, bytes));
      }
      case 'merged': {
        const { blocks, channels } = areaOf(ranks, message.area);
        const places = [{ address: blocks + 16 * channels * spec.shards, bytes: 16 * channels }];
        return this.#counted('statistics', from, checked(message, places, bytes));
      }
      case 'contribution':
        return this.#piece('contributions', from, bytes, this.#contributions.get(from)!.take(message.bucket, message.root, message.offset, bytes));
      case 'reduced':
        return this.#piece('reduced', from, bytes, this.#shares.get(from)!.take(0, 0, message.offset, bytes));
      case 'sums': {
        const { first, end } = gradients.hosts!.shares[from]!;
        const sumBytes = 8 * measures.length;
        const losses = this.#roots[from]!.map(({ start }) => ({ address: lossBlocks + sumBytes * start, bytes: sumBytes }));
        // An evaluation has losses alone.
        const squares = bytes === sumBytes * losses.length ? [] : [{ address: squareSums + 8 * first, bytes: 8 * (end - first) }];
        return this.#counted('sums', from, checked(message, [...losses, ...squares], bytes));
      }
      case 'verdict':
        return this.#counted('verdicts', from, checked(message, [{ address: verdict, bytes: verdictBytes }], bytes));
      case 'findings':
        checked(message, [], bytes);
        this.#leastFinding = Math.min(this.#leastFinding, message.first);
        return this.#counted('findings', from, []);
      default:
        return message satisfies never;
    }
  }

  /** Takes a message that is here as a whole. Throws as `expect` does. */
  receive(from: number, message: StepMessage, payload: Uint8Array): void {
    const arriving = this.expect(from, message, payload.length);
    if (arriving.isOpen()) this.#write(arriving, payload);
    else {
      const copy = new Uint8Array(payload);
      this.#held.push(() => this.#write(arriving, copy));
    }
  }

  #write({ places, complete }: Arriving, payload: Uint8Array): void {
    let at = 0;
    for (const { address, bytes } of places) {
      this.#arena.u8.set(payload.subarray(at, at + bytes), address);
      at += bytes;
    }
    complete();
  }

  #awaits({ type }: StepMessage, from: number): boolean {
    const leaf = isLeaf(this.#plan.shards.hosts!);
    const fits = type === 'merged' ? leaf : type !== 'statistics' || !leaf;
    return fits && this.#tallies[countedAs[type]].awaits(from);
  }

  #counted(arrival: Exclude<Arrival, 'flushed'>, from: number, places: readonly Place[]): Arriving {
    return { places, isOpen: always, complete: () => this.#count(arrival, from) };
  }

  #piece(arrival: 'contributions' | 'reduced', from: number, bytes: number, { address, round, completes }: DuePiece): Arriving {
    return {
      places: [{ address, bytes }],
      isOpen: () => round <= this.#finishedSteps,
      complete: () => {
        if (completes) this.#count(arrival, from);
      },
    };
  }

  /** The ranks of a host without shards have finished a step. */
  #stood(): void {
    this.#finishedSteps++;
    // Nobody is further ahead than the next step, which the coordinator's verdict on this one let them begin.
    for (const write of this.#held.splice(0)) write();
  }

  #count(arrival: Exclude<Arrival, 'flushed'>, from: number): void {
    if (!this.#tallies[arrival].add(from)) return;
    if (arrival === 'findings') {
      this.#arena.i32[(this.#plan.findings >>> 2) + this.#plan.spec.ranks] = this.#leastFinding;
      this.#leastFinding = Number.POSITIVE_INFINITY;
    }
    countArrival(this.#arena, this.#index, arrival);
  }
}

/** Whose payload has the same places in every step. */
const recurs: ReadonlySet<StepMessage['type']> = new Set(['statistics', 'merged', 'sums', 'verdict']);

const always = (): boolean => true;

function areaOf(ranks: RunPlan['ranks'], index: number): RunPlan['ranks'][number]['areas'][number] {
  const area = ranks[0]!.areas[index];
  if (!area) throw new LockstepError('LOCKSTEP_PROTOCOL', `Expected the number of a sync point of the model, got ${index}.`);
  return area;
}

/** The places, if they are as many bytes as came. */
function checked({ type }: Message, places: readonly Place[], bytes: number): readonly Place[] {
  const expected = places.reduce((sum, place) => sum + place.bytes, 0);
  if (bytes !== expected) throw new LockstepError('LOCKSTEP_PROTOCOL', `Expected a \`${type}\` message of ${expected} bytes, got ${bytes}.`);
  return places;
}
