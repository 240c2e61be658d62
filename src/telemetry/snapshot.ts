/**
 * Room: telemetry (level 2). What a process knows of its run at one moment, as plain data: the metrics, the live page and nobody else are made from
 * it. Whoever holds the numbers (arena, membership, links) gives a part of it; nothing here reads them.
 */
import type { RunStateName } from './names.ts';
import type { Phase } from './timing.ts';

/** Of one rank of this process, since the run began. */
export interface RankSnapshot {
  readonly rank: number;
  /** Seconds by phase; `wait` is for other ranks. */
  readonly seconds: Readonly<Record<Phase, number>>;
  /** Where it is now; a step of -1 in an evaluation, and after it until the next step. */
  readonly step: number;
  readonly phase: Phase;
  /** Empty outside of layers. */
  readonly layer: string;
}

/** What was looked at closely in some recent step. */
export interface ObservedStep {
  readonly step: number;
  readonly updateRatio: number;
  /** By layer, in model order. */
  readonly layerGradientNorms: readonly (readonly [layer: string, norm: number])[];
  readonly bnDrift: readonly (readonly [layer: string, drift: number])[];
}

/** Of a process, whatever its part. */
export interface ProcessSnapshot {
  readonly step: number;
  readonly generation: number;
  /** Shards that are computed here. */
  readonly shards: number;
  /** Ranks of this process that died and were started again, the steps that were replayed for it, and how long each took. */
  readonly recovery?: { readonly restarts: number; readonly replayedSteps: number; readonly seconds: readonly number[] };
  readonly ranks: readonly RankSnapshot[];
  readonly observed: ObservedStep | undefined;
  readonly bnVarianceMin: readonly (readonly [layer: string, variance: number])[];
  readonly bnSyncs: number;
  readonly arenaBytes: Readonly<Record<string, number>>;
  readonly network: NetworkSnapshot;
}

export interface NetworkSnapshot {
  /** [in, out] */
  readonly controlBytes: readonly [number, number];
  readonly controlMessages: readonly [number, number];
  readonly stepBytes: readonly [number, number];
  readonly stepMessages: readonly [number, number];
  readonly gradientBytesOut: number;
  readonly sendQueueBytes: number;
  readonly reconnects: number;
  readonly refusedPeers: Readonly<Record<string, number>>;
}

/** A host as the coordinator sees it; the coordinator itself included. */
export interface HostSnapshot {
  readonly name: string;
  readonly state: 'preparing' | 'prepared' | 'member' | 'leaving';
  readonly workers: number;
  readonly shards: number;
  /** Undefined for the coordinator itself. */
  readonly heartbeatAgeSeconds: number | undefined;
  readonly rttSeconds: number | undefined;
  /** Where its metrics are, HOST:PORT; empty when it has none. */
  readonly metricsAddress: string;
}

/** What the coordinator adds. */
export interface ClusterSnapshot {
  readonly state: RunStateName;
  readonly hosts: readonly HostSnapshot[];
  readonly membershipChanges: Readonly<Record<'joined' | 'left' | 'lost', number>>;
  readonly replayedSteps: number;
  /** Of every recovery so far, in order. */
  readonly recoverySeconds: readonly number[];
  readonly staleMessages: number;
  /** The latest few. */
  readonly timeouts: readonly { readonly host: string; readonly phase: string; readonly count: number }[];
}
