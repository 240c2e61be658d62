/**
 * Room: local (level 6). Step reports on their last leg: from the arena's ring to events, in the main thread, a few dozen
 * times a second; ranks never wait for it unless a thousand steps are unread.
 */
import { controlIndex } from '../collectives/control.ts';
import type { Arena } from '../memory/arena.ts';
import type { RunPlan } from '../model/plan.ts';
import type { Metrics, StepEvent } from '../telemetry/events.ts';
import { findingPhases, readReport, type StepReport } from '../telemetry/reports.ts';

/** How often reports are read, ms: often enough for a live line, seldom enough to leave the cores to the ranks. */
const readEveryMs = 25;

/** Reads all unread reports in order, now and until `stop` is called. A listener that throws stops the reading. */
export class ReportReader {
  readonly #plan: RunPlan;
  readonly #arena: Arena;
  readonly #metrics: readonly string[];
  readonly #listener: (event: StepEvent) => void;
  #failure: { readonly error: unknown } | undefined;

  constructor(plan: RunPlan, arena: Arena, metrics: readonly string[], listener: (event: StepEvent) => void) {
    this.#plan = plan;
    this.#arena = arena;
    this.#metrics = metrics;
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
        if (!this.#failure) this.#listener(this.#event(readReport(this.#arena, this.#plan.reports, next)));
      }
    } catch (error) {
      this.#failure = { error };
      onFailure();
    }
    Atomics.store(i32, consumed, end);
    Atomics.notify(i32, consumed);
  }

  #event(report: StepReport): StepEvent {
    const { step, epoch, samples, loss, gradNorm, clipScale, learningRate, seconds } = report;
    const metrics: Metrics = this.#metrics.includes('accuracy') ? { accuracy: report.accuracy } : {};
    const event: StepEvent = { event: 'step', step, epoch, samples, loss, metrics, gradNorm, clipScale, learningRate, seconds };
    if (report.skipped === 0) return event;
    const layer = report.layer >= 0 ? { layer: this.#plan.topology.layers[report.layer]!.name } : {};
    const shard = report.shard >= 0 ? { shard: report.shard } : {};
    return { ...event, skipped: { phase: findingPhases[report.phase] ?? 'gradient', ...layer, ...shard } };
  }
}
