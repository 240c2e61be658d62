/** Room: tests of local. Fingerprints: the same for the same arithmetic, another for any other. */
import test from 'ava';
import { parseModelConfig } from '../../src/config/parse.ts';
import { loadBlas } from '../../src/kernels/blas.ts';
import { type Kernels, kernelScratchBytes } from '../../src/kernels/contract.ts';
import { createReferenceKernels } from '../../src/kernels/reference.ts';
import { selectKernels } from '../../src/kernels/select.ts';
import { createWasmKernels } from '../../src/kernels/wasm.ts';
import { modelHash, numericFingerprint, probe } from '../../src/local/fingerprint.ts';
import { Arena } from '../../src/memory/arena.ts';

const blas = loadBlas();
const wasm = selectKernels('wasm');
const start = 64 + kernelScratchBytes;
const arena = Arena.create(start + 2 ** 22);
const kernels = createWasmKernels(wasm.module, arena, 64);
const expected = numericFingerprint(wasm);

test('the wasm kernels have the fingerprint that they have on every machine', (t) => {
  t.is(expected, numericFingerprint(wasm));
  // Changes only with the bits that kernels give: runs before and after such a change differ.
  t.is(expected, '0b5f3493f4034315a8b055d9233597ff144d2aea7a06c32db5cc6e7dbc07b809');
});

test('a fingerprint does not depend on the place of the probe or on what was there', (t) => {
  const larger = Arena.create(start + 2 ** 23);
  larger.u8.fill(0x5a);
  t.is(probe(createWasmKernels(wasm.module, larger, 64), larger, start + 64 * 1001), expected);
});

(blas.ok ? test : test.skip)('BLAS has a fingerprint of its own', (t) => {
  const fingerprint = numericFingerprint(selectKernels('blas'));
  t.is(numericFingerprint(selectKernels('blas')), fingerprint);
  t.not(fingerprint, expected);
});

/** The kernels, of which the first call of one flips the lowest bit of the last byte but three that it wrote. */
function perturbed(name: string): Kernels {
  let done = false;
  const kernel = kernels[name as 'add'] as (...values: number[]) => void;
  const wrapped = (...values: number[]) => {
    const before = done ? undefined : arena.u8.slice(start);
    kernel(...values);
    if (!before) return;
    let last = before.length - 1;
    while (last >= 0 && before[last] === arena.u8[start + last]) last--;
    arena.u8[start + last]! ^= 1;
    done = last >= 0;
  };
  return { ...kernels, [name]: wrapped };
}

for (const name of Object.keys(createReferenceKernels(arena)).filter((key) => key !== 'set')) {
  test(`a flipped bit in what ${name} writes is noticed`, (t) => {
    t.not(probe(perturbed(name), arena, start), expected);
  });
}

test('every number of the probe is finite, as the bits of NaN may differ between machines', (t) => {
  const watched = Object.fromEntries(
    Object.entries(kernels).map(([name, kernel]) => [
      name,
      typeof kernel !== 'function'
        ? kernel
        : (...values: number[]) => {
            (kernel as (...all: number[]) => void)(...values);
            if (name === 'gemm') return;
            t.false(arena.f32.subarray(start >>> 2).includes(Number.NaN), name);
          },
    ]),
  ) as unknown as Kernels;
  arena.u8.fill(0, start);
  t.is(probe(watched, arena, start), expected);
});

const model = parseModelConfig({
  layers: [{ type: 'dense', units: 3, activation: 'elu' }, { type: 'batchNormalization' }, { type: 'dense', units: 2, activation: 'softmax' }],
});
const spec = { model, inputShape: [5], loss: 'sparseCategoricalCrossentropy' } as const;

test('a model has one hash, whatever the order of its keys', (t) => {
  const reversed = JSON.parse(JSON.stringify(model), (_, value) => (value?.constructor === Object ? Object.fromEntries(Object.entries(value).reverse()) : value));
  t.notDeepEqual(JSON.stringify(reversed), JSON.stringify(model));
  t.is(modelHash({ ...spec, model: reversed }), modelHash(spec));
  t.regex(modelHash(spec), /^[0-9a-f]{64}$/);
});

test('what changes the function changes the hash of the model', (t) => {
  const layer = (index: number, part: object) => ({ ...model, layers: model.layers.map((config, i) => (i === index ? { ...config, ...part } : config)) }) as typeof model;
  const hashes = [
    spec,
    { ...spec, inputShape: [6] },
    { ...spec, loss: 'meanSquaredError' } as const,
    { ...spec, model: layer(0, { units: 4 }) },
    { ...spec, model: layer(0, { activation: 'selu' }) },
    { ...spec, model: layer(0, { useBias: false }) },
    { ...spec, model: layer(1, { epsilon: 1e-5 }) },
    { ...spec, model: layer(2, { name: 'logits' }) },
    { model, inputShape: [5] },
  ].map(modelHash);
  t.is(new Set(hashes).size, hashes.length);
});
