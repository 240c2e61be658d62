/**
 * Room: local (level 6). How a run stands, for the live page: what changed since it was asked before.
 */
import type { CheckpointEvent, StepEvent } from '../telemetry/events.ts';
import type { LiveRank, LiveStatus } from '../telemetry/live.ts';
import type { RunStateName } from '../telemetry/names.ts';
import type { ClusterSnapshot, HostSnapshot, ProcessSnapshot, RankSnapshot } from '../telemetry/snapshot.ts';
import { phases } from '../telemetry/timing.ts';

/** What it is made from. */
export interface StatusSources {
  readonly host: () => string;
  readonly targetSteps: number;
  readonly snapshot: () => ProcessSnapshot | undefined;
  readonly cluster: () => ClusterSnapshot | undefined;
}

/** How often a rate is taken anew at most, ms: several pages may ask. */
const shortestMs = 250;

interface Rates {
  readonly at: number;
  readonly step: number;
  readonly samples: number;
  readonly seconds: readonly RankSnapshot['seconds'][];
}

export class LiveStatusMaker {
  readonly #sources: StatusSources;
  #samples = 0;
  #step = 0;
  #epoch = 0;
  #checkpointStep: number | undefined;
  #before: Rates;
  #samplesPerSecond = 0;
  #stepsPerSecond = 0;
  #phases: readonly Readonly<Record<string, number>>[] = [];
  /** How all was when the run had ended. */
  #ended: LiveStatus | undefined;

  constructor(sources: StatusSources) {
    this.#sources = sources;
    this.#before = { at: performance.now(), step: 0, samples: 0, seconds: [] };
  }

  take({ step, epoch, samples }: StepEvent): void {
    this.#samples += samples;
    this.#step = step;
    this.#epoch = epoch + 1;
  }

  checkpoint({ step, result }: CheckpointEvent): void {
    if (result === 'written') this.#checkpointStep = step;
  }

  /** From now on it stays as it is, whatever becomes of its sources. */
  end(state: RunStateName): void {
    const { etaSeconds: _, ...last } = this.status();
    this.#ended = { ...last, state, samplesPerSecond: 0 };
  }

  status(): LiveStatus {
    if (this.#ended) return this.#ended;
    const snapshot = this.#sources.snapshot();
    const cluster = this.#sources.cluster();
    const step = Math.max(this.#step, snapshot?.step ?? 0);
    this.#takeRates(step, snapshot?.ranks ?? []);
    const left = this.#sources.targetSteps - step;
    return {
      state: cluster?.state ?? 'running',
      step,
      epoch: this.#epoch,
      samplesPerSecond: this.#samplesPerSecond,
      ...(this.#stepsPerSecond > 0 && left > 0 && { etaSeconds: left / this.#stepsPerSecond }),
      ...(this.#checkpointStep !== undefined && { checkpointStep: this.#checkpointStep }),
      ranks: (snapshot?.ranks ?? []).map((rank, i): LiveRank => ({ ...rank, phases: this.#phases[i] ?? {} })),
      hosts: cluster?.hosts ?? [this.#alone(snapshot)],
    };
  }

  #takeRates(step: number, ranks: readonly RankSnapshot[]): void {
    const now = { at: performance.now(), step, samples: this.#samples, seconds: ranks.map(({ seconds }) => seconds) };
    const before = this.#before;
    const seconds = (now.at - before.at) / 1000;
    if (seconds * 1000 < shortestMs) return;
    const steps = step - before.step;
    this.#before = now;
    this.#samplesPerSecond = (now.samples - before.samples) / seconds;
    this.#stepsPerSecond = steps / seconds;
    if (steps <= 0) return;
    this.#phases = now.seconds.map((own, i) =>
      // Clocks begin anew with a generation.
      Object.fromEntries(phases.map((phase) => [phase, Math.max(0, own[phase] - (before.seconds[i]?.[phase] ?? 0)) / steps])),
    );
  }

  #alone(snapshot: ProcessSnapshot | undefined): HostSnapshot {
    const workers = snapshot?.ranks.length ?? 0;
    return {
      name: this.#sources.host(),
      state: 'member',
      workers,
      shards: snapshot?.shards ?? 0,
      heartbeatAgeSeconds: undefined,
      rttSeconds: undefined,
      metricsAddress: '',
    };
  }
}
