/**
 * Room: cluster (level 7), exchange. Counting what comes from several hosts: something is complete once every one of them has sent its
 * part, and a host may be one part ahead of the others.
 */
export class Tally {
  readonly #hosts: readonly number[];
  /** By place in `hosts`. */
  readonly #counts: number[];
  #complete = 0;

  constructor(hosts: readonly number[]) {
    this.#hosts = hosts;
    this.#counts = hosts.map(() => 0);
  }

  /** True when nobody's part is awaited. */
  get isEmpty(): boolean {
    return this.#hosts.length === 0;
  }

  awaits(host: number): boolean {
    return this.#hosts.includes(host);
  }

  /** One more part of `host`; true when one more is complete by it. A host whose parts are not awaited changes nothing. */
  add(host: number): boolean {
    const place = this.#hosts.indexOf(host);
    if (place === -1) return false;
    this.#counts[place]!++;
    for (const count of this.#counts) if (count === this.#complete) return false;
    this.#complete++;
    return true;
  }
}
