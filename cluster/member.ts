/**
 * Room: cluster (level 7). One process's part in generation after generation, the same on the coordinator and on every host: its
 * ranks, and the exchange that connects them to the others'. Whoever holds it tells it what to do; it sends nothing itself but
 * what its ranks announce.
 */
import type { Part } from '../src/collectives/shard-plan.ts';
import type { Station } from '../src/local/station.ts';
import type { Command } from '../src/local/task.ts';
import { phases, readTimes } from '../src/telemetry/timing.ts';
import type { StepMessage } from './exchange/incoming.ts';
import type { GradientTraffic } from './exchange/outgoing.ts';
import { Exchange } from './exchange.ts';
import type { Standing } from './remaining.ts';
import type { Link } from './transport/link.ts';
import type { MessageOf } from './wire/messages.ts';

type Generation = Pick<MessageOf<'generation'>, 'generation' | 'members' | 'self' | 'topology'>;

export class Member {
  readonly station: Station;
  readonly traffic: GradientTraffic = { gradientBytesOut: 0 };
  /** Messages of generations that are over, which changed nothing. */
  staleMessages = 0;
  #generation: Generation | undefined;
  #exchange: Exchange | undefined;
  /** The step at which the generation began. */
  #began = 0;

  constructor(station: Station) {
    this.station = station;
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
    const { arena, plan } = this.station;
    return Atomics.load(arena.i32, plan.standing >>> 2);
  }

  /** As of `committed`: what commands go on from. */
  get standing(): Standing {
    const { arena, plan } = this.station;
    const [step, updates, skippedInARow] = arena.i32.subarray(plan.standing >>> 2) as unknown as [number, number, number];
    return { step, updates, skippedInARow };
  }

  /** Says which step the state that was received belongs to. */
  stand(step: number): void {
    Atomics.store(this.station.arena.i32, this.station.plan.standing >>> 2, step);
  }

  /** All ranks of the generation before must stand. `linkTo` gives the link to a member by its index. */
  async enter(generation: Generation, linkTo: (index: number) => Link | undefined): Promise<void> {
    this.leave();
    const { members, self, topology } = generation;
    const bounds = [...members.map(({ first }) => first), members.at(-1)!.end];
    const part: Part | undefined = members.length > 1 ? { topology, host: self, bounds } : undefined;
    await this.station.change(part);
    this.#generation = generation;
    this.#began = this.committed;
    if (!part) return;
    const { plan, arena } = this.station;
    this.#exchange = new Exchange({ plan, arena, generation: generation.generation, links: { get: linkTo } }, this.traffic);
  }

  /** Nothing is exchanged any more. */
  leave(): void {
    this.#exchange?.stop();
    this.#exchange = undefined;
  }

  /** Makes ranks leave the step that they are in, unless they have all that they need to finish it. */
  recall(): void {
    this.leave();
    this.station.team.recall();
  }

  /** Ranks obey; 'recalled' when they left their step. */
  obey(command: Command): ReturnType<Station['team']['obey']> {
    return this.station.team.obey(command);
  }

  /** A message of a step from the member with the id `from`. Throws LOCKSTEP_PROTOCOL when it is out of place. */
  receive(from: number, message: StepMessage, payload: Uint8Array): void {
    const index = this.#generation?.members.findIndex(({ id }) => id === from) ?? -1;
    if (message.generation !== this.generation || index === -1 || !this.#exchange) {
      this.staleMessages++;
      return;
    }
    this.#exchange.receive(index, message, payload);
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
    const rows = ((this.committed - this.#began) * spec.batchRows * own) / spec.shards;
    if (rows <= 0) return 0;
    const seconds = plan.ranks.reduce((sum, { times }) => {
      const { wait: _, network: __, ...computing } = readTimes(arena, times);
      return sum + Object.values(computing).reduce((a, b) => a + b, 0);
    }, 0);
    return seconds / rows;
  }
}
