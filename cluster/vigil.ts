/**
 * Room: cluster (level 7). The coordinator's watch over its hosts: signs of life to all of them, and the name of whoever gives none.
 */
import type { Guest, Guests } from './guests.ts';
import type { Member } from './member.ts';
import { explainSilence, silentHosts } from './membership/silence.ts';
import type { RefusalReason } from './transport/refusal.ts';

/** Twice in the time after which anybody would miss them, many times over. */
export const heartbeatMs = 500;

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

/** What was refused or ignored, for the end of a run. */
export function troubles(refusals: ReadonlyMap<RefusalReason, number>, staleMessages: number): string[] {
  const counts = [...refusals].map(([reason, count]) => `${reason} ${count}`);
  return [
    ...(counts.length > 0 ? [`refused connections: ${counts.join(', ')}`] : []),
    ...(staleMessages > 0 ? [`ignored messages of generations that were over: ${staleMessages}`] : []),
  ];
}
