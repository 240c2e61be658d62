/**
 * Room: cluster (level 7). What the coordinator says to its hosts, with the envelope that every message has.
 */
import type { Guests } from './guests.ts';
import type { Member } from './member.ts';
import type { Effect } from './membership/state.ts';
import { sendState } from './state-transfer.ts';
import { type Message, type MessageBody, protocolVersion } from './wire/messages.ts';

export type NewGeneration = Extract<Effect, { kind: 'newGeneration' }>;

export interface HeraldOptions {
  readonly guests: Guests;
  readonly member: Member;
  readonly topology: 'star' | 'mesh';
  /** A line for the user. */
  readonly onNews: (sentence: string) => void;
}

export class Herald {
  readonly #options: HeraldOptions;

  constructor(options: HeraldOptions) {
    this.#options = options;
  }

  /** To one host; one that is gone hears nothing. */
  tell(id: number, body: MessageBody): void {
    const { guests, member } = this.#options;
    guests.get(id)?.link.send({ version: protocolVersion, generation: member.generation, step: member.committed, ...body } as Message);
  }

  tellAll(ids: readonly number[], body: MessageBody): void {
    for (const id of ids) this.tell(id, body);
  }

  /** A sign of life to all who are there. */
  beat(): void {
    for (const { id, link } of this.#options.guests.all) {
      this.tell(id, { type: 'heartbeat', ranks: [] });
      link.ping();
    }
  }

  /** Tells every member its place, and sends the state to those who lack it as long as the generation is the latest. */
  proclaim({ generation, members }: NewGeneration, isLatest: () => boolean): void {
    const { guests, member, topology, onNews } = this.#options;
    const places = members.map(({ receivesState: _, ...place }) => place);
    members.forEach(({ id, receivesState }, self) => {
      const guest = guests.get(id);
      if (!guest) return;
      guest.link.send({ version: protocolVersion, generation, step: member.committed, type: 'generation', members: places, self, topology, receivesState });
      if (!receivesState) return;
      sendState(member, guest.link, generation, isLatest).then(
        ({ bytes, seconds }) => onNews(`host ${guest.name} got its state: ${(bytes / 1e6).toFixed(1)} MB in ${seconds.toFixed(2)} s`),
        // The link broke, which is told of elsewhere.
        () => {},
      );
    });
  }
}
