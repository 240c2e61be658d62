/**
 * Room: local (level 6). `predict()`: the outputs of a trained model for all rows of a data set, on all ranks, with moving statistics.
 */
import { sizeOf } from '../memory/shape.ts';
import { Predictions } from '../model/predict.ts';
import { type RowsData, type UseOptions, useModel } from './using.ts';

export type { RowsData };
export type PredictOptions = UseOptions;

/**
 * Outputs in the order of the rows; softmax gives probabilities. The same bits for any number of workers at the same `shards` and
 * `batchSize`. Throws LOCKSTEP_SHAPE when the rows are not what the model takes, and what opening data throws.
 */
export async function predict(options: PredictOptions): Promise<Predictions> {
  return await useModel(options, 'predict', ({ plan, arena }, { length }) => {
    const { outputShape } = options.model.topology;
    const from = plan.predictions >>> 2;
    return new Predictions([length, ...outputShape], arena.f32.slice(from, from + length * sizeOf(outputShape)));
  });
}
