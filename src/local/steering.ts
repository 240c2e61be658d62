/**
 * Room: local (level 6). What steers a run between its epochs: who may end it before its last step, and why it ended (a signal from outside, a callback,
 * or early stopping), and at what learning rates it goes on.
 */
import type { EarlyStopping as EarlyStoppingOptions, ReduceLROnPlateau } from '../config/monitors.ts';
import type { Weights } from '../model/weights.ts';
import type { EpochEvent } from '../telemetry/events.ts';
import { scheduledRates, type TrainOrder } from '../train/loop.ts';
import { loadBest, saveBest } from './best-weights.ts';
import { EarlyStopping } from './early-stopping.ts';
import { Plateau } from './plateau.ts';
import type { RunDirectory } from './run-directory.ts';
import type { RunControl } from './train-options.ts';

export interface SteeringOptions {
  readonly signal?: AbortSignal | undefined;
  readonly earlyStopping?: EarlyStoppingOptions | undefined;
  readonly reduceLROnPlateau?: ReduceLROnPlateau | undefined;
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
  readonly #plateau: Plateau | undefined;
  #reason: string | undefined;

  constructor(options: SteeringOptions) {
    const { earlyStopping, reduceLROnPlateau, told, directory, signal, requestStop } = options;
    this.#options = options;
    this.#plateau = reduceLROnPlateau && new Plateau(reduceLROnPlateau);
    for (const event of told) this.#plateau?.epoch(event);
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

  get rates(): Pick<TrainOrder, 'rateScale' | 'leastRate'> {
    const { reduceLROnPlateau } = this.#options;
    return this.#plateau && reduceLROnPlateau ? { rateScale: this.#plateau.scale, leastRate: reduceLROnPlateau.minLr } : scheduledRates;
  }

  /** Callbacks get it and may take it out of what they get: it needs no `this`. */
  readonly stop = (reason = 'a callback asked for it'): void => {
    this.#reason ??= reason;
    this.#options.requestStop();
  };

  /** An epoch is over and the ranks rest. Resolves when what must last is written. */
  async epoch(event: EpochEvent): Promise<void> {
    const { directory, weights, onNews, reduceLROnPlateau: plateau } = this.#options;
    if (this.#plateau?.epoch(event)) onNews(`the learning rate is multiplied by ${plateau!.factor} after epoch ${event.epoch + 1}: ${plateau!.monitor} got no better`);
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
