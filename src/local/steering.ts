/**
 * Room: local (level 6). Who may end a run before its last step, and why it ended: a signal from outside, a callback, or early stopping.
 */
import type { EarlyStopping as EarlyStoppingOptions } from '../config/monitors.ts';
import type { Weights } from '../model/weights.ts';
import type { EpochEvent } from '../telemetry/events.ts';
import { loadBest, saveBest } from './best-weights.ts';
import { EarlyStopping } from './early-stopping.ts';
import type { RunDirectory } from './run-directory.ts';
import type { RunControl } from './train-options.ts';

export interface SteeringOptions {
  readonly signal?: AbortSignal | undefined;
  readonly earlyStopping?: EarlyStoppingOptions | undefined;
  readonly directory?: RunDirectory | undefined;
  /** Epochs that were over before. */
  readonly told: readonly EpochEvent[];
  /** A copy of the weights as they are between two orders. */
  readonly weights: () => Weights;
  /** Asks the ranks to stop after their step. */
  readonly requestStop: () => void;
  readonly onNews: (sentence: string) => void;
}

export class Steering implements RunControl {
  readonly #options: SteeringOptions;
  readonly #early: EarlyStopping<Weights> | undefined;
  #reason: string | undefined;

  constructor(options: SteeringOptions) {
    const { earlyStopping, told, directory, signal, requestStop } = options;
    this.#options = options;
    signal?.addEventListener('abort', requestStop);
    if (signal?.aborted) requestStop();
    if (!earlyStopping) return;
    this.#early = new EarlyStopping(earlyStopping);
    for (const event of told) this.#early.epoch(event, () => undefined);
    const best = this.#early.bestEpoch;
    const weights = directory && best !== undefined && earlyStopping.restoreBestWeights ? loadBest(directory, best) : undefined;
    if (weights) this.#early.keep(weights);
    this.#judge();
  }

  /** True once the run is to end. */
  get isAsked(): boolean {
    return this.#reason !== undefined || this.isInterrupted;
  }

  get isInterrupted(): boolean {
    return this.#options.signal?.aborted ?? false;
  }

  /** Why it is to end, when it is not for a signal. */
  get reason(): string | undefined {
    return this.#reason;
  }

  stop(reason = 'a callback asked for it'): void {
    this.#reason ??= reason;
    this.#options.requestStop();
  }

  /** An epoch is over and the ranks rest. Resolves when what must last is written. */
  async epoch(event: EpochEvent): Promise<void> {
    const { directory, weights, onNews } = this.#options;
    let kept: Weights | undefined;
    this.#early?.epoch(event, () => {
      kept = weights();
      return kept;
    });
    if (directory && kept) await saveBest(directory, event.epoch, kept, onNews);
    this.#judge();
  }

  /** The weights that the run ends with. */
  finalWeights(): Weights {
    if (this.#early?.lacks)
      this.#options.onNews(`the weights of epoch ${this.#early.bestEpoch! + 1}, the best one, are not there any more; the run ends with its last ones`);
    return this.#early?.kept ?? this.#options.weights();
  }

  /** Nothing asks it any more. */
  release(): void {
    this.#options.signal?.removeEventListener('abort', this.#options.requestStop);
  }

  #judge(): void {
    if (this.#early?.stop !== undefined) this.stop(`early stopping: ${this.#early.stop}`);
  }
}
