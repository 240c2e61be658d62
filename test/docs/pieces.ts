/**
 * Room: tests of docs. JSON within sentences and tables: where each belongs in a config, or what else holds it. A code that looks like JSON and is
 * not listed fails the test.
 */
import { join } from 'node:path';
import { earlyStoppingSchema, reduceLROnPlateauSchema } from '../../src/config/monitors.ts';
import { layers } from '../../src/layers/factories.ts';
import { evaluate } from '../../src/local/evaluate.ts';
import { train } from '../../src/local/train.ts';
import { sequential } from '../../src/model/model.ts';

type Changes = Readonly<Record<string, unknown>>;

const withFirstDense = (changes: object): Changes => ({
  model: {
    layers: [
      { type: 'flatten', inputShape: [28, 28] },
      { type: 'batchNormalization' },
      { type: 'dense', units: 8, ...changes },
      { type: 'dense', units: 10, activation: 'softmax' },
    ],
  },
});

/** A layer beside the dense ones that can learn. */
const pair = { layers: [{ type: 'flatten', inputShape: [28, 28] }, { type: 'batchNormalization' }, { type: 'dense', units: 10, activation: 'softmax' }] };

/** What the value of a code changes in a config, which then trains. */
export const settings: Readonly<Record<string, (value: unknown) => Changes>> = {
  '{ "0": 1, "3": 2.5 }': (classWeight) => ({ classWeight }),
  '[{ "layers": "dense*", "until": 2 }]': (freeze) => ({ freeze, model: pair }),
  '"streaming": true': (member) => ({ data: { train: { dataset: 'mnist', split: 'test', limit: 256, ...(member as object) } } }),
  '[]': (metrics) => ({ metrics }),
  '["accuracy"]': (metrics) => ({ metrics }),
  '{"type":"adam"}': (optimizer) => ({ optimizer }),
  '{ "type": "resizing", "height": 32, "width": 32, "interpolation": "nearest" }': (layer) => ({
    model: { layers: [{ ...(layer as object), inputShape: [28, 28] }, { type: 'flatten' }, { type: 'dense', units: 10, activation: 'softmax' }] },
  }),
  '{ "type": "leakyReLU", "alpha": 0.1 }': (activation) => withFirstDense({ activation }),
  '{ "type": "varianceScaling", "scale": 2, "mode": "fanIn", "distribution": "truncatedNormal" }': (kernelInitializer) => withFirstDense({ kernelInitializer }),
  '{ "type": "fixup", "blocks": 30, "layersPerBlock": 2 }': (kernelInitializer) => withFirstDense({ kernelInitializer }),
  '"kernelInitializer": "zeros"': (member) => withFirstDense(member as object),
  '"scale": false': (member) => ({ model: { layers: [...pair.layers.slice(0, 2), { type: 'scalarAffine', ...(member as object) }, pair.layers[2]!] } }),
  '{ "type": "l1l2", "l1": 0.001, "l2": 0.01 }': (kernelRegularizer) => withFirstDense({ kernelRegularizer }),
  '["*/bias", "*/gamma", "*/beta"]': (excludeFromWeightDecay) => ({ optimizer: { type: 'adamw', excludeFromWeightDecay } }),
  '["*bias*"]': (excludeFromWeightDecay) => ({ optimizer: { type: 'adamw', excludeFromWeightDecay } }),
  '"$schema": "./lockstep.schema.json"': (member) => member as Changes,
};

/** Forms whose words stand for something: one of the things that they stand for. */
export const forms: Readonly<Record<string, readonly Changes[]>> = {
  '{ "type": name, ... }': [{ loss: { type: 'sparseCategoricalCrossentropy', fromLogits: false } }, { metrics: [{ type: 'accuracy', name: 'hits' }] }],
  '{ "<pattern>": factor }': [{ optimizer: { type: 'sgd', learningRateFactors: { 'dense*': 0.5 } } }],
};

/** Parts of a log's lines: every name is one of src/telemetry/events.ts. */
export const eventParts: readonly string[] = ['"skipped": {"phase", "layer", "shard"}', '"partial": true', '"interrupted": true', '"stopped"'];

/** JSON that other tests hold. */
export const elsewhere: Readonly<Record<string, string>> = {
  '{"format": "lockstep", "step": "1200"}': 'outputs.test.ts reads it from a file of the folder of checkpoints',
  '{ path, names, partial }': 'test/local/options.test.ts',
  '{ path, offset, type, rowSize, rows?, normalization? }': 'test/data/row-file.test.ts',
  '{"$number": "NaN"}': 'test/checkpoint/record.test.ts',
};

/** Arrays as rows: `x` and `y` of training. */
export const rows: Readonly<Record<string, object>> = {
  '[[1, 2], [3, 4]]': { y: [0, 1] },
  '[0, 1]': { x: [[1], [2]] },
  '[[0.5], [0.1]]': { x: [[1], [2]] },
};

const toyRun = () => ({
  model: sequential([layers.dense({ units: 2, activation: 'softmax' as const })]),
  data: { train: { x: [[1], [2]], y: [0, 1] } },
  loss: 'sparseCategoricalCrossentropy' as const,
  optimizer: { type: 'sgd' as const },
  steps: 1,
  workers: 1,
});

/** Objects that are shown by their keys alone. */
export const keysOf: Readonly<Record<string, (folder: string) => Promise<object>>> = {
  '{ monitor, patience, minDelta, mode, baseline, startFromEpoch, restoreBestWeights }': async () => earlyStoppingSchema.shape,
  '{ monitor, factor, patience, mode, minDelta, cooldown, minLr }': async () => reduceLROnPlateauSchema.shape,
  '{ model, history, weightsSha256, steps, seconds, samplesPerSecond, interrupted, stopped, texts, normalization }': (folder) =>
    train({
      ...toyRun(),
      model: sequential([layers.dense({ units: 3, activation: 'softmax' })]),
      data: { train: { format: 'csv', file: join(folder, 'iris.csv'), label: 'species', normalize: 'standard' } },
      steps: 1_000_000,
      onStep: (_, { stop }) => stop('enough'),
    }),
  '{ loss, metrics, samples, seconds }': async () => {
    const { data, ...run } = toyRun();
    const { model } = await train({ ...run, data });
    return await evaluate({ model, data: data.train, loss: run.loss, workers: 1 });
  },
  '{ model, folded, kept }': async () => (await train(toyRun())).model.fold(),
  '{ shape, data, toRows(), argMax() }': async () => {
    const { model } = await train(toyRun());
    const predictions = model.predict(Float32Array.of(1, 2));
    return Object.fromEntries([...Object.keys(predictions), ...Object.getOwnPropertyNames(Object.getPrototypeOf(predictions))].map((key) => [key, true]));
  },
};
