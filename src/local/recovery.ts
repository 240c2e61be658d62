/**
 * Room: local (level 6). What a machine alone does when one of its ranks dies: the step that was being applied is finished or the one
 * that was computed is forgotten, the ranks start again, and the run goes on with the same samples. A rank that fails again and again is left out.
 */
import { readStanding } from '../model/standing.ts';
import { noStep, type TrainOrder } from '../train/loop.ts';
import type { TrainingSpec } from '../train/rank.ts';
import { remaining } from '../train/remaining.ts';
import { describeFailure, FailureRecord, failureError, patience } from './failures.ts';
import type { Station } from './station.ts';

export class Recovery {
  readonly counts = { restarts: 0, replayedSteps: 0, seconds: [] as number[] };
  readonly #station: Station;
  readonly #policy: Pick<TrainingSpec, 'onNonFinite' | 'haltAfterSkipped'>;
  readonly #onNews: (sentence: string) => void;
  readonly #failures = new FailureRecord();

  constructor(station: Station, policy: Pick<TrainingSpec, 'onNonFinite' | 'haltAfterSkipped'>, onNews: (sentence: string) => void) {
    this.#station = station;
    this.#policy = policy;
    this.#onNews = onNews;
  }

  /** Resolves when the order is done, the policy halted the run, or a stop was asked for. */
  async train(order: TrainOrder): Promise<void> {
    for (let rest: TrainOrder | undefined = order; rest; rest = this.#remaining(order)) {
      if ((await this.#station.team.obey({ kind: 'train', ...rest })) !== 'stumbled') return;
      await this.#mend(() => this.#remaining(order));
    }
  }

  async evaluate(): Promise<void> {
    while ((await this.#station.team.obey({ kind: 'evaluate' })) === 'stumbled') await this.#mend(() => undefined);
  }

  #remaining(order: TrainOrder): TrainOrder | undefined {
    return remaining(order, readStanding(this.#station.arena, this.#station.plan), this.#policy);
  }

  /** `rest` is what ranks were computing, or applying, as soon as they have ended. */
  async #mend(rest: () => TrainOrder | undefined): Promise<void> {
    const began = performance.now();
    const station = this.#station;
    const failure = station.team.failure!;
    await station.team.rest();
    await station.settle(rest());
    const { step } = readStanding(station.arena, station.plan);
    const evicted = this.#failures.note(failure.rank, step);
    if (evicted && !station.evict()) {
      throw failureError(failure, `the run ended with the step before it, as its only rank failed ${patience.failures} times in ${patience.steps} steps`);
    }
    if (evicted) this.#failures.forget();
    await station.change(undefined);
    const replays = step < failure.step;
    this.counts.restarts++;
    if (replays) this.counts.replayedSteps++;
    this.counts.seconds.push((performance.now() - began) / 1000);
    const outcome = evicted
      ? `it failed ${patience.failures} times in ${patience.steps} steps and is left out`
      : `it was started again and ${failure.step === noStep ? 'the evaluation is repeated' : replays ? 'its step is replayed' : 'its step was finished'}`;
    this.#onNews(`${describeFailure(failure)}; ${outcome}`);
  }
}
