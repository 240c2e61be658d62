/**
 * Room: local (level 6). What one process does when one of its ranks has died, before anybody decides how the run goes on: the step that was
 * being applied is finished or the one that was computed is forgotten, so that the state is that of a step. A rank that fails again and again is left out.
 */
import { readStanding, type Standing } from '../model/standing.ts';
import type { TrainOrder } from '../train/loop.ts';
import { remaining } from '../train/remaining.ts';
import { FailureRecord, failureError, patience, type RankFailure } from './failures.ts';
import type { Station } from './station.ts';
import type { Command } from './task.ts';

/** A rank died, its step is settled, and all ranks rest. */
export interface Mended {
  readonly failure: RankFailure;
  /** The last step that was applied. */
  readonly step: number;
  /** From the station's next change on the rank is left out. */
  readonly evicted: boolean;
}

export class Mending {
  readonly #station: Station;
  readonly #failures = new FailureRecord();

  constructor(station: Station) {
    this.#station = station;
  }

  /**
   * After `command` stumbled. Throws LOCKSTEP_STATE when the state is lost, and what the rank failed of when it was the last one, with `end`
   * for what becomes of the run.
   */
  async mend(command: Command, end: string): Promise<Mended> {
    const station = this.#station;
    const failure = station.team.failure!;
    await station.team.rest();
    await station.settle(this.#unfinished(command));
    const { step } = this.#standing;
    const evicted = this.#failures.note(failure.rank, step);
    if (evicted && !station.evict()) throw failureError(failure, `${end}, as its only rank failed ${patience.failures} times in ${patience.steps} steps`);
    if (evicted) this.#failures.forget();
    return { failure, step, evicted };
  }

  /** What is left of a command to train; its first step is the one that ranks were at. */
  #unfinished(command: Command): TrainOrder | undefined {
    if (command.kind !== 'train') return undefined;
    const { kind: _, ...order } = command;
    return remaining(order, this.#standing, this.#station.training);
  }

  get #standing(): Standing {
    return readStanding(this.#station.arena, this.#station.plan);
  }
}

/** Why a rank is left out, for a sentence that names it. */
export const evictedFor = `it failed ${patience.failures} times in ${patience.steps} steps and is left out`;
