/**
 * Room: cluster (level 7). One process's part in generation after generation, the same on the coordinator and on every host: its
 * ranks, and the ways on which their leader, or the exchange in its place, reaches the others'. Whoever holds it tells it what to do; it
 * sends nothing itself but what its ranks announce.
 */
import type { Part } from '../src/collectives/shard-plan.ts';
import { Mending } from '../src/local/mending.ts';
import type { Station } from '../src/local/station.ts';
import type { Command } from '../src/local/task.ts';
import { readStanding, type Standing, stoodStep } from '../src/model/standing.ts';
import { phases, readTimes } from '../src/telemetry/timing.ts';
import { addTraffic, noTraffic, readTraffic, type Traffic } from '../src/telemetry/traffic.ts';
import { isStepMessage } from './exchange/incoming.ts';
import { Exchange } from './exchange.ts';
import type { Generation, StepLink, Ways } from './step-links.ts';
import { type Stumble, stumbleOf } from './stumble.ts';
import { Refusal } from './transport/refusal.ts';
import { troubleOf } from './trouble.ts';
import type { Message } from './wire/messages.ts';

/** What is told of a way that broke: the other host's id, the generation, and why. */
export type OnWayLost = (id: number, generation: number, reason: string) => void;

/** What runs a rank of one of several hosts. */
export const rankWorker = new URL('./rank-worker.js', import.meta.url);

export class Member {
  readonly station: Station;
  readonly #onLost: OnWayLost;
  #generation: Generation | undefined;
  #ways: Ways | undefined;
  /** Where the main thread carries. */
  #exchange: Exchange | undefined;
  /** Aborted when the generation is over here. */
  #over = new AbortController();
  #trafficBefore = noTraffic;
  /** The step at which the generation began, once it has a command. */
  #began: number | undefined;
  #ended = false;
  readonly #mending: Mending;
  #restarts = 0;
  /** Resolves when no rank that died is being mended. */
  #mended: Promise<unknown> = Promise.resolve();

  constructor(station: Station, onLost: OnWayLost) {
    this.station = station;
    this.#mending = new Mending(station);
    this.#onLost = onLost;
  }

  /** What this process is among the members; undefined before the first generation. */
  get place(): Generation['members'][number] | undefined {
    return this.#generation?.members[this.#generation.self];
  }

  get generation(): number {
    return this.#generation?.generation ?? 0;
  }

  /** The shards [first, end) of the member with the id `id`. */
  placeOf(id: number): { readonly first: number; readonly end: number } | undefined {
    return this.#generation?.members.find((member) => member.id === id);
  }

  /** The last step that was committed here. */
  get committed(): number {
    return stoodStep(this.station.arena, this.station.plan);
  }

  /** As of `committed`: what commands go on from. */
  get standing(): Standing {
    return readStanding(this.station.arena, this.station.plan);
  }

  /** All ranks of the generation before must stand. The ways are closed when the generation ends, or at once when the member has ended or cannot begin. */
  async enter(generation: Generation, ways: Ways): Promise<void> {
    this.leave();
    if (this.#ended) {
      ways.close();
      return;
    }
    const { members, self, topology } = generation;
    const bounds = [...members.map(({ first }) => first), members.at(-1)!.end];
    const part: Part | undefined = members.length > 1 ? { topology, host: self, bounds } : undefined;
    this.#trafficBefore = this.traffic;
    try {
      await this.station.change(part, ways.steps);
    } catch (error) {
      ways.close();
      throw error;
    }
    if (this.#ended) {
      ways.close();
      return;
    }
    this.#ways?.close();
    this.#ways = ways;
    this.#generation = generation;
    this.#began = undefined;
    if (!part) return;
    this.#over = new AbortController();
    if (ways.steps) void this.#watch(generation);
    else this.#carry(generation, ways.links);
  }

  /** Nothing is exchanged any more by the main thread. */
  leave(): void {
    this.#over.abort();
    this.#exchange?.stop();
    this.#exchange = undefined;
  }

  /** Ranks stand, and nothing is exchanged until the next generation. */
  async rest(): Promise<void> {
    this.leave();
    await this.station.team.rest();
    this.#ways?.close();
    this.#ways = undefined;
  }

  /** Ends ranks and threads. */
  async end(): Promise<void> {
    this.#ended = true;
    this.recall();
    await this.#mended.catch(() => {});
    await this.station.team.end();
    this.#ways?.close();
    this.#ways = undefined;
  }

  /** What leaders have sent and received, and all gradients that went out. */
  get traffic(): Traffic {
    const { arena, plan } = this.station;
    return plan.traffic === 0 ? this.#trafficBefore : addTraffic(this.#trafficBefore, readTraffic(arena, plan.traffic));
  }

  async #watch({ generation, members }: Generation): Promise<void> {
    const { arena, plan } = this.station;
    const { signal } = this.#over;
    const trouble = await troubleOf(arena, plan.trouble, signal);
    if (trouble && !signal.aborted) this.#onLost(members[trouble.host]!.id, generation, trouble.reason);
  }

  #carry({ generation, members }: Generation, links: ReadonlyMap<number, StepLink>): void {
    const { plan, arena } = this.station;
    const { signal } = this.#over;
    const exchange = new Exchange({ plan, arena, generation, links });
    this.#exchange = exchange;
    for (const [index, link] of links) {
      link.onMessage((message, payload) => receiveStep(exchange, generation, index, message, payload));
      link.onClose((reason) => {
        if (!signal.aborted) this.#onLost(members[index]!.id, generation, reason);
      });
    }
  }

  /** Makes ranks leave the step that they are in, unless they have all that they need to finish it. */
  recall(): void {
    this.leave();
    this.station.team.recall();
  }

  /** Ranks obey; 'recalled' when they left their step. When one died, the state is that of a step again. Throws what cannot be mended. */
  async obey(command: Command): Promise<'finished' | 'recalled' | Stumble> {
    this.#began ??= this.committed;
    const obeyed = await this.station.team.obey(command);
    if (obeyed !== 'stumbled') return obeyed;
    this.leave();
    this.#restarts++;
    const mended = this.#mending.mend(command, 'this process takes no further part');
    this.#mended = mended;
    return stumbleOf(await mended, this.station.ranks);
  }

  /** The names of the model's layers. */
  get layers(): string[] {
    return this.station.plan.topology.layers.map(({ name }) => name);
  }

  /** How often ranks here died so far. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Where each rank is; none before the first generation. */
  get progress(): { readonly step: number; readonly phase: number; readonly layer: number }[] {
    const { arena, plan } = this.station;
    if (!this.#generation) return [];
    return plan.ranks.map(({ progress }) => {
      const [step, phase, layer] = arena.i32.subarray(progress >>> 2) as unknown as [number, number, number];
      return { step, phase: Math.min(Math.max(phase, 0), phases.length - 1), layer };
    });
  }

  /** Seconds that a rank computes for a row, without waiting, over the generation; 0 while nothing was computed. */
  get rowSeconds(): number {
    const { arena, plan } = this.station;
    const { shards, spec } = plan;
    const own = shards.ranks.reduce((sum, { count }) => sum + count, 0);
    const rows = ((this.committed - (this.#began ?? this.committed)) * spec.batchRows * own) / spec.shards;
    if (rows <= 0) return 0;
    const seconds = plan.ranks.reduce((sum, { times }) => {
      const { wait: _, network: __, ...computing } = readTimes(arena, times);
      return sum + Object.values(computing).reduce((a, b) => a + b, 0);
    }, 0);
    return seconds / rows;
  }
}

/** Throws LOCKSTEP_PROTOCOL, or a Refusal, for what is out of place, which closes the link. */
function receiveStep(exchange: Exchange, generation: number, from: number, message: Message, payload: Uint8Array): void {
  if (!isStepMessage(message)) throw new Refusal('protocol', `Expected messages of a step between hosts, got \`${message.type}\`.`);
  if (message.generation !== generation) throw new Refusal('stale', `Expected messages of generation ${generation}, got one of generation ${message.generation}.`);
  exchange.receive(from, message, payload);
}
