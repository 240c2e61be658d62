/**
 * Room: tests of interop. Random models of supported layers, with weights as training leaves them, and rows to predict.
 */
import fc from 'fast-check';
import type { LayerConfigInput } from '../../src/config/layers.ts';
import { layers } from '../../src/layers/factories.ts';
import { type Model, sequential } from '../../src/model/model.ts';
import { numbers } from '../toy.ts';

const names = ['linear', 'relu', 'selu', 'gelu', 'swish', 'softplus', 'tanh', 'sigmoid', 'softmax', 'leakyReLU', 'elu'] as const;
type Activation = NonNullable<Parameters<typeof layers.activation>[0]['activation']>;
const activation: fc.Arbitrary<Activation> = fc.oneof(
  fc.constantFrom(...names),
  fc.constantFrom(0.125, 0.5).map((alpha) => ({ type: 'leakyReLU', alpha }) as const),
);

const initializer = fc.constantFrom('glorotUniform', 'heNormal', 'leCunNormal', 'orthogonal', 'truncatedNormal', 'randomUniform', 'zeros');
type Options = Parameters<typeof layers.dense>[0];
const regularizer = fc.constantFrom<Options['kernelRegularizer']>(undefined, 'l1', 'l2', { type: 'l1l2', l1: 0.125, l2: 0.25 });
// No constraints: TensorFlow.js holds weights to them when it loads them.

/** One layer, that any input will do for; `pick` chooses among its axes. */
type Draw = (shape: readonly number[], pick: number) => LayerConfigInput;

const dense = fc.record({ units: fc.integer({ min: 1, max: 9 }), activation, useBias: fc.boolean(), kernelInitializer: initializer, regularizer }).map(
  ({ regularizer, ...options }): Draw =>
    () =>
      layers.dense({ ...options, ...(regularizer && { kernelRegularizer: regularizer, biasRegularizer: regularizer }) }),
);
const affine = fc.record({ center: fc.boolean(), scale: fc.boolean(), epsilon: fc.constantFrom(1e-3, 1e-5), fromEnd: fc.boolean() });
const axisOf = (shape: readonly number[], pick: number, fromEnd: boolean): number => (pick % shape.length) + 1 - (fromEnd ? shape.length + 1 : 0);
const batchNormalization = (anyAxis: boolean) =>
  affine.map(
    ({ fromEnd, ...options }): Draw =>
      (shape, pick) => {
        // Lists of axes, too: all but one.
        const first = axisOf(shape, anyAxis ? pick : shape.length - 1, fromEnd);
        const axis = anyAxis && pick % 2 === 1 && shape.length > 1 ? allButOne(shape, pick) : first;
        return layers.batchNormalization({ ...options, axis, momentum: 0.9 });
      },
  );
const allButOne = (shape: readonly number[], pick: number): number[] => shape.map((_, i) => i + 1).filter((axis) => axis !== (pick % shape.length) + 1);
/** Over the last axes, one or more, or with `anyAxis` over the first alone. */
const layerNormalization = (anyAxis: boolean) =>
  affine.map(
    ({ fromEnd, ...options }): Draw =>
      (shape, pick) => {
        const first = axisOf(shape, pick, false);
        const last = Array.from({ length: shape.length - first + 1 }, (_, i) => first + i - (fromEnd ? shape.length + 1 : 0));
        // Of numbers that are all alike, as those of a resized pixel, it makes roundings large: with this epsilon by 30.
        return layers.layerNormalization({ ...options, ...(anyAxis && { epsilon: 1e-3 }), axis: anyAxis && pick % 3 === 0 ? 1 : last });
      },
  );
const plain = fc.oneof(
  activation.map(
    (activation): Draw =>
      () =>
        layers.activation({ activation }),
  ),
  fc.constantFrom<Draw>(
    () => layers.flatten(),
    (shape) => layers.reshape({ targetShape: shape.toReversed() as number[] }),
    () => layers.reshape({ targetShape: [-1, 1] }),
    () => layers.dropout({ rate: 0.25 }),
    () => layers.alphaDropout({ rate: 0.25 }),
    () => layers.gaussianNoise({ stddev: 0.5 }),
  ),
);

/** What is no image becomes a row of pixels first. Of a single row or column all pixels would be the same, and a normalisation over them would show nothing but rounding. */
const resizing = fc.record({ height: fc.integer({ min: 1, max: 6 }), width: fc.integer({ min: 1, max: 6 }), interpolation: fc.constantFrom('bilinear', 'nearest') }).map(
  (options): Draw =>
    (shape) =>
      (shape.length === 2 || shape.length === 3) && shape[0]! > 1 && shape[1]! > 1 ? layers.resizing(options) : layers.reshape({ targetShape: [1, -1] }),
);

const draws = (anyAxis: boolean, hasScalars: boolean) =>
  fc.array(
    fc.tuple(
      fc.oneof(
        { weight: 3, arbitrary: dense },
        { weight: 2, arbitrary: batchNormalization(anyAxis) },
        layerNormalization(anyAxis),
        anyAxis ? fc.oneof(plain, resizing) : plain,
        ...(hasScalars ? [scalars] : []),
      ),
      fc.nat(11),
      fc.option(fc.nat(9), { freq: 2 }),
    ),
    { minLength: 1, maxLength: 6 },
  );

const scalars = fc.record({ center: fc.boolean(), scale: fc.boolean() }).map(
  (options): Draw =>
    () =>
      layers.scalarAffine(options),
);

interface Judged {
  readonly model: Model;
  readonly rows: Float32Array;
}

interface Draws {
  readonly anyAxis: boolean;
  readonly scalars?: boolean;
  readonly branches?: boolean;
}

/** All that can be added to the output of a model: its last layer's, at least. */
function sourcesIn({ topology: { inputShape, outputShape, layers } }: Model): string[] {
  const outputs = [['@input', inputShape] as const, ...layers.map(({ name, definition }) => [name, definition.outputShape] as const)];
  return outputs.filter(([, shape]) => shape.join() === outputShape.join()).map(([name]) => name);
}

/**
 * A model with weights whose moving statistics, gammas and betas are no first values, and five rows for it. With `anyAxis` it normalises
 * over axes that not every library can; `scalars` and `branches` are drawn for those that have them.
 */
export function randomModel({ anyAxis, scalars: hasScalars = false, branches = false }: Draws): fc.Arbitrary<Judged> {
  const drawn = {
    inputShape: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 3 }),
    draws: draws(anyAxis, hasScalars),
    seed: fc.integer({ min: 1, max: 1e6 }),
  };
  return fc.record(drawn).map(({ inputShape, draws, seed }) => {
    let model: Model | undefined;
    const chain: LayerConfigInput[] = [];
    for (const [draw, pick, add] of draws) {
      const shape = model?.topology.outputShape ?? inputShape;
      chain.push({ ...draw(shape, pick), ...(chain.length === 0 && { inputShape }) });
      model = sequential(chain);
      if (!branches || add === null) continue;
      const from = sourcesIn(model);
      chain.push({ type: 'add', from: add % 2 === 0 ? from[add % from.length]! : from.slice(-2) });
      model = sequential(chain);
    }
    const size = inputShape.reduce((product, dimension) => product * dimension, 1);
    return { model: worn(model!, seed), rows: numbers(5 * size, seed) };
  });
}

/** Weights as if it had been trained: no zeros and ones, every variance > 0. */
export function worn(model: Model, seed: number): Model {
  model.initialize(seed);
  const weights = model.getWeights().map(({ name, shape, data }, i) => {
    const noise = numbers(data.length, seed + i + 1);
    const from = /\/(?:gamma|moving_variance)$/.test(name) ? 1 : 0;
    return { name, shape, data: name.endsWith('/kernel') ? data.map((value, j) => value + noise[j]! / 8) : noise.map((value) => from + value / 2) };
  });
  model.setWeights(weights);
  return model;
}

/** The largest difference, in units of the larger of 1 and the expected number. Infinite where one is no number. */
export function difference(received: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (received.length !== expected.length) return Number.POSITIVE_INFINITY;
  let most = 0;
  for (let i = 0; i < expected.length; i++) {
    const distance = Math.abs(received[i]! - expected[i]!) / Math.max(1, Math.abs(expected[i]!));
    most = Number.isNaN(distance) ? Number.POSITIVE_INFINITY : Math.max(most, distance);
  }
  return most;
}
