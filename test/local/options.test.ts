/**
 * Room: tests of local. What TypeScript would have refused gets a sentence at run time, for `train()` and `evaluate()`.
 */
import test from 'ava';
import type { ErrorCode } from '../../src/errors.ts';
import { layers } from '../../src/layers/factories.ts';
import { evaluate } from '../../src/local/evaluate.ts';
import { openInput } from '../../src/local/inputs.ts';
import { checkEvaluateOptions, checkTrainOptions } from '../../src/local/options.ts';
import { sequential } from '../../src/model/model.ts';
import { refusal, rejection } from '../data/folder.ts';

const model = sequential([layers.dense({ units: 2, inputShape: [1] })]);
const rows = { x: [[1], [2]], y: [0, 1] };
const least = { model, data: { train: rows }, loss: 'sparseCategoricalCrossentropy', optimizer: { type: 'sgd' } };
const refused = (changes: object, code: ErrorCode = 'LOCKSTEP_USAGE'): string => refusal(code, () => checkTrainOptions({ ...least, ...changes }));

const either = 'a set of rows: arrays ({ x, y }), files ({ format: "csv", file, label }), a named data set ({ dataset: "mnist", split: "train" }) or a DataSource';

test('options that are right pass', (t) => {
  t.notThrows(() => checkTrainOptions(least));
  t.notThrows(() =>
    checkTrainOptions({ ...least, data: { train: rows, validation: undefined }, init: 'w.safetensors', signal: AbortSignal.abort(), onStep() {}, seed: 3 }),
  );
  t.notThrows(() => checkEvaluateOptions({ model, data: rows, loss: 'meanSquaredError' }));
});

test('options that are no object are refused', (t) => {
  const rule = 'an object with `model`, `data`, `loss` and';
  t.is(
    refusal('LOCKSTEP_USAGE', () => checkTrainOptions(undefined)),
    `Expected \`options\` to be ${rule} \`optimizer\`, got nothing.`,
  );
  t.is(
    refusal('LOCKSTEP_USAGE', () => checkTrainOptions([])),
    `Expected \`options\` to be ${rule} \`optimizer\`, got \`[]\`.`,
  );
  t.is(
    refusal('LOCKSTEP_USAGE', () => checkEvaluateOptions(null)),
    `Expected \`options\` to be ${rule} \`loss\`, got \`null\`.`,
  );
});

test('first weights are a file, or a file and what its layers are called', (t) => {
  t.notThrows(() => checkTrainOptions({ ...least, init: { path: 'w.safetensors', names: { 'old_*': '*' }, partial: true } }));
  t.is(
    refused({ init: 7 }),
    'Expected `options.init` to be the path of a file of weights, or an object with `path` and, if wanted, `names` and `partial`, got `7`; for a seed use `seed`.',
  );
  t.is(refused({ init: {} }), 'Expected `options.init.path` to be the path of a file of weights, got nothing.');
  t.is(refused({ init: { path: 'w', partial: 1 } }), 'Expected `options.init.partial` to be true or false, got `1`.');
  t.is(
    refused({ init: { path: 'w', names: { a: 1 } } }),
    "Expected `options.init.names` to be names of layers in the file and in the model, { 'encoder_*': '*' }, got `{\"a\":1}`.",
  );
  t.regex(refused({ init: { path: 'w', names: { a: '*' } } }), /at most one `\*`/);
  t.regex(refused({ init: { path: 'w', name: 'x' } }, 'LOCKSTEP_CONFIG'), /Unknown key `options.init.name`/);
});

test('a model as plain data is refused with the way to make one', (t) => {
  t.is(
    refused({ model: { layers: [] } }),
    'Expected `options.model` to be a Model, got `{"layers":[]}`; make one with `sequential([...])`, from a config with `new Model(parseModelConfig(config))`.',
  );
});

test('data that is not { train } is refused with its mend', (t) => {
  const rule = 'Expected `data` to be an object with `train` and, if wanted, `validation`, got';
  t.is(refused({ data: rows }), `${rule} \`{"x":[[1],[2]],"y":[0,1]}\`; put these rows under \`train\`.`);
  t.is(refused({ data: { dataset: 'mnist', split: 'train' } }), `${rule} \`{"dataset":"mnist","split":"train"}\`; put these rows under \`train\`.`);
  t.is(refused({ data: 'mnist' }), `${rule} \`"mnist"\`; use \`datasets.mnist()\`.`);
  t.is(refused({ data: undefined }), `${rule} nothing; add \`{ train: { x, y } }\`.`);
  t.is(refused({ data: {} }), `Expected \`data.train\` to be ${either}, got nothing; add it.`);
  t.is(refused({ data: { train: 'mnist' } }), `Expected \`data.train\` to be ${either}, got \`"mnist"\`.`);
  t.is(refused({ data: { train: rows, validation: null } }), `Expected \`data.validation\` to be ${either}, got \`null\`.`);
});

test('misspelt keys are refused with the right ones', (t) => {
  t.is(refused({ data: { train: rows, validaton: rows } }, 'LOCKSTEP_CONFIG'), 'Unknown key `data.validaton`; did you mean `validation`? (known: train, validation).');
  t.regex(refused({ onStpe() {} }, 'LOCKSTEP_CONFIG'), /^Unknown key `options\.onStpe`; did you mean `onStep`\? \(known: model, data, init, /);
  t.regex(refused({ batchsize: 4 }, 'LOCKSTEP_CONFIG'), /^Unknown key `options\.batchsize`; did you mean `batchSize`\?/);
});

test('init, signal and callbacks are what they must be', (t) => {
  t.is(
    refused({ init: 5 }),
    'Expected `options.init` to be the path of a file of weights, or an object with `path` and, if wanted, `names` and `partial`, got `5`; for a seed use `seed`.',
  );
  t.is(refused({ signal: new AbortController() }), 'Expected `options.signal` to be an AbortSignal, got `{}`; give the `signal` of an AbortController.');
  for (const name of ['onStep', 'onEpoch', 'onEvent', 'onStart']) t.is(refused({ [name]: 'log' }), `Expected \`options.${name}\` to be a function, got \`"log"\`.`);
});

test('evaluate refuses the same mistakes', async (t) => {
  const loss = 'meanSquaredError';
  await t.throwsAsync(evaluate(undefined as never), { code: 'LOCKSTEP_USAGE', message: /^Expected `options` to be an object with/ });
  await t.throwsAsync(evaluate({ model: {}, data: rows, loss } as never), { code: 'LOCKSTEP_USAGE', message: /^Expected `options\.model` to be a Model, got/ });
  await t.throwsAsync(evaluate({ model, data: 'mnist', loss } as never), { code: 'LOCKSTEP_USAGE', message: `Expected \`data\` to be ${either}, got \`"mnist"\`.` });
  await t.throwsAsync(evaluate({ model, data: rows, loss, onKernels: 5 } as never), {
    code: 'LOCKSTEP_USAGE',
    message: /^Expected `options\.onKernels` to be a function/,
  });
  await t.throwsAsync(evaluate({ model, data: rows, loss, optimizer: { type: 'sgd' } } as never), {
    code: 'LOCKSTEP_CONFIG',
    message: /^Unknown key `options\.optimizer`/,
  });
});

test('rows of any kind are checked when they are opened', async (t) => {
  for (const input of [undefined, null, 5, 'mnist', [[1]], new Float32Array(2)]) {
    t.regex(await rejection('LOCKSTEP_USAGE', openInput(input as never, 'data.train')), /^Expected `data\.train` to be a set of rows: /);
  }
  const own = { ...(await openInput(rows, 'data')), length: 0 };
  t.is(await rejection('LOCKSTEP_USAGE', openInput(own, 'data.train')), 'Expected `data.train.length` to be an integer >= 1, got `0`.');
});
