/**
 * Room: numerics (level 1). The order of an epoch: a permutation of n samples that is computed, not stored, so a run's
 * cursor is one number and every worker finds its own rows alone. A balanced Feistel network of eight rounds over the
 * smallest power of four that holds n; values outside n walk the cycle until they fall inside (Black and Rogaway, 2002).
 */
import { philox, purpose, seedKey } from './philox.ts';

const rounds = 8;

/** The eight round keys (uint32) of the order of `epoch` under `seed`; orders of another `use` share nothing with it. */
export function orderKeys(seed: number, epoch: number, use: number = purpose.shuffle): Uint32Array {
  const [low, high] = seedKey(seed);
  const keys = new Uint32Array(rounds);
  const block = new Uint32Array(4);
  for (let half = 0; half < 2; half++) {
    keys.set(philox(block, half, epoch, 0, use << 16, low, high), 4 * half);
  }
  return keys;
}

/** The bits of each half: 4^bits is the smallest power of four >= length, at least one bit. */
export function halfBits(length: number): number {
  let bits = 1;
  while (4 ** bits < length) bits++;
  return bits;
}

/** The finaliser of MurmurHash3: every input bit reaches every output bit. */
function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** The sample at `position` of the order: a bijection of [0, length). */
export function permute(position: number, length: number, keys: Uint32Array, bits: number = halfBits(length)): number {
  const mask = 2 ** bits - 1;
  let value = position;
  do {
    let left = value >>> bits;
    let right = value & mask;
    for (let round = 0; round < rounds; round++) {
      const next = (left ^ (mix((right ^ keys[round]!) >>> 0) & mask)) >>> 0;
      left = right;
      right = next;
    }
    value = ((left << bits) | right) >>> 0;
  } while (value >= length);
  return value;
}
