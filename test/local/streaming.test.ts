/**
 * Room: tests of local. Runs whose inputs stay on disk: the same bits, epochs and evaluations as in memory, whatever the number of
 * workers and whatever befalls them; a ring in the arena in the place of the data; and an end with a reason when a file is lost.
 */
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { serve } from '../../cluster/serve.ts';
import type { DataConfigInput } from '../../src/config/data.ts';
import { parseDataConfig } from '../../src/config/parse.ts';
import { encodeNpy } from '../../src/data/npy.ts';
import type { DataSource } from '../../src/data/source.ts';
import { layers } from '../../src/layers/factories.ts';
import { evaluate } from '../../src/local/evaluate.ts';
import { openInput } from '../../src/local/inputs.ts';
import { predict } from '../../src/local/predict.ts';
import { type RunStart, type TrainOptions, train } from '../../src/local/train.ts';
import { sequential } from '../../src/model/model.ts';
import { idxBytes, rejection, temporaryFolder } from '../data/folder.ts';
import { numbers, trace, within } from '../toy.ts';

const file = temporaryFolder();
const rows = 203;
const labels = Array.from({ length: rows }, (_, row) => (row * 7 + Math.floor(row / 9)) % 3);
const idx: DataConfigInput = {
  format: 'idx',
  images: file(
    'x.idx',
    idxBytes(
      [rows, 4, 4],
      Array.from(numbers(16 * rows, 1), (value, i) => 40 * labels[Math.floor(i / 16)]! + 60 + 60 * value),
    ),
  ),
  labels: file('y.idx', idxBytes([rows], labels)),
  scale: 255,
};
const csv: DataConfigInput = {
  format: 'csv',
  file: file('x.csv', `a,b,kind,y,w\n${labels.map((label, row) => `${row % 13},${(row * 5) % 7},${['x', 'y'][row % 2]},${label},${(row % 4) / 2}`).join('\n')}\n`),
  label: 'y',
  sampleWeights: 'w',
};

function run(data: DataConfigInput, streaming: boolean, options: Partial<TrainOptions> = {}): TrainOptions {
  return {
    model: sequential([
      layers.flatten(),
      layers.batchNormalization(),
      layers.dense({ units: 20, activation: 'relu' }),
      layers.dropout({ rate: 0.2 }),
      layers.dense({ units: 3, activation: 'softmax' }),
    ]),
    data: { train: { ...data, streaming } },
    loss: 'sparseCategoricalCrossentropy',
    optimizer: { type: 'adam', globalClipnorm: 0.5 },
    batchSize: 20,
    epochs: 3,
    seed: 5,
    kernels: 'wasm',
    shards: 6,
    workers: 2,
    ...options,
  };
}

const cases: Record<string, readonly [DataConfigInput, () => Partial<TrainOptions>]> = {
  'bytes in place': [idx, () => ({})],
  'bytes without shuffle, the last batch dropped': [idx, () => ({ shuffle: false, dropRemainder: true })],
  'a stratified split of normalised bytes': [{ ...idx, normalize: 'standard' }, () => ({ validationSplit: 0.2, stratify: true, validationBatchSize: 7 })],
  'batches in parts': [
    idx,
    () => ({
      model: sequential([layers.flatten(), layers.dense({ units: 9, activation: 'relu' }), layers.dense({ units: 3, activation: 'softmax' })]),
      batchSize: 10,
      gradientAccumulationSteps: 3,
      validationSplit: 0.2,
    }),
  ],
  'weighted rows with texts': [csv, () => ({ validationSplit: 0.25, classWeight: { 1: 3 } })],
};

for (const [name, [data, options]] of Object.entries(cases)) {
  test.serial(`${name}: the bits of the run in memory, for any number of workers`, async (t) => {
    const expected = await trace(run(data, false, options()));
    for (const workers of [1, 2, 3, 5]) t.deepEqual(await trace(run(data, true, { ...options(), workers })), expected, `${workers} workers`);
  });
}

test.serial('a data set that is smaller than a batch, or than the ring', async (t) => {
  for (const limit of [3, 41]) {
    const data = { ...idx, limit } as DataConfigInput;
    t.deepEqual(await trace(run(data, true, { shards: 3 })), await trace(run(data, false, { shards: 3 })));
  }
});

test.serial('training from disk, validation from memory, and the other way round', async (t) => {
  const sets = (first: boolean, second: boolean): Partial<TrainOptions> => ({
    data: { train: { ...idx, streaming: first }, validation: { ...idx, limit: 90, streaming: second } as DataConfigInput },
  });
  const expected = await trace(run(idx, false, sets(false, false)));
  t.deepEqual(await trace(run(idx, true, sets(true, false))), expected);
  t.deepEqual(await trace(run(idx, true, sets(false, true))), expected);
});

test.serial('a run goes on from a checkpoint, on disk or in memory, to the same bits', async (t) => {
  const data = { ...idx, normalize: 'standard' } as DataConfigInput;
  const expected = await trace(run(data, false, { validationSplit: 0.2 }));
  for (const [first, second] of [
    [true, true],
    [false, true],
    [true, false],
  ] as const) {
    const runDir = mkdtempSync(join(tmpdir(), 'lockstep-streaming-'));
    t.teardown(() => rmSync(runDir, { recursive: true, force: true }));
    await train(run(data, first, { validationSplit: 0.2, steps: 11, checkpoints: { runDir } }));
    const rest = await trace(run(data, second, { validationSplit: 0.2, workers: 3, checkpoints: { runDir, resume: true } }));
    t.is(rest.weightsSha256, expected.weightsSha256);
    t.deepEqual(rest.epochs, expected.epochs.slice(1));
  }
});

test.serial('a rank that dies in a step or in an evaluation costs no bit', async (t) => {
  const options = { validationSplit: 0.2 };
  const expected = await trace(run(idx, false, options));
  for (const fault of [
    { rank: 0, step: 5, phase: 'data', kind: 'throw' },
    { rank: 1, step: 12, phase: 'optimizer', kind: 'exit' },
    { rank: 1, step: 7, layer: 2, kind: 'throw' },
    { rank: 0, step: -1, phase: 'data', kind: 'exit' },
  ] as const) {
    t.deepEqual(await trace(run(idx, true, { ...options, fault: { ...fault, times: 1 } })), expected, JSON.stringify(fault));
  }
  const evicted = { rank: 1, step: 5, phase: 'data', kind: 'throw', times: 3 } as const;
  t.deepEqual(await trace(run(idx, true, { ...options, fault: evicted })), expected);
});

test.serial('a run that is stopped in an epoch ends there', async (t) => {
  const steps = (streaming: boolean) => trace(run(idx, streaming, { onEpoch: ({ epoch }, control) => epoch === 1 && control.stop('enough') }));
  t.deepEqual(await steps(true), await steps(false));
  const { steps: done, stopped } = await train(run(idx, true, { epochs: 1000, onStep: ({ step }, control) => step === 3 && control.stop('enough') }));
  t.true(done < 11_000);
  t.is(stopped, 'enough');
});

test.serial('evaluation and prediction from disk are those from memory', async (t) => {
  const { model, normalization } = await train(run({ ...idx, normalize: 'minMax' } as DataConfigInput, false));
  const learnt = { normalization };
  const evaluated = async (streaming: boolean, workers: number) => {
    const { seconds, ...evaluation } = await evaluate({
      model,
      data: { ...idx, streaming } as DataConfigInput,
      learnt,
      loss: 'sparseCategoricalCrossentropy',
      metrics: ['accuracy'],
      batchSize: 30,
      shards: 6,
      workers,
      kernels: 'wasm',
    });
    return evaluation;
  };
  const predicted = async (streaming: boolean, workers: number) =>
    (await predict({ model, data: { ...idx, streaming } as DataConfigInput, learnt, batchSize: 30, shards: 6, workers, kernels: 'wasm' })).data;
  const [evaluation, prediction] = [await evaluated(false, 1), await predicted(false, 1)];
  const fault = { rank: 0, step: -1, phase: 'forward', kind: 'throw', times: 1 } as const;
  const mended = await predict({ model, data: { ...idx, streaming: true } as DataConfigInput, learnt, batchSize: 30, shards: 6, workers: 2, kernels: 'wasm', fault });
  t.deepEqual(mended.data, prediction);
  for (const workers of [1, 3]) {
    t.deepEqual(await evaluated(true, workers), evaluation);
    t.deepEqual(await predicted(true, workers), prediction);
  }
});

test.serial("a source of a user's own may name the file of its rows", async (t) => {
  const values = numbers(100 * 4, 1);
  const path = file('own.rows', Buffer.concat([Buffer.from('header'), Buffer.from(values.buffer)]));
  const own = {
    name: 'my rows',
    length: 100,
    inputShape: [4],
    inputType: 'float32',
    scale: 2,
    labels: { kind: 'class', values: Int32Array.from({ length: 100 }, (_, row) => row % 3) },
    readRows: (indices: Int32Array, into: Float32Array) => {
      for (const [at, row] of indices.entries()) into.set(values.subarray(4 * row, 4 * row + 4), 4 * at);
    },
    readAll: (into: Float32Array) => into.set(values),
  } as const satisfies Partial<DataSource> as DataSource;
  const options = (source: DataSource) => run(idx, false, { data: { train: source } });
  const streamed = { ...own, rowFile: { path, offset: 6, type: 'float32', rowSize: 4 } } as const;
  t.is((await trace(options(streamed))).weightsSha256, (await trace(options(own))).weightsSha256);
  t.is(
    await rejection('LOCKSTEP_USAGE', train(options({ ...streamed, rowFile: { ...streamed.rowFile, rowSize: 5 } }))),
    'Expected `data.train.rowFile.rowSize` to be the 4 numbers of a row, got `5`.',
  );
  t.regex(
    await rejection('LOCKSTEP_DATA', train(options({ ...streamed, rowFile: { ...streamed.rowFile, offset: 7 } }))),
    /to have at least 1607 bytes for its rows, got 1606;/,
  );
});

test.serial('a file that is cut while it trains ends the run with its reason, and no thread stays', async (t) => {
  const path = file('cut.npy', encodeNpy([1000, 8], numbers(8000, 2)));
  const targets = file('cut-y.npy', encodeNpy([1000], numbers(1000, 3)));
  const options = (workers: number): TrainOptions => ({
    model: sequential([layers.dense({ units: 1 })]),
    data: { train: { format: 'npy', inputs: path, labels: targets, streaming: true } },
    loss: 'meanSquaredError',
    optimizer: { type: 'sgd' },
    batchSize: 10,
    epochs: 100_000,
    kernels: 'wasm',
    shards: 2,
    workers,
    onStep: ({ step }) => step === 120 && truncateSync(path, 500),
  });
  for (const workers of [1, 2]) {
    writeFileSync(path, encodeNpy([1000, 8], numbers(8000, 2)));
    const message = await within(30_000, 'the end of the run', rejection('LOCKSTEP_DATA', train(options(workers))));
    t.regex(message, /^Rank \d failed in phase (data|wait) at step \d+: Expected `.*cut\.npy` to .*, got 500.*; the run ended with the step before it\.$/);
  }
});

test.serial('a file that is gone when its turn comes ends the run with its reason', async (t) => {
  const data = {
    ...idx,
    images: file(
      'gone.idx',
      idxBytes(
        [rows, 4, 4],
        Array.from({ length: 16 * rows }, (_, i) => i % 256),
      ),
    ),
  } as DataConfigInput;
  const source = await openInput({ ...data, streaming: true } as DataConfigInput, 'data.validation');
  const options = run(idx, true, { data: { train: idx, validation: source }, onStart: () => rmSync(source.rowFile!.path) });
  t.regex(
    await within(30_000, 'the end of the run', rejection('LOCKSTEP_FILE', train(options))),
    /^Rank \d failed in phase (data|wait) of an evaluation: Expected a file of rows at `.*gone\.idx`, but there is none; check the path; the run ended there\.$/,
  );
});

test.serial('100 MB on disk train with the ring alone in memory, to the bits of memory', async (t) => {
  const [length, width] = [100_000, 1024];
  const header = idxBytes([length, width], []);
  const images = file('large.idx', header);
  truncateSync(images, header.length + length * width);
  const handle = openSync(images, 'r+');
  for (let row = 0; row < length; row += 7) writeSync(handle, Uint8Array.of(row % 251, row % 13), 0, 2, header.length + row * width);
  closeSync(handle);
  const classes = file(
    'large-y.idx',
    idxBytes(
      [length],
      Uint8Array.from({ length }, (_, row) => row % 3),
    ),
  );
  let start: RunStart | undefined;
  const onStart = (told: RunStart): void => {
    start = told;
  };
  const options = (streaming: boolean) => run({ format: 'idx', images, labels: classes, scale: 255 }, streaming, { batchSize: 100, steps: 200, onStart });
  const streamed = await train(options(true));
  t.true(start!.arenaBytes < 2 ** 23, `${start!.arenaBytes} bytes`);
  const kept = await train(options(false));
  t.true(start!.arenaBytes > length * width);
  t.is(streamed.weightsSha256, kept.weightsSha256);
});

test.serial('what was converted for a run is gone when it ends, well or not', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-tmp-'));
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = folder;
  try {
    let during = 0;
    const onStart = (): void => {
      during = readdirSync(folder).length;
    };
    await train(run(csv, true, { onStart }));
    t.is(during, 1);
    t.deepEqual(readdirSync(folder), []);
    await t.throwsAsync(
      train(
        run(csv, true, {
          onStart: () => {
            throw new Error('on purpose');
          },
        }),
      ),
      { message: 'on purpose' },
    );
    t.deepEqual(readdirSync(folder), []);
  } finally {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
    rmSync(folder, { recursive: true });
  }
});

test('several hosts refuse it before anything is read', async (t) => {
  const message = 'Expected data in memory for a run on several hosts, got `streaming` in `data.train`; leave it out, or train on one machine.';
  const options = { onNews: () => {}, onListening: () => {}, minHosts: 1 } as unknown as Parameters<typeof serve>[0];
  const description = { train: parseDataConfig({ ...idx, streaming: true } as DataConfigInput) } as never;
  const refused = async (act: () => Promise<unknown>) => rejection('LOCKSTEP_CONFIG', Promise.resolve().then(act));
  t.is(await refused(async () => serve({ ...options, description })), message);
  const source = await openInput({ ...idx, streaming: true } as DataConfigInput, 'data.train');
  t.is(await refused(async () => serve(options)({ train: source } as never)), message);
});
