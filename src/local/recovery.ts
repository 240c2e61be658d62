/**
 * Room: local (level 6). What a machine alone does when one of its ranks dies: the state is mended, the ranks start again, and what was under way goes
 * on with the same samples.
 */
import { readStanding } from '../model/standing.ts';
import { noStep, type TrainOrder } from '../train/loop.ts';
import { remaining } from '../train/remaining.ts';
import { describeFailure } from './failures.ts';
import { evictedFor, type Mended, Mending } from './mending.ts';
import type { Station } from './station.ts';
import type { Command } from './task.ts';

export class Recovery {
  readonly counts = { restarts: 0, replayedSteps: 0, seconds: [] as number[] };
  readonly #station: Station;
  readonly #mending: Mending;
  readonly #onNews: (sentence: string) => void;

  constructor(station: Station, onNews: (sentence: string) => void) {
    this.#station = station;
    this.#mending = new Mending(station);
    this.#onNews = onNews;
  }

  /** Resolves when the order is done, the policy halted the run, or a stop was asked for. */
  async train(order: TrainOrder): Promise<void> {
    for (let rest: TrainOrder | undefined = order; rest; rest = this.#remaining(order)) {
      const command: Command = { kind: 'train', ...rest };
      if ((await this.#station.team.obey(command)) !== 'stumbled') return;
      await this.#mend(command);
    }
  }

  /** A command that can be done again, from its beginning until it is done. */
  async compute(kind: 'evaluate' | 'predict' | 'recalibrate'): Promise<void> {
    const command: Command = { kind };
    while ((await this.#station.team.obey(command)) === 'stumbled') await this.#mend(command);
  }

  #remaining(order: TrainOrder): TrainOrder | undefined {
    const { arena, plan, training } = this.#station;
    return remaining(order, readStanding(arena, plan), training);
  }

  async #mend(command: Command): Promise<void> {
    const began = performance.now();
    const mended = await this.#mending.mend(command, 'the run ended with the step before it');
    await this.#station.change(undefined);
    this.counts.restarts++;
    if (mended.step < mended.failure.step) this.counts.replayedSteps++;
    this.counts.seconds.push((performance.now() - began) / 1000);
    this.#onNews(`${describeFailure(mended.failure)}; ${remedy(mended)}`);
  }
}

function remedy({ failure, step, evicted }: Mended): string {
  if (evicted) return evictedFor;
  if (failure.step === noStep) return 'it was started again and what it computed is repeated';
  return `it was started again and its step ${step < failure.step ? 'is replayed' : 'was finished'}`;
}
