/**
 * Room: tests of local. Layers that learn nothing, for ever or for some epochs: what stays, what a frozen normalisation computes, what it hands on, and that nothing of
 * it depends on who computes.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { LayerConfigInput } from '../../src/config/layers.ts';
import type { OptimizerConfigInput } from '../../src/config/optimizers.ts';
import { layers } from '../../src/layers/factories.ts';
import { evaluate } from '../../src/local/evaluate.ts';
import { type TrainOptions, train } from '../../src/local/train.ts';
import { type Model, sequential } from '../../src/model/model.ts';
import { classified, trace } from '../toy.ts';

const data = { train: classified(203, [8], 3), validation: classified(50, [8], 3, 2) };

const network = (): LayerConfigInput[] => [
  layers.batchNormalization({ name: 'first' }),
  layers.dense({ units: 12, activation: 'relu', name: 'body', kernelConstraint: { type: 'maxNorm', maxValue: 0.7 }, biasRegularizer: 'l2' }),
  layers.batchNormalization({ name: 'middle' }),
  layers.dropout({ rate: 0.2 }),
  layers.dense({ units: 9, activation: 'tanh', name: 'neck' }),
  layers.layerNormalization({ name: 'rows' }),
  layers.dense({ units: 3, activation: 'softmax', name: 'head' }),
];

function run(changes: Partial<TrainOptions> = {}): TrainOptions {
  return {
    model: sequential(network()),
    data,
    loss: 'sparseCategoricalCrossentropy',
    optimizer: { type: 'adam', learningRate: 0.02, globalClipnorm: 0.5 },
    batchSize: 20,
    epochs: 4,
    seed: 5,
    kernels: 'wasm',
    shards: 4,
    workers: 2,
    ...changes,
  };
}

const valuesOf = (model: Model): Record<string, number[]> => Object.fromEntries(model.getWeights().map(({ name, data: values }) => [name, [...values]]));

/** The weights that a run begins with. */
function first(): Record<string, number[]> {
  const model = sequential(network());
  model.build([8]);
  model.initialize(5);
  return valuesOf(model);
}

const body = ['first/gamma', 'first/beta', 'first/moving_mean', 'first/moving_variance', 'body/kernel', 'body/bias', 'middle/gamma', 'middle/moving_mean'];

test.serial('what is frozen stays as it is, statistics included, and the rest learns', async (t) => {
  const frozen = ['first', 'body', 'middle'];
  const asLayers = sequential(network().map((layer) => (frozen.includes(layer.name ?? '') ? { ...layer, trainable: false } : layer)));
  const runs = [await train(run({ freeze: [{ layers: ['first', 'body'] }, { layers: 'mid*' }] })), await train(run({ model: asLayers }))];
  t.is(runs[0]!.weightsSha256, runs[1]!.weightsSha256);
  const [before, after] = [first(), valuesOf(runs[0]!.model)];
  for (const name of body) t.deepEqual(after[name], before[name], name);
  for (const name of ['neck/kernel', 'neck/bias', 'rows/gamma', 'head/kernel']) t.notDeepEqual(after[name], before[name], name);
  t.is(asLayers.countParams().trainable, 12 * 9 + 9 + 18 + 9 * 3 + 3);
  t.regex(
    asLayers.summary(() => {}),
    /Non-trainable params: 188\n/,
  );
});

const kinds: readonly OptimizerConfigInput[] = [
  { type: 'adam', learningRate: 0.02, globalClipnorm: 0.5, useEma: true, weightDecay: 0.01 },
  { type: 'lamb', learningRate: 0.02, clipnorm: 0.1 },
];

for (const optimizer of kinds) {
  test.serial(`frozen for two epochs: the same bits with other workers, after a stop, and after a death (${optimizer.type})`, async (t) => {
    const freeze = [
      { layers: ['first', 'body'], until: 2 },
      { layers: 'middle', until: 3 },
    ];
    const expected = await trace(run({ freeze, optimizer }));
    for (const workers of [1, 3, 5]) t.deepEqual(await trace(run({ freeze, optimizer, workers })), expected, `${workers} workers`);
    for (const [step, phase] of [
      [12, 'optimizer'],
      [22, 'commit'],
      [23, 'optimizer'],
      [30, 'backward'],
    ] as const) {
      t.deepEqual(await trace(run({ freeze, optimizer, fault: { rank: 1, step, phase, kind: 'exit', times: 1 } })), expected, `a death at step ${step}`);
    }
    for (const steps of [13, 22, 31]) {
      const runDir = mkdtempSync(join(tmpdir(), 'lockstep-freezing-'));
      t.teardown(() => rmSync(runDir, { recursive: true, force: true }));
      await train(run({ freeze, optimizer, steps, workers: 3, checkpoints: { runDir } }));
      const resumed = await train(run({ freeze, optimizer, checkpoints: { runDir, resume: true } }));
      t.is(resumed.weightsSha256, expected.weightsSha256, `stopped after step ${steps}`);
      await t.throwsAsync(train(run({ optimizer, checkpoints: { runDir, resume: true } })), { code: 'LOCKSTEP_CONFIG', message: /`freeze`/ });
    }
  });
}

test.serial('until its epoch comes a frozen layer is as one that never learns; then it learns', async (t) => {
  // The penalty of a layer that waits is a part of the loss; that of one that never learns is not.
  const unpenalized = () => sequential(network().map((layer) => (layer.name === 'body' ? layers.dense({ units: 12, activation: 'relu', name: 'body' }) : layer)));
  const model = unpenalized();
  const plain = { optimizer: { type: 'sgd', learningRate: 0.1, globalClipnorm: 0.2 } } as const;
  const always = await trace(run({ ...plain, freeze: [{ layers: 'body' }], model: unpenalized() }));
  const later = await trace(run({ ...plain, freeze: [{ layers: 'body', until: 2 }], model }));
  t.deepEqual(later.steps.slice(0, 22), always.steps.slice(0, 22));
  t.notDeepEqual(later.steps[23], always.steps[23]);
  t.notDeepEqual(valuesOf(model)['body/kernel'], first()['body/kernel']);
});

test.serial('a frozen normalisation computes as in inference, and hands on the gradient of that', async (t) => {
  for (const synchronized of [true, false]) {
    const shape = (): LayerConfigInput[] => [
      layers.reshape({ targetShape: [2, 4] }),
      layers.dense({ units: 3, name: 'below' }),
      layers.batchNormalization({ trainable: false, synchronized, name: 'frozen', axis: 1 }),
      layers.flatten(),
      layers.dense({ units: 3, activation: 'softmax', name: 'above' }),
    ];
    const before = sequential(shape());
    before.build([8]);
    before.initialize(3);
    const statistics = { 'frozen/moving_mean': [0.5, -0.3], 'frozen/moving_variance': [0.3, 2], 'frozen/gamma': [1.5, 0.5], 'frozen/beta': [0.1, -0.2] } as Record<
      string,
      number[]
    >;
    before.setWeights(before.getWeights().map((tensor) => (statistics[tensor.name] ? { ...tensor, data: Float32Array.from(statistics[tensor.name]!) } : tensor)));
    const after = sequential(shape());
    after.build([8]);
    after.setWeights(before.getWeights());
    const rate = 1e-2;
    const { history } = await train(run({ model: after, data: { train: data.train }, optimizer: { type: 'sgd', learningRate: rate }, batchSize: 203, epochs: 1 }));
    const lossAt = async (weight: number, index: number, shift: number): Promise<number> => {
      const model = sequential(shape());
      model.build([8]);
      model.setWeights(before.getWeights().map((tensor, w) => (w === weight ? { ...tensor, data: tensor.data.with(index, tensor.data[index]! + shift) } : tensor)));
      return (await evaluate({ model, data: data.train, loss: 'sparseCategoricalCrossentropy', kernels: 'wasm', workers: 1 })).loss;
    };
    t.true(Math.abs(history['loss']![0]! - (await lossAt(0, 0, 0))) < 1e-6);
    for (const [weight, { name, data: values }] of before.getWeights().entries()) {
      const moved = after.getWeights()[weight]!.data;
      if (name.startsWith('frozen/')) {
        t.deepEqual(moved, values, name);
        continue;
      }
      for (const index of [0, values.length - 1]) {
        const h = 2 ** -9;
        const slope = ((await lossAt(weight, index, h)) - (await lossAt(weight, index, -h))) / (2 * h);
        const gradient = (values[index]! - moved[index]!) / rate;
        t.true(Math.abs(gradient - slope) < 1e-3 * Math.max(1, Math.abs(slope)), `${name}[${index}]: ${gradient} and ${slope}`);
      }
    }
  }
});

test.serial('a pattern that fits no layer, and a model of which all is frozen, are refused', async (t) => {
  await t.throwsAsync(train(run({ freeze: [{ layers: ['conv*', 'body'] }] })), {
    code: 'LOCKSTEP_CONFIG',
    message:
      'Expected every pattern of `freeze` to fit a layer, got `conv*`, which fits none of `first`, `body`, `middle`, `dropout`, `neck`, `rows`, `head`; correct or remove it.',
  });
  await t.throwsAsync(train(run({ freeze: [{ layers: '*' }] })), {
    code: 'LOCKSTEP_CONFIG',
    message: 'Expected the model to have weights to train, got none in its layers; leave some layers `trainable`.',
  });
});
