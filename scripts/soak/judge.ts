/**
 * Room: scripts (level 8). Whether what a process holds grows: the median of its samples soon after the start against that of the last ones.
 */
import { type Kind, kinds, type Sample } from './sample.ts';

export interface Judged {
  readonly kind: Kind;
  /** Medians. */
  readonly before: number;
  readonly after: number;
  readonly ok: boolean;
}

/** Memory may change by so much; nothing else may be more than it was. */
const rssTolerance = 0.05;
/** Of the samples: so many are taken while caches fill and code is compiled, and so many are compared at both ends of the rest. */
const [warmUpShare, endShare] = [0.2, 0.2];

/** One line a kind. Throws a RangeError for fewer than ten samples. */
export function judge(samples: readonly Sample[]): Judged[] {
  if (samples.length < 10) throw new RangeError(`Expected ten samples or more, got ${samples.length}; soak for longer.`);
  const warm = samples.slice(Math.floor(samples.length * warmUpShare));
  const end = Math.max(2, Math.floor(warm.length * endShare));
  return kinds.map((kind) => {
    const before = median(warm.slice(0, end).map((sample) => sample[kind]));
    const after = median(warm.slice(-end).map((sample) => sample[kind]));
    return { kind, before, after, ok: kind === 'rss' ? Math.abs(after - before) <= rssTolerance * before : after <= before };
  });
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >>> 1]!;
}
