/**
 * Room: cluster (level 7), membership. Which host computes which shards: a pure function of counts and speeds, the same on
 * every machine. It promises contiguous ranges in the order of the hosts that cover every shard once, and a step that is at
 * most 5 % longer than the shortest one in which every host that is worth it takes part.
 *
 * A host with n shards takes `ceil(n / workers) / speed` for a step: the time of its worker with the most shards. The step takes
 * as long as its slowest host. Among the assignments within 5 % of the best, in this order:
 *   1. the fewest published subtrees: every maximal subtree of a host's range is one gradient sent a step;
 *   2. the most balanced: the smallest sum of shards^2 / (workers * speed), which is least at exact proportion;
 *   3. the lexicographically smallest boundaries.
 * A host with workers gets at least one shard when there are enough for all, or it would not be measured again; only a host
 * whose one shard takes over twice as long as the best step without it gets none.
 */
import { LockstepError } from '../../src/errors.ts';

/** What an assignment knows of a host; `speed` is rows per second of one worker, in any unit that all hosts share. */
export interface HostPower {
  readonly workers: number;
  readonly speed: number;
}

/** How much longer than the best a step may be for the sake of fewer subtrees. */
const slack = 1.05;
/** A host whose one shard takes longer than so many best steps gets no shard. */
const absurd = 2;

/** Hosts whose speed is not measured (0) are taken for as fast as the mean of the measured ones; all are 1 when none is. */
export function withUnknownSpeeds<T extends HostPower>(hosts: readonly T[]): T[] {
  const known = hosts.filter(({ workers, speed }) => workers > 0 && speed > 0);
  const mean = known.length === 0 ? 1 : known.reduce((sum, { speed }) => sum + speed, 0) / known.length;
  return hosts.map((host) => (host.speed > 0 ? host : { ...host, speed: mean }));
}

/**
 * Boundaries b, one more than hosts: host i computes shards [b[i], b[i + 1]). Takes O(hosts * shards * m), where m is the most
 * shards that one host may own within the slack: near shards / hosts, unless there are far more workers than shards. 4096
 * shards on 64 hosts take some tens of milliseconds, a second with 16 workers for every shard.
 */
export function assignShards(shards: number, hosts: readonly HostPower[]): readonly number[] {
  check(shards, hosts);
  const shortest = shortestStep(shards, hosts, 0);
  const useful = hosts.filter(({ workers, speed }) => workers > 0 && 1 / speed <= absurd * shortest);
  const least = useful.length <= shards ? 1 : 0;
  const best = shortestStep(shards, useful, least);
  const ranges = hosts.map((host) => (useful.includes(host) ? { least, most: capacity(host, best * slack, shards) } : { least: 0, most: 0 }));
  return search(shards, hosts, ranges);
}

/** The longest host of a step: what an assignment costs. */
export function stepLength(boundaries: readonly number[], hosts: readonly HostPower[]): number {
  const lengths = hosts.map(({ workers, speed }, i) => {
    const owned = boundaries[i + 1]! - boundaries[i]!;
    return owned === 0 ? 0 : Math.ceil(owned / workers) / speed;
  });
  return Math.max(...lengths);
}

/** How many maximal subtrees of the tree over `shards` leaves lie in [a, b): the length of `maximalSubtrees`, in closed form. */
export function countSubtrees(shards: number, a: number, b: number): number {
  if (a >= b) return 0;
  // Nodes are aligned blocks of 2^k leaves, and [x, shards) for every x that is `shards` without some of its low bits.
  const split = 1 << (31 - Math.clz32(a ^ b));
  const middle = b - (b & (split - 1));
  if (b < shards) return bits(middle - a) + bits(b - middle);
  const isTail = a === 0 || a === shards - (shards & ((a & -a) - 1));
  return isTail ? 1 : bits(middle - a) + (middle < b ? 1 : 0);
}

/** Bits that are set in an integer of [0, 2^31), counted in pairs, fours and eights at once. */
function bits(value: number): number {
  const pairs = value - ((value >>> 1) & 0x55555555);
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** How many shards a host finishes within `length`. */
function capacity({ workers, speed }: HostPower, length: number, shards: number): number {
  // The product may be off by a rounding; the quotient is what `stepLength` compares.
  let rounds = Math.floor(length * speed);
  if ((rounds + 1) / speed <= length) rounds++;
  else if (rounds > 0 && rounds / speed > length) rounds--;
  return Math.min(shards, workers * rounds);
}

/** The shortest step in which hosts, each with at least `least` shards, compute all: it is a whole number of rounds of one of them. */
function shortestStep(shards: number, hosts: readonly HostPower[], least: number): number {
  const able = hosts.filter(({ workers }) => workers > 0);
  const enough = (length: number): boolean => able.reduce((sum, host) => sum + capacity(host, length, shards), 0) >= shards;
  let best = Number.POSITIVE_INFINITY;
  for (const { workers, speed } of able) {
    let [low, high] = [0, Math.ceil(shards / workers)];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (enough(middle / speed)) high = middle;
      else low = middle + 1;
    }
    if (enough(low / speed)) best = Math.min(best, low / speed);
  }
  return least === 0 ? best : Math.max(best, ...able.map(({ speed }) => 1 / speed));
}

/** Dynamic programming from the last host to the first: the best way to give shards [start, shards) to hosts i, i + 1, ... */
function search(shards: number, hosts: readonly HostPower[], ranges: readonly { readonly least: number; readonly most: number }[]): readonly number[] {
  const width = shards + 1;
  const unreachable = 2 ** 30;
  let subtrees = new Int32Array(width).fill(unreachable);
  let balance = new Float64Array(width);
  subtrees[shards] = 0;
  const ends = hosts.map(() => new Int32Array(width));
  /** Hosts before i can own [0, reach[i]) at most, so nothing starts beyond. */
  const reach = [0];
  for (const { most } of ranges) reach.push(Math.min(shards, reach.at(-1)! + most));
  for (let i = hosts.length - 1; i >= 0; i--) {
    const { workers, speed } = hosts[i]!;
    const { least, most } = ranges[i]!;
    const nextSubtrees = new Int32Array(width).fill(unreachable);
    const nextBalance = new Float64Array(width);
    for (let start = 0; start <= reach[i]!; start++) {
      let [fewest, flattest, chosen] = [unreachable, 0, 0];
      // From the largest share down: the rest then needs ever more subtrees, so most of the loop ends at its first line.
      for (let end = Math.min(reach[i + 1]!, start + most); end >= start + least; end--) {
        const rest = subtrees[end]!;
        if (end === start ? rest > fewest : rest >= fewest) continue;
        const trees = rest + countSubtrees(shards, start, end);
        if (trees > fewest) continue;
        const skew = end === start ? balance[end]! : balance[end]! + (end - start) ** 2 / (workers * speed);
        if (trees === fewest && skew > flattest) continue;
        [fewest, flattest, chosen] = [trees, skew, end];
      }
      nextSubtrees[start] = fewest;
      nextBalance[start] = flattest;
      ends[i]![start] = chosen;
    }
    [subtrees, balance] = [nextSubtrees, nextBalance];
  }
  const boundaries = [0];
  for (const end of ends) boundaries.push(end[boundaries.at(-1)!]!);
  return boundaries;
}

function check(shards: number, hosts: readonly HostPower[]): void {
  const valid = ({ workers, speed }: HostPower) => Number.isSafeInteger(workers) && workers >= 0 && Number.isFinite(speed) && (speed > 0 || workers === 0);
  if (Number.isSafeInteger(shards) && shards >= 1 && hosts.some(({ workers }) => workers > 0) && hosts.every(valid)) return;
  throw new LockstepError('LOCKSTEP_INTERNAL', `Expected shards >= 1 and hosts with workers and positive speeds, got ${shards} shards and ${JSON.stringify(hosts)}.`);
}
