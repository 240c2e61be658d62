/**
 * Room: tests of equivalence. Runs drawn from everything that a config can say: their bits do not depend on the number of workers. `PROPERTY_RUNS` says how many
 * are drawn.
 */
import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { layerNames } from '../../src/config/layer-names.ts';
import type { LayerConfigInput } from '../../src/config/layers.ts';
import type { OptimizerConfigInput } from '../../src/config/optimizers.ts';
import type { TrainOptions } from '../../src/local/train.ts';
import { sequential } from '../../src/model/model.ts';
import { classified, numbers, trace } from '../toy.ts';

const runs = Number(process.env['PROPERTY_RUNS'] ?? 25);
const [rows, features, classes] = [47, 8, 3];

const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 });
const activation = fc.constantFrom('linear', 'relu', 'elu', 'selu', 'gelu', 'swish', 'softplus', 'tanh', 'sigmoid', 'softmax');
const initializer = fc.constantFrom('heNormal', 'glorotUniform', 'leCunNormal', 'truncatedNormal', 'orthogonal');
const regularizer = maybe(fc.constantFrom('l1', 'l2', 'l1l2', { type: 'l2', l2: 0.001 } as const));
const constraint = maybe(
  fc.constantFrom('maxNorm', 'unitNorm', 'nonNeg', { type: 'minMaxNorm', rate: 0.5 } as const, { type: 'maxNorm', maxValue: 0.5, axis: 1 } as const),
);
const affine = { center: fc.boolean(), scale: fc.boolean(), gammaRegularizer: regularizer, betaConstraint: constraint };

const hidden = fc.oneof(
  fc.record({
    type: fc.constant('dense'),
    units: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constant(features)),
    activation,
    useBias: fc.boolean(),
    kernelInitializer: initializer,
    kernelRegularizer: regularizer,
    biasRegularizer: regularizer,
    activityRegularizer: regularizer,
    kernelConstraint: constraint,
    biasConstraint: constraint,
  }),
  fc.record({ type: fc.constant('batchNormalization'), momentum: fc.constantFrom(0.9, 0.99), synchronized: fc.boolean(), ...affine }),
  fc.record({ type: fc.constant('layerNormalization'), ...affine }),
  fc.record({ type: fc.constant('activation'), activation, activityRegularizer: regularizer }),
  fc.record({ type: fc.constantFrom('dropout', 'alphaDropout'), rate: fc.constantFrom(0.1, 0.5) }),
  fc.record({ type: fc.constant('gaussianNoise'), stddev: fc.constant(0.1) }),
  fc.record({ type: fc.constant('scalarAffine'), center: fc.boolean(), scale: fc.boolean() }),
);

const alone = (hidden as fc.Arbitrary<LayerConfigInput>).map((layer): LayerConfigInput[] => [layer]);
/** Numbers taken for an image, of another size, and as a list again. */
const image = fc
  .record({
    height: fc.integer({ min: 1, max: 9 }),
    width: fc.integer({ min: 1, max: 3 }),
    interpolation: fc.constantFrom('bilinear', 'nearest'),
    channels: fc.boolean(),
  })
  .map(({ channels, ...size }): LayerConfigInput[] => [
    { type: 'reshape', targetShape: channels ? [-1, 1, 1] : [-1, 1] },
    { type: 'resizing', ...size },
    { type: 'flatten' },
  ]);
/** Numbers taken for steps of one feature, of which those that are not above 0 are masked. */
const masked = fc
  .record({ momentum: fc.constantFrom(0.9, 0.99), synchronized: fc.boolean() })
  .map((normalization): LayerConfigInput[] => [
    { type: 'activation', activation: 'relu' },
    { type: 'reshape', targetShape: [-1, 1] },
    { type: 'masking' },
    { type: 'batchNormalization', ...normalization },
    { type: 'flatten' },
  ]);

/** Layers, and which earlier outputs of their width are added to those of the last. */
const block = fc.record({ part: fc.oneof({ weight: 6, arbitrary: alone }, image, masked), adds: fc.array(fc.nat(9), { maxLength: 2 }) });

/** How many numbers a list has behind a layer; NaN for images and steps, to which nothing is added. */
function widthAfter(layer: LayerConfigInput, before: LayerConfigInput | undefined, widths: readonly number[]): number {
  if (layer.type === 'dense') return layer.units;
  if (layer.type === 'reshape' || layer.type === 'resizing') return Number.NaN;
  if (layer.type !== 'flatten') return widths.at(-1)!;
  return before?.type === 'resizing' ? before.height * before.width : widths.findLast((width) => !Number.isNaN(width))!;
}

/** The layers of `blocks` one after the other, with the additions between them. */
function chainOf(blocks: readonly { readonly part: readonly LayerConfigInput[]; readonly adds: readonly number[] }[]): LayerConfigInput[] {
  const chain: LayerConfigInput[] = [];
  const widths = [features];
  for (const { part, adds } of blocks) {
    for (const layer of part) {
      widths.push(widthAfter(layer, chain.at(-1), widths));
      chain.push(plain(layer));
    }
    const width = widths.at(-1)!;
    const sources = ['@input', ...layerNames(chain)].filter((_, i) => widths[i] === width);
    const from = [...new Set(adds.map((add) => sources[add % sources.length]!))];
    if (from.length === 0) continue;
    chain.push({ type: 'add', from });
    widths.push(width);
  }
  return chain;
}

const learningRate = fc.oneof(
  fc.constantFrom(0.001, 0.01),
  fc.record({ type: fc.constant('cosineDecay'), initialLearningRate: fc.constant(0.01), decaySteps: fc.constant(5), warmupSteps: fc.constantFrom(1, 2) }),
  fc.record({
    type: fc.constant('exponentialDecay'),
    initialLearningRate: fc.constant(0.01),
    decaySteps: fc.constant(3),
    decayRate: fc.constant(0.5),
    staircase: fc.boolean(),
  }),
  fc.record({ type: fc.constant('oneCycle'), maxLearningRate: fc.constant(0.01), totalSteps: fc.constant(10) }),
);
const optimizer = fc
  .record({
    type: fc.constantFrom('sgd', 'adam', 'adamw', 'rmsprop', 'adagrad', 'adadelta', 'adamax', 'nadam', 'lion', 'lars', 'lamb'),
    learningRate,
    weightDecay: maybe(fc.constant(0.01)),
    useEma: fc.boolean(),
    clipper: fc.constantFrom(
      {},
      { clipvalue: 0.01 },
      { clipnorm: 0.1 },
      { globalClipnorm: 0.1 },
      { adaptiveClip: 0.01 },
      { adaptiveClip: 0.1, adaptiveClipEpsilon: 0.1 },
      { clipPercentile: 10 },
      { clipPercentile: 50, clipHistory: 3 },
    ),
  })
  .map(({ clipper, ...options }) => ({ ...options, ...clipper }) as OptimizerConfigInput);

/** What is learnt: by name, so that a run that fails is told in a few lines. */
const goal = fc.oneof(
  fc.record({
    kind: fc.constant('values' as const),
    loss: fc.constantFrom('meanSquaredError', 'meanAbsoluteError', { type: 'huber', delta: 0.5 }, 'hinge', 'binaryCrossentropy'),
    metrics: fc.constantFrom<TrainOptions['metrics']>([], ['meanAbsoluteError']),
    weighted: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('classes' as const),
    loss: fc.constant('sparseCategoricalCrossentropy'),
    metrics: fc.constantFrom<TrainOptions['metrics']>([], ['accuracy'], ['accuracy', { type: 'sparseTopKCategoricalAccuracy', k: 2 }]),
    weighted: fc.boolean(),
  }),
);

const weights = { sampleWeights: Float32Array.from(numbers(rows, 9), (value) => Math.max(0, value + 0.3)) };
const sets = {
  values: { x: numbers(rows * features, 1), y: numbers(rows * 2, 2).map(Math.abs), inputShape: [features], targetShape: [2] },
  classes: classified(rows, [features], classes),
} as const;
const ends = { values: { type: 'dense', units: 2, activation: 'sigmoid' }, classes: { type: 'dense', units: classes, activation: 'softmax' } } as const;

/** Where the rows for validation come from, and what is done to all rows. */
const preparation = fc.record({ split: fc.constantFrom(undefined, 0.2, 0.4), stratify: fc.boolean(), normalize: maybe(fc.constantFrom('standard', 'minMax')) });

/** Layers by number that learn nothing, some only until the second epoch. */
const freeze = fc.array(fc.record({ layer: fc.nat(3), until: fc.constantFrom(undefined, 1, 2) }), { maxLength: 2 });

const run = fc.record({
  blocks: fc.array(block, { minLength: 1, maxLength: 4 }),
  goal,
  optimizer,
  batchSize: fc.integer({ min: 7, max: 24 }),
  gradientAccumulationSteps: fc.constantFrom(1, 1, 2, 3),
  shards: fc.integer({ min: 1, max: 7 }),
  seed: fc.nat(1000),
  shuffle: fc.boolean(),
  dropRemainder: fc.boolean(),
  preparation,
  freeze,
  reduceLROnPlateau: maybe(fc.constant({ monitor: 'loss', patience: 0, factor: 0.5 } as const)),
  classWeight: maybe(fc.constant({ 1: 2.5 })),
});

/** Options that are absent rather than undefined. */
const plain = (layer: LayerConfigInput): LayerConfigInput =>
  Object.fromEntries(Object.entries(layer).filter(([, value]) => value !== undefined)) as unknown as LayerConfigInput;

test('a run has the same bits with 1, 2, 3 and 5 workers, whatever it is made of', async (t) => {
  t.timeout(900_000);
  await fc.assert(
    fc.asyncProperty(
      run,
      async ({ blocks, goal: { kind, weighted, loss, metrics }, preparation: { split, stratify, normalize }, classWeight, freeze: frozen, ...options }) => {
        const set = { ...sets[kind], ...(weighted && weights) };
        const data = { train: { ...set, normalize }, ...(split === undefined && { validation: set }) };
        const isOfClasses = kind === 'classes';
        const parts = { validationSplit: split, ...(split !== undefined && { stratify: stratify && isOfClasses }), ...(isOfClasses && { classWeight }) };
        const common = { data, ...parts, loss, metrics, onNonFinite: 'skip', steps: 7, kernels: 'wasm' };
        const layers = chainOf(blocks);
        // The last layer always learns.
        const names = layerNames(layers);
        const freeze = frozen.flatMap(({ layer, until }) => (layer < names.length ? [{ layers: names[layer]!, until }] : []));
        // Some batches are larger than the data that a split leaves.
        const dropRemainder = options.dropRemainder && options.batchSize * options.gradientAccumulationSteps <= 20;
        const result = (workers: number) =>
          trace({
            ...common,
            ...options,
            dropRemainder,
            freeze: freeze.length > 0 ? freeze : undefined,
            model: sequential([...layers, ends[kind]]),
            workers,
          } as TrainOptions);
        const expected = await result(1);
        // A difference that is thrown is made small first.
        for (const workers of [2, 3, 5]) assert.deepEqual(await result(workers), expected, `${workers} workers`);
      },
    ),
    { numRuns: runs, includeErrorInReport: true, seed: Number(process.env['PROPERTY_SEED'] ?? 1) },
  );
  t.pass();
});
