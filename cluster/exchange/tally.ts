/**
 * Room: cluster (level 7), exchange. Counting what comes from several hosts: something is complete once every one of them has sent its
 * part, and a host may be one part ahead of the others.
 */
export class Tally {
  readonly #counts: Map<number, number>;
  #complete = 0;

  constructor(hosts: readonly number[]) {
    this.#counts = new Map(hosts.map((host) => [host, 0]));
  }

  /** True when nobody's part is awaited. */
  get isEmpty(): boolean {
    return this.#counts.size === 0;
  }

  /** One more part of `host`; true when one more is complete by it. A host whose parts are not awaited changes nothing. */
  add(host: number): boolean {
    const count = this.#counts.get(host);
    if (count === undefined) return false;
    this.#counts.set(host, count + 1);
    if (Math.min(...this.#counts.values()) === this.#complete) return false;
    this.#complete++;
    return true;
  }
}
