/**
 * Room: local (level 6). Who does the work of a run: the ranks of this machine, or those of many. `train()` gives it commands and
 * never knows how many obey; the cluster has a crew of its own.
 */
import type { NetworkUse } from '../telemetry/events.ts';
import type { ClusterSnapshot, ProcessSnapshot } from '../telemetry/snapshot.ts';
import type { TrainOrder } from '../train/loop.ts';
import { type LossSums, readLossSums } from './evaluate.ts';
import { Recovery } from './recovery.ts';
import { noteRun } from './run-directory.ts';
import { openStation, type SessionOptions } from './session.ts';
import { snapshotOf } from './snapshot.ts';
import type { Station } from './station.ts';

export interface Crew {
  /** This machine's arena and plan: reports and weights are read there. */
  readonly station: Station;
  /** Of all hosts. */
  readonly workers: number;
  readonly hosts: number;
  /** What this host has sent so far, where there are others. */
  readonly network?: NetworkUse;
  /** What there is to tell of this process, and of all hosts where there are several. */
  readonly snapshot?: () => ProcessSnapshot | undefined;
  readonly cluster?: () => ClusterSnapshot;
  /** Trains until the batches are done, the policy halts the run, or a stop was asked for; reports tell how far it came. */
  train(order: TrainOrder): Promise<void>;
  /** Over the validation data. */
  evaluate(): Promise<LossSums>;
  /** Asks to stop training after the running step. Only reads and writes memory: safe in signal handlers. */
  requestStop(): void;
  /** As `requestStop`, but the next order goes on. */
  requestPause(): void;
  /** Ends everybody, whatever they do; `error` is why when it is not over. */
  end(error?: unknown): Promise<void>;
}

/** Makes a crew for a run that was checked. */
export type OpenCrew = (options: SessionOptions) => Promise<Crew>;

/** The ranks of this machine. */
export async function openLocalCrew(options: SessionOptions): Promise<Crew> {
  const station = openStation(options);
  const { plan } = station;
  const { directory, onNews = () => {} } = options;
  if (directory) noteRun(directory, { shards: plan.spec.shards, hosts: [] }, onNews);
  const recovery = new Recovery(station, onNews);
  let stops = false;
  station.begin();
  return {
    station,
    workers: plan.spec.ranks,
    hosts: 1,
    snapshot: () => ({ ...snapshotOf(station), recovery: recovery.counts }),
    train(order) {
      station.team.requestStop(stops);
      return recovery.train(order);
    },
    async evaluate() {
      await recovery.compute('evaluate');
      return readLossSums(station);
    },
    requestStop() {
      stops = true;
      station.team.requestStop();
    },
    requestPause: () => station.team.requestStop(),
    end: () => station.end(),
  };
}
