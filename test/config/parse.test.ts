import test from 'ava';
import fc from 'fast-check';
import { parseDataConfig, parseEvaluationSettings, parseLayer, parseModelConfig, parseOptimizer, parseRunConfig, parseRunSettings } from '../../src/config/parse.ts';
import { resolveLoss } from '../../src/config/resolve.ts';
import { type RunConfigInput, runConfigJsonSchema } from '../../src/config/run.ts';
import { problems } from './problems.ts';

const least = {
  model: { layers: [{ type: 'dense', units: 10 }] },
  data: { train: { dataset: 'mnist', split: 'train' } },
  loss: 'sparseCategoricalCrossentropy',
  optimizer: { type: 'sgd' },
} satisfies RunConfigInput;

const runProblems = (change: object) => problems(() => parseRunConfig({ ...least, ...change }));

test('the least config has every default of a run filled in', (t) => {
  t.deepEqual(parseRunConfig(least), {
    model: {
      layers: [{ type: 'dense', units: 10, activation: 'linear', useBias: true, kernelInitializer: 'glorotUniform', biasInitializer: 'zeros' }],
    },
    data: { train: { dataset: 'mnist', split: 'train', scale: 255, streaming: false } },
    loss: 'sparseCategoricalCrossentropy',
    metrics: [],
    optimizer: { type: 'sgd', learningRate: 0.01, momentum: 0, nesterov: false },
    batchSize: 32,
    shuffle: true,
    stratify: false,
    dropRemainder: false,
    gradientAccumulationSteps: 1,
    seed: 0,
    kernels: 'auto',
    onNonFinite: 'halt',
    haltAfterSkipped: 5,
  });
});

test('a parsed run parses to itself and leaves its input alone', (t) => {
  const input = structuredClone(least);
  const run = parseRunConfig(input);
  t.deepEqual(input, least);
  t.deepEqual(parseRunConfig(run), run);
});

test('a value that is no object is named by where it came from', (t) => {
  const rule = 'an object with `model`, `data`, `loss` and `optimizer`';
  t.deepEqual(
    problems(() => parseRunConfig(5)),
    [`Expected \`config\` to be ${rule}, got \`5\`.`],
  );
  t.deepEqual(
    problems(() => parseRunConfig([], 'run.json')),
    [`Expected \`run.json\` to be ${rule}, got \`[]\`.`],
  );
  t.deepEqual(
    problems(() => parseRunConfig(undefined)),
    [`Expected \`config\` to be ${rule}, got nothing; add it.`],
  );
});

test('all problems are told at once, one sentence a line', (t) => {
  const run = {
    ...least,
    model: { layers: [{ type: 'flatten' }, { type: 'dense', unit: 3 }, { type: 'dense', units: '300' }] },
    optimizer: { type: 'sgd', learningRate: -1, clipnorm: 1, globalClipnorm: 2 },
    batchSize: 1.5,
    colour: 'red',
  };
  t.deepEqual(
    problems(() => parseRunConfig(run)),
    [
      'Unknown key `model.layers[1].unit`; did you mean `units`? (known: type, name, inputShape, trainable, units, activation, useBias, kernelInitializer, biasInitializer, kernelRegularizer, biasRegularizer, activityRegularizer, kernelConstraint, biasConstraint).',
      'Expected `model.layers[2].units` to be an integer >= 1, got `"300"`.',
      'Expected `optimizer.learningRate` to be 0 or a finite number > 0 in float32, got `-1`.',
      'Expected `optimizer.globalClipnorm` to be 0 or absent while `clipnorm` is set, because one clipper excludes another, got `2`.',
      'Expected `batchSize` to be an integer >= 1, got `1.5`.',
      'Unknown key `colour` (known: model, data, loss, metrics, optimizer, classWeight, batchSize, gradientAccumulationSteps, validationBatchSize, epochs, steps, shuffle, dropRemainder, validationSplit, stratify, seed, shards, workers, kernels, onNonFinite, earlyStopping, reduceLROnPlateau, freeze, haltAfterSkipped).',
    ],
  );
});

test('a clipper that is 0 is off and excludes nothing', (t) => {
  t.like(parseOptimizer({ type: 'adamw', clipnorm: 0, clipvalue: 1 }), { weightDecay: 0.004, beta1: 0.9, epsilon: 1e-7, learningRate: 0.001 });
  t.deepEqual(
    problems(() => parseOptimizer({ type: 'adam', clipvalue: 1, clipnorm: 2, globalClipnorm: 3 })).map((line) => line.slice(0, 70)),
    ['Expected `optimizer.clipnorm` to be 0 or absent while `clipvalue` is s', 'Expected `optimizer.globalClipnorm` to be 0 or absent while `clipvalue'],
  );
  t.deepEqual(
    problems(() => parseOptimizer({ type: 'ftrl' })),
    ['Expected `optimizer.type` to be a supported optimizer (sgd, adam, adamw, rmsprop, adagrad, adadelta, adamax, nadam, lion, lars, lamb), got `"ftrl"`.'],
  );
});

test('adaptive clipping excludes other clippers, and its options mean nothing without it', (t) => {
  const adaptive = { adaptiveClipEpsilon: 0.01, excludeFromAdaptiveClip: ['dense_1'] };
  t.like(parseOptimizer({ type: 'sgd', adaptiveClip: 0.01, ...adaptive }), { adaptiveClip: 0.01, ...adaptive });
  t.deepEqual(
    problems(() => parseOptimizer({ type: 'sgd', clipvalue: 1, adaptiveClip: 0.01 })),
    ['Expected `optimizer.adaptiveClip` to be 0 or absent while `clipvalue` is set, because one clipper excludes another, got `0.01`.'],
  );
  for (const off of [{}, { adaptiveClip: 0 }]) {
    t.deepEqual(
      problems(() => parseOptimizer({ type: 'sgd', ...off, ...adaptive })),
      [
        'Expected `optimizer.adaptiveClipEpsilon` to be absent without `adaptiveClip`, got `0.01`.',
        'Expected `optimizer.excludeFromAdaptiveClip` to be absent without `adaptiveClip`, got `["dense_1"]`.',
      ],
    );
  }
  t.deepEqual(
    problems(() => parseOptimizer({ type: 'sgd', adaptiveClip: 0.01, adaptiveClipEpsilon: 0 })),
    ['Expected `optimizer.adaptiveClipEpsilon` to be a finite number > 0 in float32, got `0`.'],
  );
});

test('a percentile is one from 0 to 100, excludes other clippers, and alone has a history', (t) => {
  const told = (options: object): string[] => problems(() => parseOptimizer({ type: 'sgd', ...options }));
  t.like(parseOptimizer({ type: 'sgd', clipPercentile: 100, clipHistory: 1 }), { clipPercentile: 100, clipHistory: 1 });
  t.deepEqual(told({ clipPercentile: 0, clipnorm: 1 }), []);
  t.deepEqual(told({ clipPercentile: 100.5 }), ['Expected `optimizer.clipPercentile` to be a number from 0 to 100, got `100.5`.']);
  t.deepEqual(told({ clipPercentile: -1 }), ['Expected `optimizer.clipPercentile` to be a number from 0 to 100, got `-1`.']);
  t.deepEqual(told({ clipPercentile: 10, clipHistory: 0 }), ['Expected `optimizer.clipHistory` to be an integer from 1 to 100000, got `0`.']);
  t.deepEqual(told({ clipPercentile: 10, adaptiveClip: 0.01 }), [
    'Expected `optimizer.clipPercentile` to be 0 or absent while `adaptiveClip` is set, because one clipper excludes another, got `10`.',
  ]);
  for (const off of [{}, { clipPercentile: 0 }])
    t.deepEqual(told({ ...off, clipHistory: 9 }), ['Expected `optimizer.clipHistory` to be absent without `clipPercentile`, got `9`.']);
});

test('more shards than rows in a batch are refused', (t) => {
  t.deepEqual(runProblems({ batchSize: 4, shards: 5 }), ['Expected `shards` to be at most the batch size, 4, so that every shard has a row, got `5`.']);
  t.deepEqual(runProblems({ workers: 33 }), ['Expected `workers` to be at most the batch size, 32, so that every shard has a row, got `33`.']);
  t.deepEqual(runProblems({ batchSize: 4, shards: 4, workers: 9 }), []);
});

test('numbers are judged by what they are in float32, in which kernels compute', (t) => {
  const optimizer = (options: object) => problems(() => parseOptimizer({ type: 'adamw', ...options }));
  const received = (key: string, rule: string, value: number) => [`Expected \`optimizer.${key}\` to be ${rule} in float32, got \`${value}\`.`];
  t.deepEqual(optimizer({ epsilon: 1e-46 }), received('epsilon', 'a finite number > 0', 1e-46));
  t.deepEqual(optimizer({ epsilon: 1e39 }), received('epsilon', 'a finite number > 0', 1e39));
  for (const key of ['learningRate', 'weightDecay', 'clipvalue', 'clipnorm', 'globalClipnorm', 'adaptiveClip']) {
    t.deepEqual(optimizer({ [key]: 1e-46 }), received(key, '0 or a finite number > 0', 1e-46));
    t.deepEqual(optimizer({ [key]: 1e39 }), received(key, '0 or a finite number > 0', 1e39));
    t.deepEqual(optimizer({ [key]: 0 }), []);
  }
  t.deepEqual(optimizer({ beta1: 1 - 1e-9 }), received('beta1', 'a number >= 0 that is < 1', 1 - 1e-9));
  t.deepEqual(optimizer({ epsilon: 2 ** -149, learningRate: 3.4e38, beta1: 1 - 2 ** -24 }), []);
  t.deepEqual(
    problems(() => parseDataConfig({ format: 'idx', images: 'a', labels: 'b', scale: 1e39 })),
    ['Expected `data.scale` to be a finite number > 0 in float32, got `1e+39`.'],
  );
  t.deepEqual(
    problems(() => parseLayer({ type: 'dense', units: 1, kernelInitializer: { type: 'constant', value: -1e39 } })),
    ['Expected `layer.kernelInitializer.value` to be a finite number in float32, got `-1e+39`.'],
  );
});

test('an evaluation has settings of its own, and may have more shards than rows in a batch', (t) => {
  t.deepEqual(parseEvaluationSettings({ loss: 'meanSquaredError', shards: 8, batchSize: 4 }), {
    loss: 'meanSquaredError',
    metrics: [],
    shards: 8,
    batchSize: 4,
    kernels: 'auto',
  });
  t.deepEqual(
    problems(() => parseEvaluationSettings({ loss: 'meanSquaredError', optimizer: { type: 'sgd' } })),
    ['Unknown key `optimizer` (known: loss, metrics, batchSize, shards, workers, kernels).'],
  );
});

test('the settings of a run keep their rules and their ranges', (t) => {
  t.deepEqual(runProblems({ seed: 2 ** 53 }), ['Expected `seed` to be an integer >= 0, got `9007199254740992`.']);
  t.deepEqual(runProblems({ seed: -1 }), ['Expected `seed` to be an integer >= 0, got `-1`.']);
  t.deepEqual(runProblems({ shuffle: 'no' }), ['Expected `shuffle` to be true or false, got `"no"`.']);
  t.deepEqual(runProblems({ metrics: ['acuracy'] }), [
    'Expected `metrics[0]` to be one of accuracy, sparseCategoricalAccuracy, categoricalAccuracy, binaryAccuracy, topKCategoricalAccuracy, sparseTopKCategoricalAccuracy, precision, recall, auc, meanAbsoluteError, meanSquaredError, or an object like { type: "topKCategoricalAccuracy", k: 3 }, got `"acuracy"`; did you mean `accuracy`?',
  ]);
  t.deepEqual(runProblems({ metrics: ['accuracy', 'accuracy'] }), ['Expected `metrics` to be a list of metrics with different names, got `["accuracy","accuracy"]`.']);
  t.deepEqual(runProblems({ kernels: 'gpu' }), ['Expected `kernels` to be one of auto, wasm, blas, got `"gpu"`.']);
  t.deepEqual(runProblems({ loss: { type: 'meanSquaredError', fromLogits: true } }), ['Unknown key `loss.fromLogits` (known: type).']);
  t.deepEqual(
    problems(() => parseRunSettings({ loss: 'meanSquaredError', optimizer: { type: 'sgd' }, epochs: 0 })),
    ['Expected `epochs` to be an integer >= 1, got `0`.'],
  );
  t.deepEqual(resolveLoss('sparseCategoricalCrossentropy'), { type: 'sparseCategoricalCrossentropy', fromLogits: false });
});

test('data is a file format or a named data set, and the one that is meant is judged', (t) => {
  const data = (value: unknown) => problems(() => parseDataConfig(value, 'data.train'));
  const either = 'an object with a file `format` (idx, npy, npz, csv, jsonl, parquet, images) or the name of a `dataset` (mnist, fashionMnist)';
  t.deepEqual(data({}), [`Expected \`data.train\` to be ${either}, got \`{}\`.`]);
  t.deepEqual(data('mnist'), [`Expected \`data.train\` to be ${either}, got \`"mnist"\`.`]);
  t.deepEqual(data({ format: 'idx', images: 5, scale: 0 }), [
    'Expected `data.train.images` to be a text of at least one character, got `5`.',
    'Expected `data.train.labels` to be a text of at least one character, got nothing; add it.',
    'Expected `data.train.scale` to be a finite number > 0 in float32, got `0`.',
  ]);
  t.deepEqual(data({ dataset: 'mnst', split: 'train' }), [
    'Expected `data.train.dataset` to be a known data set (mnist, fashionMnist), got `"mnst"`; did you mean `mnist`?',
  ]);
  t.deepEqual(data({ dataset: 'fashionMnist', split: 'validation' }), ['Expected `data.train.split` to be one of train, test, got `"validation"`.']);
  t.deepEqual(parseDataConfig({ format: 'idx', images: 'a', labels: 'b' }), { format: 'idx', images: 'a', labels: 'b', scale: 1, streaming: false });
});

/** Values near to a config: its own words and keys, mixed with anything JSON can hold. */
const keys = [
  'type',
  'layers',
  'model',
  'data',
  'train',
  'units',
  'axis',
  'activation',
  'alpha',
  'targetShape',
  'format',
  'dataset',
  'images',
  'optimizer',
  'loss',
  'name',
  'inputShape',
  'clipnorm',
  'clipvalue',
  'adaptiveClip',
  'clipPercentile',
  'clipHistory',
  'metrics',
  'kernelInitializer',
  'batchSize',
  'shards',
  '__proto__',
  'constructor',
];
const names = [
  'dense',
  'batchNormalization',
  'reshape',
  'activation',
  'masking',
  'flatten',
  'dropout',
  'relu',
  'elu',
  'leakyReLU',
  'constant',
  'randomNormal',
  'sgd',
  'adamw',
  'idx',
  'mnist',
  'meanSquaredError',
  'accuracy',
];
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(fc.constantFrom(...names), fc.jsonValue({ maxDepth: 1 }), fc.integer(), fc.constant(null), fc.string()),
    fc.array(tie('tree'), { maxLength: 4 }),
    fc
      .array(fc.tuple(fc.oneof(fc.constantFrom(...keys), fc.string()), tie('tree')), { maxLength: 6 })
      .map((entries) => JSON.parse(JSON.stringify(Object.fromEntries(entries))) as unknown),
  ),
}));
const typed = (type: string) =>
  fc.tuple(fc.constant(type), tree).map(([name, value]) => (typeof value === 'object' ? { ...value, type: name } : { type: name, x: value }));

test('any JSON parses or is refused with sentences, never with another exception', (t) => {
  const layer = fc.oneof(tree, ...names.slice(0, 6).map(typed));
  const run = fc.record({
    model: fc.oneof(tree, fc.record({ layers: fc.array(layer) })),
    data: fc.oneof(tree, fc.record({ train: tree })),
    loss: tree,
    optimizer: fc.oneof(tree, typed('sgd')),
  });
  const parsers = [parseRunConfig, parseRunSettings, parseModelConfig, parseLayer, parseOptimizer, parseDataConfig];
  fc.assert(
    fc.property(fc.constantFrom(...parsers), fc.oneof(layer, run, fc.jsonValue()), (parse, value) => {
      return problems(() => parse(value)).every((line) => /^(Expected|Unknown key) `.*[.?]$/u.test(line) && !line.includes('[object Object]'));
    }),
    { numRuns: 3000 },
  );
  t.pass();
});

test('the JSON Schema knows the keys of a run and which are required', (t) => {
  const schema = JSON.parse(JSON.stringify(runConfigJsonSchema())) as {
    required: string[];
    additionalProperties: boolean;
    properties: { batchSize: object; metrics: object };
  };
  t.deepEqual(schema.required, ['model', 'data', 'loss', 'optimizer']);
  t.false(schema.additionalProperties);
  t.like(schema.properties.batchSize, { type: 'integer', minimum: 1, default: 32, description: 'Rows of the global batch, over all workers.' });
  t.true(JSON.stringify(schema).includes('"batchNormalization"'));
});

test('a config may name its schema, which is no part of the run', (t) => {
  t.deepEqual(parseRunConfig({ $schema: './lockstep.schema.json', ...least }), parseRunConfig(least));
  t.regex(problems(() => parseRunConfig({ $schema: 5, ...least }))[0]!, /^Unknown key `\$schema`/);
});

test('a file format has its keys, and rows have classes or values to predict', (t) => {
  const csv = { format: 'csv', file: 'x.csv' };
  t.deepEqual(parseDataConfig({ ...csv, label: 'y' }), { ...csv, label: 'y', header: true, delimiter: ',', scale: 1, streaming: false });
  t.deepEqual(parseDataConfig({ format: 'npz', file: 'x.npz' }), { format: 'npz', file: 'x.npz', inputs: 'x', labels: 'y', scale: 1, streaming: false });
  t.deepEqual(parseDataConfig({ format: 'images', folder: 'x', size: [2, 3] }), {
    format: 'images',
    folder: 'x',
    size: [2, 3],
    channels: 3,
    scale: 255,
    streaming: false,
  });
  const refused = (value: object) => problems(() => parseDataConfig(value));
  t.deepEqual(refused({ ...csv, label: 'y', streaming: 'yes' }), ['Expected `data.streaming` to be true or false, got `"yes"`.']);
  t.deepEqual(refused(csv), ['Expected `data.label` to be what holds the classes, unless `target` names values, got nothing; add it.']);
  t.deepEqual(refused({ ...csv, label: 'a', target: 'b' }), ['Expected `data.target` to be absent where `label` names classes, got `"b"`.']);
  t.deepEqual(refused({ ...csv, label: -1 }), ['Expected `data.label` to be an integer >= 0, got `-1`.']);
  for (const delimiter of ['', ',,', '"', '\n', '1', '.', 'e', '\u00e9']) {
    t.regex(
      refused({ ...csv, label: 'a', delimiter })[0]!,
      /^Expected `data\.delimiter` to be a tab, a space or an ASCII sign that is no part of numbers or quotes, got /,
    );
  }
  t.regex(refused({ format: 'images', folder: 'x', size: [2] })[0]!, /^Expected `data\.size` to be the height and width in pixels: \[height, width\], got `\[2\]`\.$/);
  t.deepEqual(refused({ ...csv, label: 'a', normalize: 'zscore' }), ['Expected `data.normalize` to be one of standard, minMax, got `"zscore"`.']);
});

test('rows for validation come from one place', (t) => {
  const data = { ...least.data, validation: least.data.train };
  t.deepEqual(
    problems(() => parseRunConfig({ ...least, data, validationSplit: 0.1 })),
    ['Expected `validationSplit` to be absent where there is `data.validation`, got `0.1`.'],
  );
  t.deepEqual(
    problems(() => parseRunConfig({ ...least, stratify: true })),
    ['Expected `stratify` to be false without `validationSplit`, got `true`.'],
  );
  for (const validationSplit of [0, 1, -0.5, '0.1']) {
    t.regex(problems(() => parseRunConfig({ ...least, validationSplit }))[0]!, /^Expected `validationSplit` to be a number > 0 and < 1, got /);
  }
  t.like(parseRunConfig({ ...least, validationSplit: 0.2, stratify: true }), { validationSplit: 0.2, stratify: true });
});
