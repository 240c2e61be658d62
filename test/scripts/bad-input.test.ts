/**
 * Room: tests of scripts. Everything a user can get wrong: one sentence on standard error with the place, what was received
 * and the mend; nothing else, exit code 2, and nothing written.
 */
import { existsSync, readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { encodeSafetensors } from '../../src/checkpoint/safetensors.ts';
import { idxBytes, temporaryFolder } from '../data/folder.ts';
import { config, lockstep, packageRoot, pictures, program, type Result, start, writeRun } from './command.ts';

const file = temporaryFolder();
const run = writeRun(file);
const folder = dirname(run);
const at = (name: string): string => join(folder, name);

/** A config with changes, by a name of its own. */
const changed = (name: string, changes: object): string => file(`${name}.json`, JSON.stringify({ ...config, ...changes }));
const layers = (...last: object[]): object => ({ model: { layers: [{ type: 'flatten' }, ...last] } });
const output = { type: 'dense', units: 3, activation: 'softmax' };
const data = (changes: object): object => ({ data: { train: { ...config.data.train, ...changes } } });

function refused(t: ExecutionContext, { code, stdout, stderr }: Result, sentence: string): void {
  t.deepEqual({ code, stdout, stderr }, { code: 2, stdout: '', stderr: `lockstep: ${sentence}\n` });
}

/** `lockstep train` of the arguments is refused with the sentence. */
const trainRefused = (title: string, args: () => string[], sentence: () => string): void => {
  test(title, async (t) => refused(t, await lockstep('train', ...args()), sentence()));
};

// The config file

trainRefused(
  'an unknown key of a config',
  () => [changed('key', { learningRte: 0.1 })],
  () =>
    'Unknown key `learningRte` (known: model, data, loss, metrics, optimizer, classWeight, batchSize, gradientAccumulationSteps, validationBatchSize, epochs, steps, shuffle, dropRemainder, validationSplit, stratify, seed, shards, workers, kernels, onNonFinite, earlyStopping, reduceLROnPlateau, freeze, haltAfterSkipped).',
);
trainRefused(
  'a misspelt key of a layer',
  () => [changed('layer-key', layers({ type: 'dense', unit: 3, activation: 'softmax' }))],
  () =>
    'Unknown key `model.layers[1].unit`; did you mean `units`? (known: type, name, inputShape, trainable, units, activation, useBias, kernelInitializer, biasInitializer, kernelRegularizer, biasRegularizer, activityRegularizer, kernelConstraint, biasConstraint).',
);
trainRefused(
  'a config that is no JSON',
  () => [file('broken.json', '{\n  "model": {,\n}\n')],
  () => `Expected the config file \`${at('broken.json')}\` to be JSON, got a mistake at line 2, column 13: a key in double quotes or \`}\` belongs there.`,
);
trainRefused(
  'a config that is not there',
  () => [at('absent.json')],
  () => `Expected a config file at \`${at('absent.json')}\`, but there is none; check the path.`,
);
trainRefused(
  'a batch smaller than the shards of the config',
  () => [changed('shards', { batchSize: 4, shards: 8 })],
  () => 'Expected `shards` to be at most the batch size, 4, so that every shard has a row, got `8`.',
);
trainRefused(
  'a batch smaller than the shards of the command line',
  () => [run, '--shards', '51'],
  () => 'Expected `shards` to be at most the batch size, 50, so that every shard has a row, got `51`.',
);
trainRefused(
  'a batch smaller than the workers, of which each would be a shard',
  () => [run, '--workers', '51'],
  () => 'Expected `workers` to be at most the batch size, 50, so that every shard has a row, got `51`.',
);

// Shapes

trainRefused(
  'a declared input shape that is not that of the data',
  () => [changed('input', { model: { layers: [{ type: 'flatten', inputShape: [28, 28] }, output] } })],
  () => "Expected `model.layers[0].inputShape` to be the shape of the data's samples, (4, 4), got (28, 28); change it or leave it out.",
);
trainRefused(
  'a reshape to another number of numbers',
  () => [changed('reshape', layers({ type: 'reshape', targetShape: [3, 5] }, { type: 'flatten' }, output))],
  () => 'Expected `model.layers[1].targetShape` to hold the 16 numbers of its input (16,), got (3, 5); choose dimensions whose product is 16.',
);
trainRefused(
  'a normalisation over an axis that is not there',
  () => [changed('axis', layers({ type: 'batchNormalization', axis: 3 }, output))],
  () => 'Expected `model.layers[1].axis` to name different dimensions from 1 to 1 of (None, 16), got 3; 0 is the batch, -1 the last dimension.',
);
trainRefused(
  'a mask that reaches the output',
  () => [changed('mask', { model: { layers: [{ type: 'flatten' }, { type: 'masking', name: 'padding' }, output] } })],
  () =>
    "Expected the mask of `padding` to end before the model's output, got one that reaches it, which losses do not know; put a flatten or a reshape behind the last normalization that is to heed it.",
);
trainRefused(
  'a model that does not end in one number a class',
  () => [changed('classes', { model: { layers: [output] } })],
  () => 'Expected the model to give one number a class, shape (classes,), got (4, 3); end with flatten and dense layers.',
);
trainRefused(
  'a model that does not end in softmax',
  () => [changed('softmax', layers({ type: 'dense', units: 3 }))],
  () =>
    'Expected the last layer to end in softmax for the loss sparseCategoricalCrossentropy; give it `activation: "softmax"`, or the loss `{ type: "sparseCategoricalCrossentropy", fromLogits: true }`.',
);
trainRefused(
  'classes for a loss on target values',
  () => [changed('targets', { loss: 'meanSquaredError', metrics: [] })],
  () => 'Expected the labels of `data.train` to be target values for the loss meanSquaredError, got classes; give targets, or use sparseCategoricalCrossentropy.',
);

// Data

trainRefused(
  'labels without a unit for them',
  () => [changed('labels', layers({ ...output, units: 2 }))],
  () => {
    const row = pictures(200, 1).labels.subarray(8).indexOf(2);
    return `Expected the labels of \`${at('train-images')}\` to be from 0 to 1, got \`2\` in row ${row}; mend the labels or give the last layer at least 3 units.`;
  },
);
trainRefused(
  'a truncated file of images',
  () => {
    truncateSync(file('cut-images', pictures(200, 1).images), 16 + 1234);
    return [changed('cut', data({ images: 'cut-images' }))];
  },
  () => `Expected \`${at('cut-images')}\` to hold 200 x 4 x 4 = 3200 bytes after its header, got 1234; the file is truncated: fetch it again.`,
);
trainRefused(
  'a file that is no IDX file',
  () => [changed('text', data({ labels: 'run.json' }))],
  () => `Expected \`${at('run.json')}\` to be an IDX file, got a file that starts with 7b226d6f; check that it is the right file and fetch it again.`,
);
trainRefused(
  'images and labels of different length',
  () => {
    file('few-labels', idxBytes([3], [0, 1, 2]));
    return [changed('few', data({ labels: 'few-labels' }))];
  },
  () => `Expected \`${at('few-labels')}\` to hold a label for each of the 200 rows of \`${at('train-images')}\`, got 3; check that the files belong together.`,
);
trainRefused(
  'a limit beyond the rows',
  () => [changed('limit', data({ limit: 201 }))],
  () => `Expected \`limit\` to be at most 200, the rows of \`${at('train-images')}\`, got \`201\`; lower it or leave it out.`,
);
trainRefused(
  'images that are not there',
  () => [changed('absent-images', data({ images: 'absent-images' }))],
  () => `Expected an image file at \`${at('absent-images')}\`, but there is none; check the path, which is relative to the config file.`,
);

// Memory

for (const [title, changes, received, mend] of [
  [
    'a model',
    layers({ type: 'dense', units: 100_000 }, { type: 'dense', units: 20_000 }, output),
    '29.83 GiB of which 14.91 GiB are gradients',
    'use fewer shards or fewer units',
  ],
  ['a layer beyond all measure', layers({ type: 'dense', units: 1e12 }, output), '', 'use fewer shards or fewer units'],
  [
    'a batch',
    { ...layers({ type: 'dense', units: 2_000_000 }, output), batchSize: 200 },
    '',
    'use a smaller batchSize, with gradientAccumulationSteps for the same steps, or fewer units',
  ],
  [
    'a permutation of axes',
    {
      model: {
        layers: [
          { type: 'flatten' },
          { type: 'dense', units: 65_536 * 4096 },
          { type: 'reshape', targetShape: [65_536, 4096] },
          { type: 'batchNormalization', axis: 1 },
          { type: 'flatten' },
          output,
        ],
      },
    },
    '',
    'use fewer shards or fewer units',
  ],
] as const) {
  test(`${title} that does not fit 4 GiB`, async (t) => {
    const path = changed(title.replaceAll(' ', '-'), changes);
    for (const command of [
      ['train', path],
      ['summary', path, '--memory'],
    ]) {
      const { code, stderr } = await lockstep(...command);
      t.is(code, 2);
      t.true(stderr.startsWith(`lockstep: Expected the run to fit the 4 GiB of a host's arena, got ${received}`), stderr);
      t.regex(stderr, new RegExp(`^[^\\n]+ got [\\d.]+ GiB of which [\\d.]+ GiB are \\w+; ${mend}\\.\\n$`));
    }
  });
}

// Options

trainRefused(
  'no config',
  () => [],
  () => 'missing required argument \'config\'; see "lockstep --help".',
);
trainRefused(
  'an unknown option',
  () => [run, '--step', '3'],
  () => 'unknown option \'--step\' (Did you mean --steps?); see "lockstep --help".',
);
trainRefused(
  'workers that are no integer',
  () => [run, '--workers', '1.5'],
  () => "option '--workers <n>' argument '1.5' is invalid. Expected an integer >= 1; see \"lockstep --help\".",
);
trainRefused(
  'no steps at all',
  () => [run, '--steps', '0'],
  () => "option '--steps <n>' argument '0' is invalid. Expected an integer >= 1; see \"lockstep --help\".",
);
trainRefused(
  'kernels of no known name',
  () => [run, '--kernels', 'gpu'],
  () => "option '--kernels <set>' argument 'gpu' is invalid. Allowed choices are auto, wasm, blas; see \"lockstep --help\".",
);
trainRefused(
  'one argument too many',
  () => [run, 'more'],
  () => 'too many arguments for \'train\'. Expected 1 argument but got 2; see "lockstep --help".',
);

test('an unknown command, no command and missing weights are refused', async (t) => {
  refused(t, await lockstep('trian', run), 'unknown command \'trian\' (Did you mean train?); see "lockstep --help".');
  refused(t, await lockstep(), 'Expected a command, got none; see "lockstep --help".');
  refused(t, await lockstep('evaluate', run), 'required option \'--weights <file>\' not specified; see "lockstep --help".');
});

// Weights

test('weights that are missing, damaged or of another model are refused', async (t) => {
  const absent = at('absent.safetensors');
  const missing = `Expected a weights file at \`${absent}\`, but there is none; check the path.`;
  refused(t, await lockstep('train', run, '--init', absent), missing);
  refused(t, await lockstep('evaluate', run, '--weights', absent), missing);
  const config = `Expected \`${run}\` to be a layers model of TensorFlow.js with a \`weightsManifest\`, got none; it is another JSON file.`;
  refused(t, await lockstep('train', run, '--init', run), config);
  const table = at('table.csv');
  writeFileSync(table, 'a,b,c\n1,2,3\n');
  refused(
    t,
    await lockstep('train', run, '--init', table),
    `Expected the header of \`${table}\` to fit its ${statSync(table).size} bytes, got a header length of ${Buffer.from('a,b,c\n1,').readBigUInt64LE()}; it is truncated or not a safetensors file.`,
  );

  const other = at('other.safetensors');
  writeFileSync(
    other,
    encodeSafetensors([
      { name: 'dense/kernel', shape: [2, 2], data: new Float32Array(4) },
      { name: 'old/bias', shape: [1], data: new Float32Array(1) },
    ]),
  );
  const sentence =
    `Expected \`${other}\` to hold exactly the weights of the model, got without \`batch_normalization/gamma\`, \`batch_normalization/beta\`, \`batch_normalization/moving_mean\` and 4 more` +
    ' and with the unknown `old/bias`; it belongs to another model or its layers have other names.';
  refused(t, await lockstep('train', run, '--init', other), sentence);
  refused(t, await lockstep('evaluate', run, '--weights', other), sentence);

  const plain = changed('plain', layers(output));
  const shape = at('shape.safetensors');
  writeFileSync(
    shape,
    encodeSafetensors([
      { name: 'dense/kernel', shape: [3, 16], data: new Float32Array(48) },
      { name: 'dense/bias', shape: [3], data: new Float32Array(3) },
    ]),
  );
  refused(
    t,
    await lockstep('train', plain, '--init', shape),
    `Expected \`dense/kernel\` of \`${shape}\` to have the shape (16, 3), got (3, 16); it belongs to another model.`,
  );
});

test('names of layers without a file, or that cannot be, are refused', async (t) => {
  refused(t, await lockstep('train', run, '--init-partial'), 'Expected `--init-partial` beside `--init`, got no file to take weights from; add `--init F`.');
  refused(t, await lockstep('train', run, '--init-names', 'a=b'), 'Expected `--init-names` beside `--init`, got no file to take weights from; add `--init F`.');
  const words = "Expected a layer's name in the file, `=`, and its name in the model";
  for (const pair of ['a', 'a=', '=b', 'a=b=c'])
    refused(
      t,
      await lockstep('train', run, '--init', 'w.safetensors', '--init-names', pair),
      `option '--init-names <from=to>' argument '${pair}' is invalid. ${words}; see "lockstep --help".`,
    );
  refused(
    t,
    await lockstep('train', run, '--init', 'w.safetensors', '--init-names', 'a=*'),
    'Expected names of layers with at most one `*`, and none on the right without one on the left, got `a` and `*`; name what differs.',
  );
});

// Places to write to

test('a place that cannot be written is refused before the training, not after it', async (t) => {
  const nowhere = at('absent/weights.safetensors');
  const words = (path: string, code: string): string =>
    `Expected to write the weights file \`${path}\`, but the system refused (${code}); check that its folder exists and can be written.`;
  const endless = ['train', run, '--epochs', '100000000'];
  refused(t, await lockstep(...endless, '--save', nowhere), words(nowhere, 'ENOENT'));
  refused(t, await lockstep(...endless, '--save', folder), words(folder, 'EISDIR'));
  const under = join(run, 'weights.safetensors');
  refused(t, await lockstep(...endless, '--save', under), words(under, 'ENOTDIR'));
  const log = at('absent/run.jsonl');
  refused(
    t,
    await lockstep(...endless, '--log', log),
    `Expected to write the log \`${log}\`, but the system refused (ENOENT); check that its folder exists and can be written.`,
  );
  t.deepEqual(
    readdirSync(folder).filter((name) => name.includes('.tmp')),
    [],
  );
  t.false(existsSync(nowhere));
});

// Kernels

test('a machine without koffi runs on wasm and says so, and refuses blas with the mend', async (t) => {
  const without = file(
    'without-koffi.cjs',
    "const Module = require('node:module');\nconst load = Module._load;\nModule._load = function (name, ...rest) {\n  if (name === 'koffi') throw new Error('no binary for this machine');\n  return load.call(this, name, ...rest);\n};\n",
  );
  const train = async (kernels: string): Promise<Result> =>
    await start(process.execPath, ['--require', without, program, 'train', run, '--steps', '1', '--kernels', kernels]).end;
  refused(
    t,
    await train('blas'),
    'Expected a fast BLAS for the kernels "blas", got none (koffi cannot be loaded: no binary for this machine); install koffi with its binary for this platform (npm install koffi), or use "auto".',
  );
  const { code, stdout } = await train('auto');
  t.is(code, 0);
  t.true(
    stdout.includes(
      'kernels wasm: no fast BLAS was found; install koffi with its binary for this platform (npm install koffi) for matrix products two to three times as fast.\n',
    ),
    stdout,
  );
});

test('verbose adds code and stack to the sentence', async (t) => {
  const { code, stdout, stderr } = await lockstep('--verbose', 'train', at('absent.json'));
  t.deepEqual({ code, stdout }, { code: 2, stdout: '' });
  const [sentence, errorCode, name] = stderr.split('\n');
  t.is(sentence, `lockstep: Expected a config file at \`${at('absent.json')}\`, but there is none; check the path.`);
  t.is(errorCode, 'LOCKSTEP_FILE');
  t.true(name!.startsWith('LockstepError: '));
  t.regex(stderr, /\n {4}at /);
});

test('a run whose numbers stop being finite fails with exit code 1', async (t) => {
  const { code, stderr } = await lockstep('train', changed('exploding', { optimizer: { type: 'sgd', learningRate: 1e38 }, epochs: 50 }), '--quiet');
  t.is(code, 1);
  t.regex(
    stderr,
    /^lockstep: Expected finite losses and gradients, got a loss of \S+ and a gradient norm of \S+ at step \d+, after 5 skipped steps in a row, not finite first in phase \w+.*; lower the learning rate, set globalClipnorm, or check the data\.\n$/,
  );
});

test('the example configs are accepted', async (t) => {
  for (const name of readdirSync(join(packageRoot, 'examples')).filter((entry) => entry.endsWith('.json'))) {
    const { code, stderr } = await lockstep('summary', join(packageRoot, 'examples', name));
    t.deepEqual({ code, stderr }, { code: 0, stderr: '' }, name);
  }
});
