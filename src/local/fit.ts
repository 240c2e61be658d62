/**
 * Room: local (level 6). Whether model, loss, metrics and data belong together in shape and kind. It only looks: the model
 * was built before, from the training data or, without any, from the data that it is evaluated on.
 */
import type { ModelConfig } from '../config/layers.ts';
import { checkLabels, type DataSource } from '../data/source.ts';
import { LockstepError } from '../errors.ts';
import { type LossSpec, lossName, lossOf } from '../losses/loss.ts';
import { formatShape, type Shape, sameShape, sizeOf } from '../memory/shape.ts';
import { type MetricSpec, planMeasures } from '../metrics/measures.ts';
import type { Model } from '../model/model.ts';
import { countParameters } from '../model/summary.ts';
import { endsIn, resolveTopology } from '../model/topology.ts';

/** Model, loss and metrics, whatever the data. Throws LOCKSTEP_CONFIG or LOCKSTEP_SHAPE. */
export function checkModelFits(model: Model, loss: LossSpec, metrics: readonly MetricSpec[]): void {
  const { outputShape } = model.topology;
  const traits = lossOf(loss);
  const { logitsOf, fuses, isOverClasses } = traits;
  const name = lossName(loss);
  const endsSo = logitsOf !== undefined && endsIn(model.config, logitsOf);
  if (fuses && !endsSo) {
    throw new LockstepError(
      'LOCKSTEP_CONFIG',
      `Expected the last layer to end in ${logitsOf} for the loss ${name}; give it \`activation: "${logitsOf}"\`, or the loss \`{ type: "${name}", fromLogits: true }\`.`,
    );
  }
  if (!fuses && endsSo) {
    throw new LockstepError(
      'LOCKSTEP_CONFIG',
      `Expected the last layer to give logits for a loss with \`fromLogits: true\`, got one that ends in ${logitsOf}; leave out \`fromLogits\` or the ${logitsOf}.`,
    );
  }
  if (fuses && model.topology.layers.at(-1)?.definition.activityPenalty) {
    throw new LockstepError(
      'LOCKSTEP_CONFIG',
      `Expected the last layer to have no \`activityRegularizer\` with the loss ${name}, which is computed together with its ${logitsOf}; give it to a layer before.`,
    );
  }
  if (isOverClasses && outputShape.length !== 1) {
    throw new LockstepError(
      'LOCKSTEP_SHAPE',
      `Expected the model to give one number a class, shape (classes,), got ${formatShape(outputShape)}; end with flatten and dense layers.`,
    );
  }
  planMeasures(metrics, traits, sizeOf(outputShape));
}

/** A training changes weights: a model of flatten and dropout has none, nor one whose layers are all frozen. Throws LOCKSTEP_CONFIG. */
export function checkTrainable(config: ModelConfig, inputShape: Shape): void {
  const { total, trainable } = countParameters(resolveTopology(config, inputShape));
  if (trainable > 0) return;
  const mend = total > 0 ? 'leave some layers `trainable`' : 'add a dense layer';
  throw new LockstepError('LOCKSTEP_CONFIG', `Expected the model to have weights to train, got none in its layers; ${mend}.`);
}

/** Rows and labels of one set. `place` is what messages call it. Throws LOCKSTEP_SHAPE or LOCKSTEP_DATA. */
export function checkDataFits(model: Model, loss: LossSpec, { source, place }: { readonly source: DataSource; readonly place: string }): void {
  const { inputShape, outputShape } = model.topology;
  if (!sameShape(source.inputShape, inputShape)) {
    throw new LockstepError(
      'LOCKSTEP_SHAPE',
      `Expected the rows of \`${place}\` to have the shape that the model is built for, ${formatShape(inputShape)}, got ${formatShape(source.inputShape)}; give all data rows of one shape.`,
    );
  }
  if (lossOf(loss).labels === 'class') {
    checkLabels(source, outputShape[0]!);
    return;
  }
  if (source.labels.kind !== 'target') {
    throw new LockstepError(
      'LOCKSTEP_DATA',
      `Expected the labels of \`${place}\` to be target values for the loss ${lossName(loss)}, got classes; give targets, or use sparseCategoricalCrossentropy.`,
    );
  }
  if (!sameShape(source.labels.shape, outputShape)) {
    throw new LockstepError(
      'LOCKSTEP_SHAPE',
      `Expected the targets of \`${place}\` to have the shape of the model's output, ${formatShape(outputShape)}, got ${formatShape(source.labels.shape)}; change the last layer or the targets.`,
    );
  }
}
