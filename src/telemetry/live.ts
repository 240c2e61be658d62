/**
 * Room: telemetry (level 2). What the live page gets, as server-sent events of `GET /events`: one `hello` with all there is so far, then
 * `points` as steps are taken and `status` twice a second. Data is JSON of these types.
 */
import type { HostSnapshot } from './snapshot.ts';

/** One step, or the mean of several when there are many: then `step` is the last of them. */
export interface LivePoint {
  readonly step: number;
  readonly loss: number;
  /** Absent when the run has no such metric. */
  readonly accuracy?: number;
  readonly gradNorm: number;
  readonly clipScale: number;
  readonly learningRate: number;
  /** Over these steps. */
  readonly samplesPerSecond: number;
}

/** After an epoch. */
export interface LiveValidation {
  readonly step: number;
  readonly loss: number;
  readonly accuracy?: number;
}

export interface LiveRun {
  readonly run: string;
  readonly host: string;
  readonly layers: readonly string[];
  readonly parameters: number;
  readonly kernels: string;
  readonly targetSteps: number;
  readonly stepsPerEpoch: number;
  /** The norm at which gradients are clipped; absent without clipping by norm. */
  readonly clipThreshold?: number;
}

export interface LiveRank {
  readonly rank: number;
  /** Seconds a step of the last half second, by phase. */
  readonly phases: Readonly<Record<string, number>>;
  readonly step: number;
  readonly phase: string;
  readonly layer: string;
}

export interface LiveStatus {
  readonly state: string;
  readonly step: number;
  /** Epochs that have begun. */
  readonly epoch: number;
  readonly samplesPerSecond: number;
  /** Until the end; absent while it cannot be told. */
  readonly etaSeconds?: number;
  /** The step of the last checkpoint; absent while there is none. */
  readonly checkpointStep?: number;
  /** Of this process. */
  readonly ranks: readonly LiveRank[];
  /** One entry for a machine alone. */
  readonly hosts: readonly HostSnapshot[];
}

export interface LiveHello {
  readonly run: LiveRun;
  readonly points: readonly LivePoint[];
  readonly validations: readonly LiveValidation[];
  readonly status: LiveStatus;
}

/** The names of the events with what each carries. */
export interface LiveEvents {
  readonly hello: LiveHello;
  readonly points: readonly LivePoint[];
  readonly validation: LiveValidation;
  readonly status: LiveStatus;
}
