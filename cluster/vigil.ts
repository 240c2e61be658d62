/**
 * Room: cluster (level 7). The coordinator's watch over its hosts: the name of whoever gives no sign of life, and of whoever keeps a step waiting that nobody
 * goes on with, while the coordinator's own ranks are in it and after that.
 */
import type { Command } from '../src/local/task.ts';
import { phases } from '../src/telemetry/timing.ts';
import type { Guest, Guests } from './guests.ts';
import type { Member } from './member.ts';
import { explainSilence, type HostSigns, silentHosts, stepDeadline } from './membership/silence.ts';
import type { RunState } from './membership/state.ts';
import type { RefusalReason } from './transport/refusal.ts';

/** Twice in the time after which anybody would miss them, many times over. */
export const heartbeatMs = 500;

/** Hosts see to their own ranks first. */
const graceMs = 2000;
/** Steps that the median is of. */
const remembered = 64;

/** A host that is to be given up, and the sentence that says what is known of it. */
export interface Lost {
  readonly guest: Guest;
  readonly sentence: string;
}

/** What is looked at of the coordinator's own part. */
type Watched = Pick<Member, 'committed' | 'generation' | 'progress' | 'placeOf'> & { readonly layers: readonly string[] };
type Signs = HostSigns & { readonly guest: Guest };

export class Vigil {
  readonly #guests: Pick<Guests, 'all'>;
  readonly #member: Watched;
  readonly #timeoutMs: number;
  /** What is obeyed now. */
  #obeyed: Command['kind'] | undefined;
  #lookedAt = 0;
  #step = 0;
  /** Where all ranks were at the last look, and for how long they have been there. */
  #places = '';
  #stillMs = 0;
  /** Of the step under way. */
  #stepMs = 0;
  /** Of this generation: others compute other shards. Hosts are to see to their own ranks first, and do not know more of it either. */
  #stepsSeconds: number[] = [];
  #generation = 0;

  /** A host is silent after `timeoutMs`. */
  constructor(guests: Pick<Guests, 'all'>, member: Watched, timeoutMs: number) {
    this.#guests = guests;
    this.#member = member;
    this.#timeoutMs = timeoutMs;
  }

  /** Does `work`, which obeys a command to train, or another one, of which no steps can be seen; `clock` tells the times of `look`. */
  async over<T>(kind: Command['kind'], clock: () => number, work: () => Promise<T>): Promise<T> {
    this.#obeyed = kind;
    if (this.#member.generation !== this.#generation) this.#stepsSeconds = [];
    this.#generation = this.#member.generation;
    this.#lookedAt = clock();
    this.#step = this.#member.committed;
    this.#stillMs = 0;
    this.#stepMs = 0;
    try {
      return await work();
    } finally {
      // A command may be shorter than the time between two looks: how long its steps took is to be known all the same.
      this.#time(clock(), []);
      this.#obeyed = undefined;
    }
  }

  /** Whom to give up at the time `now` of `steadyNow`. */
  look(now: number, { phase, awaited }: Pick<RunState, 'phase' | 'awaited'>): Lost[] {
    const hosts = this.#guests.all.map((guest): Signs => ({ ...guest.signs, ...(this.#member.placeOf(guest.id) ?? { first: 0, end: 0 }), guest }));
    const silent = silentHosts(now, this.#timeoutMs, hosts);
    if (silent.length > 0) return silent.map((host) => this.#lost(now, `was silent for more than ${this.#timeoutMs / 1000} s`, host));
    // Its own part is done, and others finish or leave theirs. Who gets ready may receive for long.
    const late = this.#obeyed === undefined && phase !== 'forming' ? awaited : [];
    this.#time(now, late);
    // Of a host that mends a rank no more is seen: it gets as long as for a first step.
    const recent = this.#obeyed === undefined ? [] : this.#stepsSeconds;
    if (this.#stillMs <= 1000 * stepDeadline(recent) + graceMs) return [];
    // If it was another one, the next look but some comes to it.
    this.#stillMs = 0;
    const guilty = furthestBehind(hosts.filter(({ guest }) => this.#member.placeOf(guest.id) && (this.#obeyed === 'train' || this.#isBehind(guest, late))));
    return guilty ? [this.#lost(now, 'keeps a step waiting', guilty)] : [];
  }

  /** A host whose ranks are in a step still, where others are past it. */
  #isBehind({ id, signs: { ranks } }: Guest, late: readonly number[]): boolean {
    return ranks.some(({ step }) => step > 0) && (this.#obeyed !== undefined || late.includes(id));
  }

  #lost(now: number, what: string, host: Signs): Lost {
    return { guest: host.guest, sentence: explainSilence(now, what, host, this.#member.layers) };
  }

  #time(now: number, late: readonly number[]): void {
    // A look that comes late saw nothing of the time between.
    const elapsed = Math.min(now - this.#lookedAt, 2 * heartbeatMs);
    this.#lookedAt = now;
    const { committed, progress } = this.#member;
    const places = JSON.stringify([committed, progress, this.#guests.all.map(({ id, signs }) => [id, signs.ranks])]);
    // How far an evaluation is cannot be seen from the places of ranks, but who has not come to it yet can.
    const isWatched = this.#obeyed === 'train' || this.#guests.all.some((guest) => this.#isBehind(guest, late));
    this.#stillMs = isWatched && places === this.#places ? this.#stillMs + elapsed : 0;
    this.#places = places;
    this.#stepMs += elapsed;
    const steps = committed - this.#step;
    this.#step = committed;
    if (steps <= 0 || this.#obeyed !== 'train') return;
    this.#stepsSeconds = [...this.#stepsSeconds, this.#stepMs / steps / 1000].slice(-remembered);
    this.#stepMs = 0;
  }
}

/** Who is at the earliest step, computes there rather than waits, and has been there for longest. */
function furthestBehind<Host extends HostSigns>(hosts: readonly Host[]): Host | undefined {
  const step = ({ ranks }: Host): number => Math.min(...ranks.map((place) => place.step));
  const waits = ({ ranks }: Host): number => (ranks.every(({ phase }) => phases[phase] === 'wait' || phases[phase] === 'network') ? 1 : 0);
  return hosts.toSorted((a, b) => step(a) - step(b) || waits(a) - waits(b) || a.progressAt - b.progressAt || a.first - b.first)[0];
}

/** What was refused or ignored, for the end of a run. */
export function troubles(refusals: ReadonlyMap<RefusalReason, number>, staleMessages: number): string[] {
  const counts = [...refusals].map(([reason, count]) => `${reason} ${count}`);
  return [
    ...(counts.length > 0 ? [`refused connections: ${counts.join(', ')}`] : []),
    ...(staleMessages > 0 ? [`ignored messages of generations that were over: ${staleMessages}`] : []),
  ];
}
