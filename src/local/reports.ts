/**
 * Room: local (level 6). Step reports on their last leg: from the arena's ring to events, in the main thread, a few dozen
 * times a second; ranks never wait for it unless a thousand steps are unread.
 */
import { controlIndex } from '../collectives/control.ts';
import type { Arena } from '../memory/arena.ts';
import type { RunPlan } from '../model/plan.ts';
import type { StepEvent } from '../telemetry/events.ts';
import { findingPhases, reportFields, reportIndex, reportStart } from '../telemetry/reports.ts';

/** How often reports are read, ms: often enough for a live line, seldom enough to leave the cores to the ranks. */
const readEveryMs = 25;

/** Reads all unread reports in order, now and until `stop` is called. A listener that throws stops the reading. */
export class ReportReader {
  readonly #plan: RunPlan;
  readonly #arena: Arena;
  readonly #listener: (event: StepEvent) => void;
  #failure: { readonly error: unknown } | undefined;

  constructor(plan: RunPlan, arena: Arena, listener: (event: StepEvent) => void) {
    this.#plan = plan;
    this.#arena = arena;
    this.#listener = listener;
  }

  /** Reads while `work` goes on, and what is left after it. Rethrows what the listener threw, after calling `onFailure`. */
  async during(work: Promise<void>, onFailure: () => void): Promise<void> {
    const timer = setInterval(() => {
      this.#read(onFailure);
    }, readEveryMs);
    try {
      await work;
    } finally {
      clearInterval(timer);
      this.#read(onFailure);
    }
    if (this.#failure) throw this.#failure.error;
  }

  #read(onFailure: () => void): void {
    const { i32 } = this.#arena;
    const { reported, consumed } = controlIndex(this.#plan.control);
    let next = Atomics.load(i32, consumed);
    const end = Atomics.load(i32, reported);
    if (next === end) return;
    try {
      for (; next !== end; next = (next + 1) | 0) {
        // After a failure reports are read only to let the ranks go on to their stop.
        if (!this.#failure) this.#listener(this.#event(next));
      }
    } catch (error) {
      this.#failure = { error };
      onFailure();
    }
    Atomics.store(i32, consumed, end);
    Atomics.notify(i32, consumed);
  }

  /** Report number `report` as an event: read field by field, as this is done for every step of a run. */
  #event(report: number): StepEvent {
    const { f64 } = this.#arena;
    const at = reportStart(this.#plan.reports, report);
    const event: StepEvent = {
      event: 'step',
      step: f64[at + reportIndex.step]!,
      epoch: f64[at + reportIndex.epoch]!,
      samples: f64[at + reportIndex.samples]!,
      loss: f64[at + reportIndex.loss]!,
      metrics: this.#metrics(at + reportFields.length),
      gradNorm: f64[at + reportIndex.gradNorm]!,
      clipScale: f64[at + reportIndex.clipScale]!,
      learningRate: f64[at + reportIndex.learningRate]!,
      seconds: f64[at + reportIndex.seconds]!,
    };
    return f64[at + reportIndex.skipped] === 0 ? event : { ...event, skipped: this.#finding(at) };
  }

  #metrics(at: number): StepEvent['metrics'] {
    const values: Record<string, number> = {};
    this.#plan.measures.metrics.forEach(({ metric }, m) => {
      values[metric.name] = this.#arena.f64[at + m]!;
    });
    return values;
  }

  #finding(at: number): NonNullable<StepEvent['skipped']> {
    const { f64 } = this.#arena;
    const [phase, layer, shard] = [f64[at + reportIndex.phase]!, f64[at + reportIndex.layer]!, f64[at + reportIndex.shard]!];
    return {
      phase: findingPhases[phase] ?? 'gradient',
      ...(layer >= 0 && { layer: this.#plan.topology.layers[layer]!.name }),
      ...(shard >= 0 && { shard }),
    };
  }
}
