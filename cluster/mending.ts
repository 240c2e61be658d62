/**
 * Room: cluster (level 7). What one process of several does when one of its ranks dies: the step that was being applied here is finished or the
 * one that was computed is forgotten, so that the state is that of a step and the process can say of which. A rank that fails again and
 * again is left out. What becomes of the run is decided by the coordinator, as after a lost host.
 */
import { describeFailure, FailureRecord, failureError, patience, type RankFailure } from '../src/local/failures.ts';
import type { Station } from '../src/local/station.ts';
import type { Command } from '../src/local/task.ts';
import { readStanding, type Standing } from '../src/model/standing.ts';
import { noStep } from '../src/train/loop.ts';
import { remaining } from '../src/train/remaining.ts';
import { printable } from './wire/printable.ts';

/** A rank died, and what is to be told of it. */
export interface Stumble {
  readonly sentence: string;
  /** Ranks that go on. */
  readonly workers: number;
}

export class Mending {
  readonly #station: Station;
  readonly #failures = new FailureRecord();

  constructor(station: Station) {
    this.#station = station;
  }

  /** After `command` stumbled. Throws LOCKSTEP_STATE when the state is lost, and what the rank failed of when it was the last one. */
  async mend(command: Command): Promise<Stumble> {
    const station = this.#station;
    const failure = station.team.failure!;
    await station.team.rest();
    await station.settle(command.kind === 'train' ? remaining(command, this.#standing, station.training) : undefined);
    const { step } = this.#standing;
    const evicted = this.#failures.note(failure.rank, step);
    if (evicted && !station.evict()) {
      throw failureError(failure, `this process takes no further part, as its only rank failed ${patience.failures} times in ${patience.steps} steps`);
    }
    if (evicted) this.#failures.forget();
    return { sentence: printable(`${describeFailure(failure)}; ${remedy(failure, step, evicted)}`), workers: station.ranks };
  }

  get #standing(): Standing {
    return readStanding(this.#station.arena, this.#station.plan);
  }
}

function remedy(failure: RankFailure, step: number, evicted: boolean): string {
  if (evicted) return `it failed ${patience.failures} times in ${patience.steps} steps and is left out`;
  if (failure.step === noStep || failure.step === 0) return 'it is started again';
  return `step ${failure.step} was ${step < failure.step ? 'forgotten' : 'finished'} here, and it is started again`;
}
