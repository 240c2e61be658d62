/**
 * Room: cluster (level 7), exchange. What goes to other hosts in a step: for everything that a leader announces, which messages with
 * which bytes of the arena, to whom. It sends nothing.
 */
import { isLeaf } from '../../src/collectives/shared.ts';
import type { OutboxKind } from '../../src/collectives/uplink.ts';
import type { Address, Arena } from '../../src/memory/arena.ts';
import type { HostGradients } from '../../src/model/gradients.ts';
import type { RunPlan } from '../../src/model/plan.ts';
import { stoodStep } from '../../src/model/standing.ts';
import { type Message, type MessageBody, protocolVersion } from '../wire/messages.ts';
import type { StepMessage } from './incoming.ts';
import { type NumberedRoot, overlap, type Place, rootsByHost } from './routes.ts';

/** A small message; its payload is these places one after the other. */
export interface Note {
  readonly to: readonly number[];
  readonly fields: MessageBody<StepMessage>;
  readonly places: readonly Place[];
}

/** Bytes [from, end) of the vector at `vector` for one host, in as many pieces as the sender likes. */
export interface Run {
  readonly to: number;
  readonly vector: Address;
  readonly from: number;
  readonly end: number;
  /** Of the piece that starts `offset` bytes into the vector. */
  readonly fields: (offset: number) => MessageBody<StepMessage>;
}

/** What an entry of the outbox sends. With `runs`, also when there are none, it is counted as `flushed` once they have left. */
export interface Departure {
  readonly note?: Note;
  readonly runs?: readonly Run[];
}

const nothing: Departure = {};

export class Departures {
  readonly #plan: RunPlan;
  readonly #arena: Arena;
  readonly #generation: number;
  readonly #gradients: HostGradients;
  readonly #host: number;
  readonly #others: readonly number[];
  readonly #roots: readonly NumberedRoot[];
  /** By kind and index: but for findings, the same in every step. */
  readonly #known = new Map<OutboxKind, Departure[]>();

  constructor(plan: RunPlan, arena: Arena, generation: number) {
    const { host, hosts } = plan.shards.hosts!;
    this.#plan = plan;
    this.#arena = arena;
    this.#generation = generation;
    this.#gradients = plan.gradients.hosts!;
    this.#host = host;
    this.#others = Array.from({ length: hosts }, (_, h) => h).filter((h) => h !== host);
    this.#roots = rootsByHost(this.#gradients, hosts)[host]!;
  }

  of(kind: OutboxKind, index: number): Departure {
    // The least place that was found differs from step to step.
    if (kind === 'findings') return this.#make(kind, index);
    const known = this.#known.get(kind) ?? [];
    if (known.length === 0) this.#known.set(kind, known);
    const departure = known[index] ?? this.#make(kind, index);
    known[index] = departure;
    return departure;
  }

  /** With the envelope of the step that the ranks are in. */
  message(fields: MessageBody<StepMessage>): Message {
    return { version: protocolVersion, generation: this.#generation, step: this.step, ...fields };
  }

  get step(): number {
    return stoodStep(this.#arena, this.#plan);
  }

  #make(kind: OutboxKind, index: number): Departure {
    const { shards, ranks, gradients, lossBlocks, measures, squareSums, verdict, verdictBytes, findings, spec } = this.#plan;
    const hosts = shards.hosts!;
    const roots = this.#roots;
    switch (kind) {
      case 'statistics': {
        if (roots.length === 0 || (hosts.topology === 'star' && this.#host === 0)) return nothing;
        const { blocks, channels } = ranks[0]!.areas[index]!;
        const places = roots.map(({ start }) => ({ address: blocks + 16 * channels * start, bytes: 16 * channels }));
        return { note: { to: isLeaf(hosts) ? [0] : this.#others, fields: { type: 'statistics', area: index }, places } };
      }
      case 'merged': {
        const { result, channels } = ranks[0]!.areas[index]!;
        return { note: { to: this.#others, fields: { type: 'merged', area: index }, places: [{ address: result, bytes: 16 * channels }] } };
      }
      case 'contribution': {
        const runs = hosts.owners
          .filter((owner) => owner !== this.#host)
          .flatMap((to) => {
            const { from, to: end } = overlap(this.#gradients.buckets[index]!, this.#gradients.shares[to]!);
            return roots.map(({ number, vector }): Run => {
              return { to, vector, from, end, fields: (offset) => ({ type: 'contribution', bucket: index, root: number, offset }) };
            });
          });
        return { runs };
      }
      case 'reduced': {
        const { from, to: end } = overlap(this.#gradients.buckets[index]!, this.#gradients.shares[this.#host]!);
        return { runs: this.#others.map((to) => ({ to, vector: gradients.global, from, end, fields: (offset) => ({ type: 'reduced', offset }) })) };
      }
      case 'losses':
      case 'sums': {
        const { first, end } = kind === 'sums' ? this.#gradients.shares[this.#host]! : { first: 0, end: 0 };
        const sumBytes = 8 * measures.length;
        const losses = roots.map(({ start }) => ({ address: lossBlocks + sumBytes * start, bytes: sumBytes }));
        return { note: { to: [0], fields: { type: 'sums' }, places: [...losses, { address: squareSums + 8 * first, bytes: 8 * (end - first) }] } };
      }
      case 'verdict':
        return { note: { to: this.#others, fields: { type: 'verdict' }, places: [{ address: verdict, bytes: verdictBytes }] } };
      case 'findings':
        return { note: { to: [0], fields: { type: 'findings', first: this.#arena.i32[(findings >>> 2) + spec.ranks]! }, places: [] } };
      case 'stood':
        return nothing;
      default:
        return kind satisfies never;
    }
  }
}
