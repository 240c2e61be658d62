/**
 * Room: tests of local. Residual networks in whole runs: a deep one without normalisation that learns with Fixup and does not without, frozen layers below and beside a
 * branch, and the name of the layer whose sum is not finite.
 */
import test from 'ava';
import type { InitializerConfigInput } from '../../src/config/initializers.ts';
import type { LayerConfigInput } from '../../src/config/layers.ts';
import { layers } from '../../src/layers/factories.ts';
import { recalibrate } from '../../src/local/recalibrate.ts';
import { type TrainOptions, train } from '../../src/local/train.ts';
import { sequential } from '../../src/model/model.ts';
import type { StepEvent } from '../../src/telemetry/events.ts';
import { classified, trace } from '../toy.ts';

const data = { train: classified(192, [8], 3) };
const settings = { data, loss: 'sparseCategoricalCrossentropy', batchSize: 64, seed: 3, kernels: 'wasm', workers: 1, shards: 2 } as const;

/** Blocks of two kernels without a normalisation. Fixup begins the last of each, and the classifier, with zeros. */
function deep(blocks: number, isFixup: boolean): LayerConfigInput[] {
  const first: InitializerConfigInput = isFixup ? { type: 'fixup', blocks, layersPerBlock: 2 } : 'heNormal';
  const last = isFixup ? 'zeros' : 'heNormal';
  const block = (_: unknown, i: number): LayerConfigInput[] => [
    layers.scalarAffine({ scale: false }),
    layers.dense({ units: 8, useBias: false, kernelInitializer: first }),
    layers.scalarAffine({ scale: false }),
    layers.activation({ activation: 'relu' }),
    layers.scalarAffine({ scale: false }),
    layers.dense({ units: 8, useBias: false, kernelInitializer: last }),
    layers.scalarAffine(),
    layers.add({ from: i === 0 ? '@input' : `block_${i}`, name: `block_${i + 1}` }),
  ];
  return [...Array.from({ length: blocks }, block).flat(), layers.dense({ units: 3, activation: 'softmax', kernelInitializer: last })];
}

test.serial('30 blocks without normalisation learn with Fixup; with heNormal alone they blow up', async (t) => {
  const run = async (isFixup: boolean) => {
    const steps: StepEvent[] = [];
    const options = {
      ...settings,
      optimizer: { type: 'sgd', learningRate: 0.1 },
      epochs: 15,
      onNonFinite: 'skip',
      onStep: (step: StepEvent) => steps.push(step),
    } as const;
    const { history } = await train({ ...options, model: sequential(deep(30, isFixup)) });
    return { steps, losses: history['loss']! };
  };
  const fixup = await run(true);
  t.false(fixup.steps.some(({ skipped }) => skipped));
  // A classifier of zeros knows nothing at first.
  t.true(Math.abs(fixup.steps[0]!.loss - Math.log(3)) < 1e-6);
  t.true(fixup.losses.at(-1)! < 0.6 * fixup.losses[0]!, fixup.losses.join(' '));
  const plain = await run(false);
  t.true(plain.steps[0]!.loss > 100, String(plain.steps[0]!.loss));
  t.true(plain.steps.filter(({ skipped }) => skipped).length > plain.steps.length / 2);
});

/** A branch around the middle; what is added comes from below it, from beside it and from the input. */
const network = (): LayerConfigInput[] => [
  layers.dense({ units: 8, activation: 'tanh', name: 'below' }),
  layers.batchNormalization({ name: 'normal' }),
  layers.dense({ units: 8, activation: 'relu', name: 'middle' }),
  layers.scalarAffine({ name: 'scalars' }),
  layers.add({ from: ['below', '@input', 'normal'], name: 'sum' }),
  layers.dense({ units: 8, activation: 'elu', name: 'above' }),
  layers.add({ from: 'sum', name: 'second' }),
  layers.dense({ units: 3, activation: 'softmax', name: 'head' }),
];
const run = (changes: Partial<TrainOptions> = {}): TrainOptions => ({
  ...settings,
  model: sequential(network()),
  optimizer: { type: 'adam', learningRate: 0.02, globalClipnorm: 0.5 },
  epochs: 4,
  ...changes,
});

test.serial('layers that are frozen below, beside and above a branch: the same steps as if they never learnt, for any number of workers', async (t) => {
  for (const frozen of [['below', 'normal'], ['middle', 'scalars'], ['above'], ['below', 'normal', 'middle', 'scalars'], ['head']]) {
    const expected = await trace(run({ freeze: [{ layers: frozen }] }));
    const never = network().map((layer) => (frozen.includes(layer.name ?? '') ? { ...layer, trainable: false } : layer));
    t.is((await trace(run({ model: sequential(never) }))).weightsSha256, expected.weightsSha256, frozen.join());
    t.deepEqual(await trace(run({ freeze: [{ layers: frozen }], workers: 2 })), expected, frozen.join());
    const thawed = await trace(run({ freeze: [{ layers: frozen, until: 2 }], workers: 2 }));
    t.deepEqual(thawed.steps.slice(0, 6), expected.steps.slice(0, 6), frozen.join());
    t.notDeepEqual(thawed.steps.slice(7), expected.steps.slice(7), frozen.join());
  }
});

test.serial('statistics are computed anew, to the same bits by any number of workers', async (t) => {
  const hashes = [];
  for (const workers of [1, 3]) {
    const { model } = await train(run());
    const before = model
      .getWeights()
      .find(({ name }) => name === 'normal/moving_mean')!
      .data.slice();
    await recalibrate({ model, data: data.train, batchSize: 64, shards: 4, workers, kernels: 'wasm' });
    t.notDeepEqual(model.getWeights().find(({ name }) => name === 'normal/moving_mean')!.data, before);
    hashes.push(model.weightsSha256);
  }
  t.is(new Set(hashes).size, 1);
});

test.serial('a sum that float32 cannot hold is told by the name of its layer', async (t) => {
  const x = new Float32Array(192 * 8).fill(3e38);
  const model = sequential([
    layers.activation({ activation: 'linear' }),
    layers.add({ from: '@input', name: 'both' }),
    layers.dense({ units: 3, activation: 'softmax' }),
  ]);
  const steps: StepEvent[] = [];
  await train(run({ model, data: { train: { x, y: new Int32Array(192), inputShape: [8] } }, onNonFinite: 'skip', steps: 1, onStep: (step) => steps.push(step) }));
  t.like(steps[0]?.skipped, { phase: 'forward', layer: 'both', shard: 0 });
});
