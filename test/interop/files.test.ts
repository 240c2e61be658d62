/**
 * Room: tests of interop. Formats by the endings of names, weights by the names of layers, and files that cannot be trusted.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { isLockstepError } from '../../src/errors.ts';
import { loadLayers, loadModel, loadWeights, saveModel } from '../../src/interop/files.ts';
import { layers } from '../../src/layers/factories.ts';
import { train } from '../../src/local/train.ts';
import { type Model, sequential } from '../../src/model/model.ts';
import { optimizers } from '../../src/optimizers/factories.ts';
import { classified } from '../toy.ts';

const folder = mkdtempSync(join(tmpdir(), 'lockstep-files-'));
test.after.always(() => rmSync(folder, { recursive: true }));

let made = 0;
function fresh(): string {
  return join(folder, String(made++));
}

function tiny(units = 3): Model {
  const model = sequential([
    layers.dense({ name: 'hidden', units: 5, activation: 'relu', inputShape: [4] }),
    layers.dense({ name: 'out', units, activation: 'softmax' }),
  ]);
  model.initialize(9);
  return model;
}

test('a folder, a model.json and a name without an ending are the same place', async (t) => {
  const model = tiny();
  const place = fresh();
  await saveModel(model, place);
  t.deepEqual(readdirSync(place).toSorted(), ['group1-shard1of1.bin', 'model.json']);
  await saveModel(model, join(place, 'model.json'));
  for (const path of [place, `${place}/`, join(place, 'model.json')]) t.is((await loadModel(path)).weightsSha256, model.weightsSha256, path);
});

test('our own format goes through the same door', async (t) => {
  const model = tiny();
  const path = `${fresh()}.safetensors`;
  await saveModel(model, path);
  const again = await loadModel(path);
  t.deepEqual(again.toConfig(), model.toConfig());
  t.is(again.weightsSha256, model.weightsSha256);
});

test('other endings are refused with those that there are', async (t) => {
  await t.throwsAsync(loadModel('model.pb'), {
    code: 'LOCKSTEP_USAGE',
    message: 'Expected a model file with one of the endings .safetensors, .json, .keras, .h5, got `model.pb`; choose one of them.',
  });
  await t.throwsAsync(saveModel(tiny(), 'model.keras'), {
    code: 'LOCKSTEP_USAGE',
    message: 'Expected to write a model as a folder or with one of the endings .safetensors, .json, .onnx, got `model.keras`; choose one of them.',
  });
  for (const ending of ['.safetensors', '.keras', '/model.json']) {
    await t.throwsAsync(loadModel(join(folder, `none${ending}`)), { code: 'LOCKSTEP_FILE', message: /but there is none/ }, ending);
  }
  const file = `${fresh()}.txt`;
  writeFileSync(file, '');
  await t.throwsAsync(saveModel(tiny(), join(file, 'model.json')), { code: 'LOCKSTEP_FILE' });
});

test('a model without weights is not written', async (t) => {
  const model = sequential([layers.dense({ units: 2, inputShape: [2] })]);
  for (const ending of ['', '.onnx', '.safetensors']) await t.throwsAsync(saveModel(model, `${fresh()}${ending}`), { code: 'LOCKSTEP_USAGE' }, ending);
});

test('weights come by name into a model that is there', async (t) => {
  const place = fresh();
  const weights = `${fresh()}.safetensors`;
  const trained = tiny();
  await saveModel(trained, place);
  await trained.save(weights);
  for (const path of [place, join(place, 'model.json'), weights]) {
    const model = tiny();
    model.initialize(1);
    await loadWeights(model, path);
    t.is(model.weightsSha256, trained.weightsSha256, path);
  }
  await t.throwsAsync(loadWeights(tiny(4), place), { code: 'LOCKSTEP_WEIGHTS', message: /`out\/kernel` .* the shape/ });
});

test('a run begins from the weights of another library', async (t) => {
  const place = fresh();
  const trained = tiny();
  await saveModel(trained, place);
  const run = (model: Model, init?: string): Promise<{ readonly weightsSha256: string }> => {
    const settings = { optimizer: optimizers.sgd(), loss: 'sparseCategoricalCrossentropy', steps: 2, kernels: 'wasm', workers: 1, shards: 1 } as const;
    return train({ model, data: { train: classified(32, [4], 3) }, ...settings, ...(init !== undefined && { init }) });
  };
  const other = tiny();
  other.initialize(1);
  t.is((await run(other, place)).weightsSha256, (await run(trained)).weightsSha256);
});

interface Manifest {
  weightsManifest: { paths: unknown[]; weights: Record<string, unknown>[] }[];
  modelTopology: { config: { layers: Record<string, unknown>[] } };
  format: unknown;
}

/** A written model after `change` to its model.json, or to its weights. */
async function changed(change: (json: Manifest, place: string) => void): Promise<string> {
  const place = fresh();
  await saveModel(tiny(), place);
  const path = join(place, 'model.json');
  const json = JSON.parse(readFileSync(path, 'utf8')) as Manifest;
  change(json, place);
  writeFileSync(path, JSON.stringify(json));
  return path;
}

const shard = 'group1-shard1of1.bin';

test('a shard may lie in a folder of its own, and in pieces', async (t) => {
  const path = await changed(({ weightsManifest: [group] }, place) => {
    const bytes = readFileSync(join(place, shard));
    mkdirSync(join(place, 'parts'));
    writeFileSync(join(place, 'parts', 'a.bin'), bytes.subarray(0, 7));
    writeFileSync(join(place, 'parts', 'b.bin'), bytes.subarray(7));
    group!.paths = ['parts/a.bin', 'parts/b.bin'];
  });
  t.is((await loadModel(path)).weightsSha256, tiny().weightsSha256);
});

test('files that lie, are cut or point elsewhere are refused', async (t) => {
  // What the paths lead to is there: it is not refused because it is missing.
  writeFileSync(join(folder, shard), new Uint8Array(172));
  const group = (json: Manifest) => json.weightsManifest[0]!;
  const cases: Readonly<Record<string, readonly [change: (json: Manifest, place: string) => void, code: string, message: RegExp]>> = {
    'a truncated shard': [(_, place) => truncateSync(join(place, shard), 100), 'LOCKSTEP_FILE', /be 172 bytes in 1 files, .* got 100 bytes/],
    'a missing shard': [(_, place) => rmSync(join(place, shard)), 'LOCKSTEP_FILE', /there is none/],
    'a path upwards': [(json) => (group(json).paths = [`../${shard}`]), 'LOCKSTEP_FILE', /in the folder of the model/],
    'a path upwards from within': [(json) => (group(json).paths = [`a/../../${shard}`]), 'LOCKSTEP_FILE', /in the folder of the model/],
    'an absolute path': [(json) => (group(json).paths = ['/etc/passwd']), 'LOCKSTEP_FILE', /in the folder of the model/],
    'a path of Windows': [(json) => (group(json).paths = [`..\\${shard}`]), 'LOCKSTEP_FILE', /in the folder of the model/],
    'a URL': [(json) => (group(json).paths = ['file:///etc/passwd']), 'LOCKSTEP_FILE', /in the folder of the model/],
    'a path that is no text': [(json) => (group(json).paths = [5]), 'LOCKSTEP_FILE', /in the folder of the model/],
    'a huge shape': [(json) => (group(json).weights[0]!['shape'] = [2 ** 40, 2 ** 40]), 'LOCKSTEP_FILE', /`name` and a `shape`/],
    'a negative shape': [(json) => (group(json).weights[0]!['shape'] = [-4, 5]), 'LOCKSTEP_FILE', /`name` and a `shape`/],
    'another shape': [(json) => (group(json).weights[0]!['shape'] = [5, 4]), 'LOCKSTEP_WEIGHTS', /the shape/],
    'a weight twice': [(json) => (group(json).weights[1] = { ...group(json).weights[0], shape: [5] }), 'LOCKSTEP_FILE', /once/],
    'a weight of no layer': [(json) => (group(json).weights[1]!['name'] = 'other/bias'), 'LOCKSTEP_WEIGHTS', /`hidden\/bias`/],
    integers: [(json) => (group(json).weights[0]!['dtype'] = 'int32'), 'LOCKSTEP_CONFIG', /dtype float32, got `"int32"`/],
    'quantized weights': [(json) => (group(json).weights[0]!['quantization'] = { dtype: 'uint8' }), 'LOCKSTEP_CONFIG', /without quantization/],
    'a graph model': [(json) => (json.format = 'graph-model'), 'LOCKSTEP_CONFIG', /be a layers model/],
    'no manifest': [(json) => (json.weightsManifest = undefined as never), 'LOCKSTEP_FILE', /weightsManifest/],
    'no topology': [(json) => (json.modelTopology = undefined as never), 'LOCKSTEP_FILE', /hold the layers of a model/],
    'layers that are none': [(json) => (json.modelTopology.config.layers = [5 as never]), 'LOCKSTEP_FILE', /`class_name` and `config`/],
    'no input shape': [(json) => (json.modelTopology.config.layers[0]!['config'] = { name: 'hidden', units: 5 }), 'LOCKSTEP_CONFIG', /an input shape of known sizes/],
    'units that are none': [(json) => Object.assign(json.modelTopology.config.layers[1]!['config'] as object, { units: -1 }), 'LOCKSTEP_CONFIG', /`out.units`/],
  };
  for (const [what, [change, code, message]] of Object.entries(cases)) await t.throwsAsync(changed(change).then(loadModel), { code, message }, what);
  const other = `${fresh()}.json`;
  writeFileSync(other, '[1]');
  await t.throwsAsync(loadModel(other), { code: 'LOCKSTEP_FILE', message: /be a JSON object/ });
});

/** All places in plain data: keys from the outermost inwards. */
function placesIn(value: unknown, place: readonly string[] = []): (readonly string[])[] {
  const inner = typeof value === 'object' && value !== null ? Object.entries(value).flatMap(([key, item]) => placesIn(item, [...place, key])) : [];
  return place.length === 0 ? inner : [place, ...inner];
}

test('a model.json with anything in any place is read, or refused with a code', async (t) => {
  const place = fresh();
  await saveModel(tiny(), place);
  const path = join(place, 'model.json');
  const whole = readFileSync(path, 'utf8');
  const places = placesIn(JSON.parse(whole));
  const odd = fc.oneof(fc.constantFrom<unknown>({ class_name: 'constructor', config: {} }, '__proto__', [[['a', 0, 0]]], -1, 1e300, ''), fc.jsonValue());
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...places), odd, async (at, value) => {
      const json = JSON.parse(whole) as Record<string, unknown>;
      let holder = json;
      for (const key of at.slice(0, -1)) holder = holder[key] as Record<string, unknown>;
      holder[at.at(-1)!] = value;
      writeFileSync(path, JSON.stringify(json));
      await loadModel(path).catch((error: unknown) => {
        if (!isLockstepError(error)) throw error;
      });
    }),
    { numRuns: 400, seed: 11, includeErrorInReport: true },
  );
  t.true(places.length > 50);
});

/** The layers of `tiny` under other names, and another head. */
const renamed = (units = 3): Model =>
  sequential([layers.dense({ name: 'stem', units: 5, activation: 'relu', inputShape: [4] }), layers.dense({ name: 'head', units, activation: 'softmax' })]);

test('all layers of a file are taken under other names, from a file of any format', async (t) => {
  const model = tiny();
  for (const path of [`${fresh()}.safetensors`, fresh()]) {
    await saveModel(model, path);
    const other = renamed();
    t.deepEqual(await loadLayers(other, path, { names: { hidden: 'stem', out: 'head' } }), {
      loaded: [
        { layer: 'stem', from: 'hidden' },
        { layer: 'head', from: 'out' },
      ],
      kept: [],
      unused: [],
    });
    t.is(other.weightsSha256, model.weightsSha256);
    await t.throwsAsync(loadLayers(renamed(), path, { names: { hidden: 'stem' } }), {
      code: 'LOCKSTEP_WEIGHTS',
      message: /without `head\/kernel`.* with the unknown `out\//,
    });
    await t.throwsAsync(loadLayers(renamed(), path, { names: { hidden: 'stem', out: 'stem' } }), { code: 'LOCKSTEP_WEIGHTS', message: /one layer of `.*` for `stem`/ });
  }
});

test('a run begins with the layers of a file that fit and says so; the others are drawn from its seed', async (t) => {
  const path = `${fresh()}.safetensors`;
  await saveModel(tiny(), path);
  const model = renamed(2);
  let loaded: unknown;
  await train({
    model,
    data: { train: classified(12, [4], 2) },
    loss: 'sparseCategoricalCrossentropy',
    optimizer: optimizers.sgd({ learningRate: 0 }),
    batchSize: 4,
    steps: 1,
    seed: 3,
    workers: 1,
    init: { path, names: { hidden: 'stem', out: 'head' }, partial: true },
    onStart: (start) => {
      loaded = start.loaded;
    },
  });
  t.deepEqual(loaded, {
    loaded: [{ layer: 'stem', from: 'hidden' }],
    kept: [{ layer: 'head', reason: '`out/kernel` has the shape (5, 3), not (5, 2)' }],
    unused: ['out'],
  });
  const drawn = renamed(2);
  drawn.initialize(3);
  t.deepEqual(
    model.getWeights().map(({ data }) => data),
    [...tiny().getWeights().slice(0, 2), ...drawn.getWeights().slice(2)].map(({ data }) => data),
  );
});
