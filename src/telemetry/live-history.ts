/**
 * Room: telemetry (level 2). The steps of a run as the live page draws them, in bounded memory: the latest ones singly, older ones as means of
 * equally many neighbours. When there is no room left, neighbours are merged; the longer a run, the coarser its past, and it is never forgotten.
 */
import { integerIn } from '../check.ts';
import type { StepEvent } from './events.ts';
import type { LivePoint } from './live.ts';

const fields = ['loss', 'accuracy', 'gradNorm', 'clipScale', 'learningRate'] as const;

/** Some steps in a row. A number that is absent or not finite counts for nothing, so one bad step does not hide its neighbours. */
interface Span {
  /** The last of them. */
  readonly step: number;
  readonly steps: number;
  readonly samples: number;
  readonly seconds: number;
  /** Of each field, with how many steps had one. */
  readonly sums: readonly number[];
  readonly counts: readonly number[];
}

function spanOf(event: StepEvent): Span {
  const values = [event.loss, event.metrics['accuracy'] ?? Number.NaN, event.gradNorm, event.clipScale, event.learningRate];
  return {
    step: event.step,
    steps: 1,
    samples: event.samples,
    seconds: event.seconds,
    sums: values.map((value) => (Number.isFinite(value) ? value : 0)),
    counts: values.map((value) => (Number.isFinite(value) ? 1 : 0)),
  };
}

function merge(a: Span, b: Span): Span {
  return {
    step: b.step,
    steps: a.steps + b.steps,
    samples: a.samples + b.samples,
    seconds: a.seconds + b.seconds,
    sums: a.sums.map((sum, i) => sum + b.sums[i]!),
    counts: a.counts.map((count, i) => count + b.counts[i]!),
  };
}

/** Neighbours together, as long as they are at most `steps` steps. */
function coarsened(spans: readonly Span[], steps: number): Span[] {
  const merged: Span[] = [];
  for (const span of spans) {
    const last = merged.at(-1);
    if (last && last.steps + span.steps <= steps) merged[merged.length - 1] = merge(last, span);
    else merged.push(span);
  }
  return merged;
}

/** At most `atMost` spans for the same steps; the last stays as it is. */
function condensed(spans: readonly Span[], atMost: number): readonly Span[] {
  if (spans.length <= atMost) return spans;
  let earlier = spans.slice(0, -1);
  while (earlier.length >= atMost) {
    earlier = Array.from({ length: Math.ceil(earlier.length / 2) }, (_, i) => {
      const [a, b] = [earlier[2 * i]!, earlier[2 * i + 1]];
      return b ? merge(a, b) : a;
    });
  }
  return [...earlier, spans.at(-1)!];
}

function pointOf({ step, samples, seconds, sums, counts }: Span): LivePoint {
  const means = Object.fromEntries(fields.map((field, i) => [field, sums[i]! / counts[i]!])) as Record<(typeof fields)[number], number>;
  const { accuracy, ...others } = means;
  return { step, ...others, ...(Number.isFinite(accuracy) && { accuracy }), samplesPerSecond: samples / seconds };
}

export class LiveHistory {
  /** The most points there can be. */
  readonly capacity: number;
  /** In the order of their steps. */
  #spans: Span[] = [];
  /** Steps that older spans are merged up to. */
  #stride = 1;

  /** `capacity` points at most, 8 or more; the latest quarter of them is single steps. */
  constructor(capacity: number) {
    this.capacity = integerIn('capacity', capacity, 8);
  }

  /** The last step; 0 before the first. */
  get step(): number {
    return this.#spans.at(-1)?.step ?? 0;
  }

  get points(): LivePoint[] {
    return this.#spans.map(pointOf);
  }

  /** A step that was there already, as after a fault, makes an end of all from it on. */
  add(event: StepEvent): void {
    while (this.step >= event.step && this.#spans.length > 0) this.#spans.pop();
    if (this.#spans.length === this.capacity) this.#makeRoom();
    this.#spans.push(spanOf(event));
  }

  /** What came after `step`, as at most `atMost` points (2 or more) of which the last is the last step alone. */
  after(step: number, atMost: number): LivePoint[] {
    let from = this.#spans.length;
    while (from > 0 && this.#spans[from - 1]!.step > step) from--;
    return condensed(this.#spans.slice(from), atMost).map(pointOf);
  }

  /** A quarter of the older spans goes at least, so this is seldom. */
  #makeRoom(): void {
    const recent = Math.floor(this.capacity / 4);
    const older = this.#spans.slice(0, this.capacity - recent);
    let merged = coarsened(older, this.#stride);
    while (merged.length > 0.75 * older.length) {
      this.#stride *= 2;
      merged = coarsened(older, this.#stride);
    }
    this.#spans = [...merged, ...this.#spans.slice(older.length)];
  }
}
