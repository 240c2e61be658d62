/**
 * Room: local (level 6). `recalibrate()`: the statistics of batch normalisations over a whole data set, on all ranks, in the place of the moving averages that training
 * left ("precise BN"; Wu and Johnson, "Rethinking Batch in BatchNorm", 2021). Weights stay as they are.
 */
import { LockstepError } from '../errors.ts';
import { loadWeights } from '../model/weights.ts';
import { checkPredictOptions } from './options.ts';
import { type UseOptions, useModel } from './using.ts';

export type RecalibrateOptions = UseOptions;

/** What it came to. */
export interface Recalibration {
  /** Rows that were seen. */
  readonly samples: number;
  readonly weightsSha256: string;
}

/**
 * Goes once over the rows, shuffled, batch by batch: each normalisation sees batches as in training, all else computes as in inference, and the moments of
 * all batches become the moving mean and variance of `model`, in place. Frozen ones are left. The same bits for any number of workers at the same `shards` and
 * `batchSize`; take that of training. Throws LOCKSTEP_CONFIG when the model has no normalisation that learns, and what `predict` throws.
 */
export async function recalibrate(options: RecalibrateOptions): Promise<Recalibration> {
  checkPredictOptions(options);
  const { model } = options;
  if (model.config.layers.every(({ type, trainable = true }) => type !== 'batchNormalization' || !trainable)) {
    throw new LockstepError('LOCKSTEP_CONFIG', 'Expected a model with batch normalizations that are not frozen, got none; there are no statistics to recompute.');
  }
  const samples = await useModel(options, 'recalibrate', ({ plan, arena }, { length }) => {
    model.setWeights(loadWeights(plan.topology, plan.weights, arena));
    return length;
  });
  return { samples, weightsSha256: model.weightsSha256 };
}
