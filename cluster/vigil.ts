/**
 * Room: cluster (level 7). The coordinator's watch over its hosts: signs of life to all of them, and the name of whoever gives none.
 */
import type { Guest, Guests } from './guests.ts';
import type { Member } from './member.ts';
import { explainSilence, silentHosts } from './membership/silence.ts';

/** A host that was silent for too long, and the sentence that says what is known of it. */
export interface Silent {
  readonly guest: Guest;
  readonly sentence: string;
}

/** Who has been silent for longer than `timeoutMs` at the time `now`. */
export function findSilent(guests: Guests, member: Member, timeoutMs: number, now: number): Silent[] {
  const layers = member.station.plan.topology.layers.map(({ name }) => name);
  const hosts = guests.all.map((guest) => ({ ...guest.signs, ...(member.placeOf(guest.id) ?? { first: 0, end: 0 }), guest }));
  const what = `was silent for more than ${timeoutMs / 1000} s`;
  return silentHosts(now, timeoutMs, hosts).map((host) => ({ guest: host.guest, sentence: explainSilence(now, what, host, layers) }));
}
