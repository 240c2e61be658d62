/**
 * Room: local (level 6). The recordings of this machine's ranks (`--trace`), handed over once: as soon as the first steps are recorded, or
 * when the run ends before.
 */
import { arrivals, outboxKinds } from '../collectives/uplink.ts';
import type { Arena } from '../memory/arena.ts';
import type { RunPlan } from '../model/plan.ts';
import { isRecorded, type Recording, readRecording } from '../telemetry/recording.ts';
import type { TraceProcess } from '../telemetry/trace.ts';

export interface RecordOptions {
  /** How many steps are recorded, from the first. */
  readonly steps: number;
  /** Gets what each rank recorded, once. */
  readonly onRecorded: (recordings: readonly Recording[]) => void;
}

export class Recordings {
  readonly #plan: RunPlan;
  readonly #arena: Arena;
  #listener: RecordOptions['onRecorded'] | undefined;

  /** Of the station that ranks run on; recordings last when its plan changes. */
  constructor({ plan, arena }: { readonly plan: RunPlan; readonly arena: Arena }, listener: RecordOptions['onRecorded'] | undefined) {
    this.#plan = plan;
    this.#arena = arena;
    this.#listener = listener;
  }

  /** Hands them over if they are complete, or `atLast`; later calls do nothing. */
  handOver(atLast = false): void {
    const listener = this.#listener;
    const places = this.#plan.recordings;
    if (!listener || !(atLast || places.every((place) => isRecorded(this.#arena, place)))) return;
    this.#listener = undefined;
    listener(places.map((place) => readRecording(this.#arena, place)));
  }
}

/** This host's part of a trace. */
export function traceProcess(host: number, name: string, recordings: readonly Recording[]): TraceProcess {
  return { host, name, recordings, arrivals, announcements: outboxKinds };
}
