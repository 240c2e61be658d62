/**
 * Room: scripts (level 8). Chance that can be had again: numbers that follow from a seed and a run's place in its row alone.
 */
import { philox, seedKey } from '../../src/numerics/philox.ts';

/** Apart from what the seed of a training draws: a word that none of its purposes has. */
const chaosWord = 0xc4a05;

export class Draws {
  readonly #key: readonly [number, number];
  readonly #stream: number;
  readonly #block = new Uint32Array(4);
  #count = 0;

  constructor(seed: number, stream: number) {
    this.#key = seedKey(seed);
    this.#stream = stream;
  }

  /** An integer in [0, limit). */
  below(limit: number): number {
    const [word] = philox(this.#block, this.#count++, this.#stream, 0, chaosWord, ...this.#key);
    return Math.floor((word! / 2 ** 32) * limit);
  }

  /** An integer in [first, last]. */
  between(first: number, last: number): number {
    return first + this.below(last - first + 1);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  /** One of the list, by its weights. */
  weighted<T extends { readonly weight: number }>(list: readonly T[]): T {
    let rest = this.below(list.reduce((sum, { weight }) => sum + weight, 0));
    return list.find(({ weight }) => {
      rest -= weight;
      return rest < 0;
    })!;
  }
}
