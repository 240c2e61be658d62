/**
 * Room: telemetry (level 2). Counters that somebody else counts: by how much each has grown since it was told before.
 */
import type { MetricKey } from './names.ts';

/** What ranks count in memory that begins zeroed with a generation; of a machine alone, whenever its ranks were started again. */
const countedByRanks: ReadonlySet<MetricKey> = new Set(['phaseSeconds', 'rankCompute', 'rankWait', 'bnSyncs']);

export class Totals {
  /** The last total of each, by metric and labels; of those of ranks since their memory was zeroed. */
  readonly #told = new Map<string, number>();
  #toldOfRanks = new Map<string, number>();
  #era = 0;

  /** `era` is another number once the memory of ranks was zeroed; true when that is so. */
  enter(era: number): boolean {
    if (era === this.#era) return false;
    this.#era = era;
    this.#toldOfRanks = new Map();
    return true;
  }

  growth(key: MetricKey, labels: Readonly<Record<string, string>>, total: number): number {
    const told = countedByRanks.has(key) ? this.#toldOfRanks : this.#told;
    const id = `${key} ${Object.values(labels).join(' ')}`;
    const before = told.get(id) ?? 0;
    told.set(id, total);
    // A source that began anew goes on from what was told.
    return total >= before ? total - before : total;
  }
}
