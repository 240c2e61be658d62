/**
 * Room: tests of model. Weights outside the arena: first values, matching by name, the way through an arena, the hash.
 */
import { createHash } from 'node:crypto';
import test from 'ava';
import type { Tensor } from '../../src/checkpoint/safetensors.ts';
import { parseModelConfig } from '../../src/config/parse.ts';
import { layers } from '../../src/layers/factories.ts';
import { Arena } from '../../src/memory/arena.ts';
import { planRun } from '../../src/model/plan.ts';
import { resolveTopology } from '../../src/model/topology.ts';
import { initialWeights, loadWeights, matchWeights, storeWeights, weightsHash } from '../../src/model/weights.ts';

const model = parseModelConfig({ layers: [layers.dense({ units: 2, inputShape: [3] }), layers.batchNormalization()] });
const topology = resolveTopology(model);
const names = [
  'dense/kernel',
  'dense/bias',
  'batch_normalization/gamma',
  'batch_normalization/beta',
  'batch_normalization/moving_mean',
  'batch_normalization/moving_variance',
];

function tensors(changes: Readonly<Record<string, Tensor | undefined>> = {}): Map<string, Tensor> {
  const all = new Map<string, Tensor>(initialWeights(topology, 1).map(({ name, shape, data }) => [name, { shape, data }]));
  for (const [name, tensor] of Object.entries(changes)) {
    if (tensor) all.set(name, tensor);
    else all.delete(name);
  }
  return all;
}

const refusal =
  (changes: Readonly<Record<string, Tensor | undefined>>) =>
  (t: { throws: (act: () => unknown, how: { code: string }) => Error | undefined }): string | undefined =>
    t.throws(() => matchWeights(topology, tensors(changes), '`w.safetensors`'), { code: 'LOCKSTEP_WEIGHTS' })?.message;

test('the hash is SHA-256 over the raw little-endian float32 of all weights in order', (t) => {
  const weights = [
    { name: 'a/kernel', shape: [2], data: Float32Array.of(1, -2) },
    { name: 'a/moving_mean', shape: [1], data: new Float32Array([9, 0.5, 9]).subarray(1, 2) },
  ];
  // 1, -2 and 0.5 as IEEE 754 binary32, least significant byte first.
  const bytes = Buffer.from('0000803f000000c00000003f', 'hex');
  t.is(weightsHash(weights), createHash('sha256').update(bytes).digest('hex'));
  t.is(weightsHash([]), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
});

test('the hash sees every bit and the order', (t) => {
  const [a, b] = [
    { name: 'a', shape: [1], data: Float32Array.of(0) },
    { name: 'b', shape: [1], data: Float32Array.of(1) },
  ];
  t.not(weightsHash([a, b]), weightsHash([b, a]));
  t.not(weightsHash([a]), weightsHash([{ ...a, data: Float32Array.of(-0) }]));
});

test('first values are a function of seed and topology, and differ between weights', (t) => {
  const weights = initialWeights(topology, 7);
  t.deepEqual(
    weights.map(({ name }) => name),
    names,
  );
  t.deepEqual(
    weights.map(({ shape }) => shape),
    [[3, 2], [2], [2], [2], [2], [2]],
  );
  t.is(weightsHash(initialWeights(topology, 7)), weightsHash(weights));
  t.not(weightsHash(initialWeights(topology, 8)), weightsHash(weights));
  const twins = initialWeights(resolveTopology(parseModelConfig({ layers: [layers.dense({ units: 3, inputShape: [3] }), layers.dense({ units: 3 })] })), 7);
  t.notDeepEqual(twins[0]!.data, twins[2]!.data);
});

test('tensors in any order become the weights in model order', (t) => {
  const reversed = new Map([...tensors()].toReversed());
  t.deepEqual(
    matchWeights(topology, reversed, 'x').map(({ name }) => name),
    names,
  );
  t.is(weightsHash(matchWeights(topology, reversed, 'x')), weightsHash(initialWeights(topology, 1)));
});

test('missing and unknown weights are told by name, the first three of each', (t) => {
  const one = { shape: [1], data: new Float32Array(1) };
  const sentence = (what: string): string =>
    `Expected \`w.safetensors\` to hold exactly the weights of the model, got ${what}; it belongs to another model or its layers have other names.`;
  t.is(refusal({ 'dense/bias': undefined })(t), sentence('without `dense/bias`'));
  t.is(refusal({ 'dense_1/bias': one })(t), sentence('with the unknown `dense_1/bias`'));
  t.is(refusal({ 'dense/bias': undefined, 'dense_1/bias': one })(t), sentence('without `dense/bias` and with the unknown `dense_1/bias`'));
  t.is(
    refusal(Object.fromEntries(names.slice(0, 5).map((name) => [name, undefined])))(t),
    sentence('without `dense/kernel`, `dense/bias`, `batch_normalization/gamma` and 2 more'),
  );
});

test('a weight of another shape, or without all its numbers, is refused', (t) => {
  t.is(
    refusal({ 'dense/kernel': { shape: [2, 3], data: new Float32Array(6) } })(t),
    'Expected `dense/kernel` of `w.safetensors` to have the shape (3, 2), got (2, 3); it belongs to another model.',
  );
  t.is(
    refusal({ 'dense/kernel': { shape: [3, 2], data: new Float32Array(7) } })(t),
    'Expected `dense/kernel` of `w.safetensors` to hold the 6 numbers of its shape, got 7; give all of them.',
  );
});

test('weights go into an arena and come back, as copies', (t) => {
  const plan = planRun({ model, inputShape: [3], shards: 1, ranks: 1, batchRows: 1, optimizerSlots: 0 });
  const arena = Arena.create(plan.memory.bytes);
  const weights = initialWeights(topology, 3);
  storeWeights(weights, plan, arena);
  const loaded = loadWeights(topology, plan.weights, arena);
  t.is(weightsHash(loaded), weightsHash(weights));
  arena.f32.fill(0);
  t.is(weightsHash(loaded), weightsHash(weights));
});

test('weights that are not as large as their places are a defect, and none is written', (t) => {
  const plan = planRun({ model, inputShape: [3], shards: 1, ranks: 1, batchRows: 1, optimizerSlots: 0 });
  const arena = Arena.create(plan.memory.bytes);
  const larger = initialWeights(resolveTopology(parseModelConfig({ layers: [layers.dense({ units: 2, inputShape: [9] }), layers.batchNormalization()] })), 3);
  for (const weights of [larger, larger.slice(1), []]) {
    t.throws(() => storeWeights(weights, plan, arena), { code: 'LOCKSTEP_INTERNAL', message: /^Expected weights of 6, 2, 2, 2, 2, 2 numbers for the plan, got / });
  }
  t.true(arena.f32.every((value) => value === 0));
});
