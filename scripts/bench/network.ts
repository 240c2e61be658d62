/**
 * Room: scripts (level 8). The network that is measured, and a run of some steps of it: always from `train()`, as users run it.
 */
import { datasets } from '../../src/data/datasets.ts';
import { openInput } from '../../src/local/inputs.ts';
import { type TrainOptions, train } from '../../src/local/train.ts';
import { type Model, sequential } from '../../src/model/model.ts';
import { bookLayers, trainedParameters, typical } from './run.ts';

/** The example's network: 271,346 parameters, 268,978 of them trained. */
function exampleModel(): Model {
  return bookModel([28, 28], [300, 100], 10);
}

/** Any network of this kind. */
export function bookModel(inputShape: readonly number[], units: readonly number[], classes: number): Model {
  return sequential(bookLayers(inputShape, units, classes));
}

/**
 * Floating-point operations of a training step, by convention: 2 a parameter forward, 4 backward, for every row. Fewer are done: the
 * first Dense makes no gradient of its input (src/model/fusion.ts), so a rate above that of a large product is no mistake.
 */
export const flopsPerRow = 6 * trainedParameters;

const mnist = await openInput(datasets.mnist().train, 'mnist');

/** Seconds of a typical step, after the first third that warms up. */
export async function stepSeconds(options: Omit<TrainOptions, 'model' | 'data' | 'loss' | 'optimizer'> & { readonly steps: number }): Promise<number> {
  const seconds: number[] = [];
  await train({
    model: exampleModel(),
    data: { train: mnist },
    loss: 'sparseCategoricalCrossentropy',
    optimizer: { type: 'sgd', learningRate: 0.05, momentum: 0.9, globalClipnorm: 1 },
    seed: 42,
    ...options,
    onStep: (event, control) => {
      seconds.push(event.seconds);
      options.onStep?.(event, control);
    },
  });
  return typical(seconds);
}
