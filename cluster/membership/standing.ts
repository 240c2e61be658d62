/**
 * Room: cluster (level 7), membership. What happens when all members stand at a step boundary: the only moment at which hosts
 * come and go. It ends a run that drains, releases who leaves, drops who cannot be linked, and then pauses, goes on, or forms
 * the next generation with everybody who is prepared.
 */
import { assignShards, withUnknownSpeeds } from './assignment.ts';
import type { BrokenLink, Effect, Host, Member, RunState, Transition } from './state.ts';

/** So many generations in a row may fail of one link before one of its hosts is dropped. */
const linkPatience = 3;

/** Decides what follows, given that no member is in a step. */
export function stand(state: RunState): Transition {
  if (state.phase === 'draining') return endRun(state, 'done', state.farewell);
  const effects: Effect[] = [];
  for (const { id, name } of state.hosts.filter(({ phase }) => phase === 'leaving')) {
    effects.push({ kind: 'release', id, message: 'Released as asked; the run goes on without this host.' }, { kind: 'announce', sentence: `host ${name} left` });
  }
  const staying = state.hosts.filter(({ phase }) => phase !== 'leaving');
  const { links, blamed } = judgeLinks(state, staying);
  for (const [{ id, name }, reason] of blamed) {
    effects.push({ kind: 'drop', id, reason }, { kind: 'announce', sentence: `host ${name} was dropped: ${reason}` });
  }
  const hosts = staying.filter((host) => !blamed.has(host));
  const next: RunState = { ...state, hosts, awaited: [], told: 'nothing', brokenLinks: links, brokenNow: [] };

  const able = hosts.filter(({ phase }) => phase !== 'preparing');
  if (able[0]?.id !== 0) return { state: next, effects };
  const computing = able.filter(({ workers }) => workers > 0).length;
  const needed = Math.max(1, state.minHosts);
  if (computing < needed) {
    const sentence = `the run waits for more hosts: it has ${computing} with workers and needs ${needed}`;
    return { state: { ...next, phase: 'waiting' }, effects: [...effects, { kind: 'pause', sentence }] };
  }
  const undisturbed = state.phase === 'running' && state.told !== 'leave' && state.brokenNow.length === 0;
  if (undisturbed && isGeneration(state.members, able)) return { state: next, effects: [...effects, { kind: 'startWork', generation: state.generation }] };
  return form(next, able, effects);
}

/** Everybody but the coordinator is released with `sentence`, whatever they do. */
export function endRun(state: RunState, outcome: 'done' | 'failed', sentence: string): Transition {
  const others = state.hosts.filter(({ id }) => id !== 0);
  const releases = others.map(({ id }): Effect => ({ kind: 'release', id, message: sentence }));
  const hosts = state.hosts.filter(({ id }) => id === 0);
  return { state: { ...state, phase: outcome, hosts, awaited: [] }, effects: [...releases, { kind: 'end', outcome, sentence }] };
}

/** The next generation: `able` hosts, the coordinator first, from the coordinator's step on. */
function form(state: RunState, able: readonly Host[], effects: readonly Effect[]): Transition {
  // What hosts have heard of from a coordinator before this one is over for them.
  const generation = Math.max(state.generation, state.seen) + 1;
  const boundaries = assignShards(state.shards, withUnknownSpeeds(able));
  const origin = able[0]!.committed!;
  const members = able.map(
    ({ id, name, workers, address, committed }, i): Member => ({
      id,
      name,
      workers,
      address,
      first: boundaries[i]!,
      end: boundaries[i + 1]!,
      receivesState: id !== 0 && committed !== origin,
    }),
  );
  const hosts = state.hosts.map((host): Host => {
    const member = members.find(({ id }) => id === host.id);
    return member === undefined ? host : { ...host, phase: 'member', committed: member.receivesState ? undefined : host.committed };
  });
  const ids = members.map(({ id }) => id);
  return {
    state: { ...state, phase: 'forming', generation, hosts, members: ids, awaited: ids, formedAt: origin },
    effects: [...effects, { kind: 'newGeneration', generation, members }, ...announce(generation, able, members)],
  };
}

/** A line for every newcomer; without newcomers, one line that says who computes what from now on. */
function announce(generation: number, able: readonly Host[], members: readonly Member[]): Effect[] {
  const newcomers = members.filter((_, i) => able[i]!.phase === 'prepared');
  const sentences = newcomers.map(
    ({ name, workers, ...range }) => `host ${name} joined with ${workers} ${workers === 1 ? 'worker' : 'workers'}: generation ${generation}, ${shardRange(range)}`,
  );
  if (sentences.length === 0) sentences.push(`generation ${generation}: ${members.map(({ name, ...range }) => `host ${name} ${shardRange(range)}`).join(', ')}`);
  return sentences.map((sentence) => ({ kind: 'announce', sentence }));
}

/** "no shards", "shard 4" or "shards 4-7". */
export function shardRange({ first, end }: { readonly first: number; readonly end: number }): string {
  if (first >= end) return 'no shards';
  return end - first === 1 ? `shard ${first}` : `shards ${first}-${end - 1}`;
}

/** True when `able` hosts are those of the generation and stand where the coordinator stands. */
function isGeneration(members: readonly number[], able: readonly Host[]): boolean {
  return members.length === able.length && able.every(({ id, committed }, i) => id === members[i] && committed === able[0]!.committed);
}

/** Counts the links that broke in this generation; of a link without patience left, the host with the higher id is blamed. */
function judgeLinks(state: RunState, staying: readonly Host[]): { readonly links: readonly BrokenLink[]; readonly blamed: ReadonlyMap<Host, string> } {
  const hostOf = (id: number): Host | undefined => staying.find((host) => host.id === id);
  // A committed step since shows that links worked: their failures are no longer in a row.
  const earlier = hostOf(0)?.committed === state.formedAt ? state.brokenLinks : [];
  const again = state.brokenNow.map(({ low, high }): BrokenLink => {
    const failures = earlier.find((link) => link.low === low && link.high === high)?.failures ?? 0;
    return { low, high, failures: failures + 1 };
  });
  const others = earlier.filter(({ low, high }) => !again.some((link) => link.low === low && link.high === high));
  const blamed = new Map<Host, string>();
  const links = [...others, ...again].filter(({ low, high }) => hostOf(low) !== undefined && hostOf(high) !== undefined);
  for (const { low, high, failures } of links.toSorted((a, b) => a.low - b.low || a.high - b.high)) {
    if (failures < linkPatience || blamed.has(hostOf(low)!)) continue;
    blamed.set(hostOf(high)!, `Its link to host ${hostOf(low)!.name} failed ${failures} times in a row; check that the two hosts reach each other.`);
  }
  return { links: links.filter(({ low, high }) => !blamed.has(hostOf(low)!) && !blamed.has(hostOf(high)!)), blamed };
}
