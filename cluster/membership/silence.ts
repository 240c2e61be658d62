/**
 * Room: cluster (level 7), membership. Who is silent, how long a step may take, and the sentence that explains a timeout. All
 * times are arguments, in milliseconds since 1970 unless the name says otherwise; nothing here looks at a clock.
 */
import { phases } from '../../src/telemetry/timing.ts';
import { shardRange } from './standing.ts';

/** Where a rank was, as heartbeats tell it: the step (0 before the first, -1 in an evaluation), an index into `phases`, an index into the model's layers or -1. */
export interface RankPlace {
  readonly step: number;
  readonly phase: number;
  readonly layer: number;
}

/** The last signs of life of a host; its shards are [first, end). */
export interface HostSigns {
  readonly name: string;
  readonly first: number;
  readonly end: number;
  readonly heartbeatAt: number;
  /** When a rank was last seen at another place than before. */
  readonly progressAt: number;
  readonly ranks: readonly RankPlace[];
}

/** Steps may take so many times the median, */
const deadlineFactor = 8;
/** but at least so many seconds; */
const shortestDeadline = 10;
/** and so many seconds while none was measured: the first one also warms up. */
const firstDeadline = 120;
/** A sentence lists so many places of ranks. */
const placesShown = 4;

/** Hosts whose last heartbeat is more than `timeoutMs` ago. */
export function silentHosts<T extends HostSigns>(now: number, timeoutMs: number, hosts: readonly T[]): T[] {
  return hosts.filter(({ heartbeatAt }) => now - heartbeatAt > timeoutMs);
}

/** Seconds after which a step without progress counts as stuck, from the seconds that recent steps took. */
export function stepDeadline(recentStepSeconds: readonly number[]): number {
  const sorted = recentStepSeconds.toSorted((a, b) => a - b);
  if (sorted.length === 0) return firstDeadline;
  const upper = sorted.length >>> 1;
  const median = (sorted[upper]! + sorted[(sorted.length - 1) >>> 1]!) / 2;
  return Math.max(shortestDeadline, deadlineFactor * median);
}

/**
 * Why a host is given up, in one sentence: `what` happened to it ("went silent", "is stuck"), its ranks and shards, its last
 * heartbeat and progress, and where its ranks then were, the furthest behind first. `layers` are the names of the model's layers.
 */
export function explainSilence(now: number, what: string, host: HostSigns, layers: readonly string[]): string {
  const { name, ranks, heartbeatAt, progressAt } = host;
  const own = ranks.length === 0 ? 'no ranks' : rankRange(ranks.map((_, i) => i));
  const when = `last heartbeat ${moment(now, heartbeatAt)}, last progress ${moment(now, progressAt)}`;
  const places = groupPlaces(ranks, layers);
  const more = places.length > placesShown ? [`others at ${places.length - placesShown} more places`] : [];
  const where = places.length === 0 ? '' : `: ${[...places.slice(0, placesShown), ...more].join('; ')}`;
  return `Host ${name} (${own}, ${shardRange(host)}) ${what}: ${when}${where}.`;
}

/** "at 2026-01-01T00:00:00.000Z (6.2 s ago)". */
function moment(now: number, at: number): string {
  return `at ${new Date(at).toISOString()} (${(Math.max(0, now - at) / 1000).toFixed(1)} s ago)`;
}

/** "rank 1 in step 12, phase forward, layer dense" for every place, those who keep others waiting first. */
function groupPlaces(ranks: readonly RankPlace[], layers: readonly string[]): string[] {
  const groups: { readonly place: RankPlace; readonly members: number[] }[] = [];
  for (const [rank, place] of ranks.entries()) {
    const group = groups.find(({ place: other }) => other.step === place.step && other.phase === place.phase && other.layer === place.layer);
    if (group === undefined) groups.push({ place, members: [rank] });
    else group.members.push(rank);
  }
  const waits = ({ phase }: RankPlace): number => (phases[phase] === 'wait' ? 1 : 0);
  groups.sort((a, b) => a.place.step - b.place.step || waits(a.place) - waits(b.place) || a.members[0]! - b.members[0]!);
  return groups.map(({ place: { step, phase, layer }, members }) => {
    const when = step < 0 ? 'in an evaluation' : step === 0 ? 'before its first step' : `in step ${step}`;
    const parts = [when, `phase ${phases[phase] ?? phase}`, ...(layer < 0 ? [] : [`layer ${layers[layer] ?? layer}`])];
    return `${rankRange(members)} ${parts.join(', ')}`;
  });
}

/** "rank 3" or "ranks 0-2, 5" for ascending ranks. */
function rankRange(ranks: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const rank of ranks) {
    const last = runs.at(-1);
    if (last !== undefined && last[1] === rank - 1) last[1] = rank;
    else runs.push([rank, rank]);
  }
  return `${ranks.length === 1 ? 'rank' : 'ranks'} ${runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(', ')}`;
}
