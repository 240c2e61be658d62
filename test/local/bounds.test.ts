/**
 * Room: tests of local. Penalties and constraints in whole runs: what they do to loss, gradient and weights, and that neither the number of workers nor a rank's
 * death changes a bit.
 */
import test from 'ava';
import type { LayerConfigInput } from '../../src/config/layers.ts';
import { layers } from '../../src/layers/factories.ts';
import { evaluate } from '../../src/local/evaluate.ts';
import { type TrainOptions, train } from '../../src/local/train.ts';
import { sequential } from '../../src/model/model.ts';
import { classified, trace } from '../toy.ts';

const bounded = (): LayerConfigInput[] => [
  layers.batchNormalization({ gammaRegularizer: { type: 'l2', l2: 0.1 }, betaConstraint: { type: 'maxNorm', maxValue: 0.05 } }),
  layers.dense({
    units: 70,
    activation: 'relu',
    kernelRegularizer: 'l1l2',
    kernelConstraint: { type: 'maxNorm', maxValue: 0.3 },
    biasRegularizer: { type: 'l1', l1: 0.02 },
  }),
  layers.layerNormalization({ gammaConstraint: 'nonNeg', betaRegularizer: 'l2' }),
  layers.dense({ units: 3, activation: 'softmax', kernelConstraint: { type: 'unitNorm', axis: 1 }, biasConstraint: 'nonNeg' }),
];

function run(changes: Partial<TrainOptions> = {}): TrainOptions {
  return {
    model: sequential(bounded()),
    data: { train: classified(203, [64], 3), validation: classified(50, [64], 3, 2) },
    loss: 'sparseCategoricalCrossentropy',
    optimizer: { type: 'adam', globalClipnorm: 0.5, learningRate: 0.02 },
    batchSize: 20,
    epochs: 3,
    seed: 5,
    kernels: 'wasm',
    shards: 4,
    workers: 2,
    ...changes,
  };
}

const undisturbed = trace(run());

test.serial('the same bits with 1, 3 and 5 workers', async (t) => {
  for (const workers of [1, 3, 5]) t.deepEqual(await trace(run({ workers })), await undisturbed);
});

for (const phase of ['clip', 'optimizer', 'commit', 'wait'] as const) {
  test.serial(`a rank that dies in phase ${phase} costs no bit`, async (t) => {
    for (const step of [14, 23]) t.deepEqual(await trace(run({ fault: { rank: 1, step, phase, kind: 'exit', times: 1 } })), await undisturbed);
  });
}

test.serial('weights are within their bounds after every run, and were not before', async (t) => {
  const { model } = await train(run());
  const free = await train(
    run({
      model: sequential(
        bounded().map((layer) => Object.fromEntries(Object.entries(layer).filter(([key]) => !key.endsWith('Constraint'))) as unknown as LayerConfigInput),
      ),
    }),
  );
  const largest = (of: typeof model, name: string, size: number, stride: number, count: number): number => {
    const { data } = of.getWeights().find((weight) => weight.name === name)!;
    return Math.max(
      ...Array.from({ length: count }, (_, v) => Math.hypot(...Array.from({ length: size }, (_, i) => data[stride === 1 ? v * size + i : v + i * stride]!))),
    );
  };
  t.true(largest(model, 'dense/kernel', 64, 70, 70) <= 0.3 * (1 + 1e-6));
  t.true(largest(free.model, 'dense/kernel', 64, 70, 70) > 0.3);
  t.true(largest(model, 'batch_normalization/beta', 64, 1, 1) <= 0.05 * (1 + 1e-6));
  t.true(Math.abs(largest(model, 'dense_1/kernel', 3, 1, 70) - 1) < 1e-5);
  for (const name of ['dense_1/bias', 'layer_normalization/gamma'])
    t.true(
      model
        .getWeights()
        .find((weight) => weight.name === name)!
        .data.every((value) => value >= 0),
    );
});

test.serial('penalties are part of the loss in steps, epochs and evaluations, and of the gradient', async (t) => {
  const plain = sequential([layers.dense({ units: 70, activation: 'relu', useBias: false }), layers.dense({ units: 3, activation: 'softmax' })]);
  const penalized = sequential([
    layers.dense({ units: 70, activation: 'relu', useBias: false, kernelRegularizer: { type: 'l2', l2: 0.5 } }),
    layers.dense({ units: 3, activation: 'softmax' }),
  ]);
  const still = { optimizer: { type: 'sgd', learningRate: 0 } } as const;
  const [without, with_] = [await trace(run({ model: plain, ...still })), await trace(run({ model: penalized, ...still }))];
  t.is(with_.weightsSha256, without.weightsSha256);
  const { data } = penalized.getWeights().find(({ name }) => name === 'dense/kernel')!;
  const penalty = 0.5 * Array.from(data).reduce((sum, value) => sum + value * value, 0);
  const near = (a: number, b: number): boolean => Math.abs(a - b) < 1e-9 * b;
  for (const [i, step] of with_.steps.entries()) t.true(near(step.loss, without.steps[i]!.loss + penalty), `step ${i}`);
  for (const [i, epoch] of with_.epochs.entries()) {
    t.true(near(epoch.loss, without.epochs[i]!.loss + penalty));
    t.true(near(epoch.validation!.loss, without.epochs[i]!.validation!.loss + penalty));
  }
  const judged = { loss: 'sparseCategoricalCrossentropy', data: classified(50, [64], 3, 2), kernels: 'wasm' } as const;
  const [a, b] = [await evaluate({ model: plain, ...judged }), await evaluate({ model: penalized, ...judged })];
  t.true(near(b.loss, a.loss + penalty));

  // One step of plain SGD differs by the penalty's gradient alone.
  const moving = { optimizer: { type: 'sgd', learningRate: 0.1 }, steps: 1, epochs: undefined } as const;
  const [first, second] = [sequential(plain.config.layers), sequential(penalized.config.layers)];
  await train(run({ model: first, ...moving }));
  await train(run({ model: second, ...moving }));
  const kernels = [first, second].map((model) => model.getWeights().find(({ name }) => name === 'dense/kernel')!.data);
  t.true(kernels[1]!.every((value, i) => Math.abs(value - (kernels[0]![i]! - 0.1 * 2 * 0.5 * data[i]!)) < 1e-6));
});
