/**
 * Room: tests of scripts. `lockstep convert`, and files of other libraries where commands take weights.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'ava';
import { Model } from '../../../src/model/model.ts';
import { temporaryFolder } from '../../data/folder.ts';
import { lockstep, program, start, writeRun } from '../command.ts';

const run = writeRun(temporaryFolder());
const at = (name: string): string => join(dirname(run), name);

test.before(async (t) => {
  t.is((await lockstep('train', run, '--epochs', '1', '--quiet', '--save', at('model.safetensors'))).code, 0);
  t.is((await lockstep('convert', at('model.safetensors'), at('web'))).code, 0);
});

test('a model goes to TensorFlow.js, back, and to ONNX, with the same weights', async (t) => {
  const { weightsSha256 } = Model.from(at('model.safetensors'));
  const conversions = { 'again.safetensors': 'web/model.json', 'model.onnx': 'web' };
  for (const [to, from] of Object.entries(conversions)) {
    const { code, stdout, stderr } = await lockstep('convert', at(from), at(to));
    t.deepEqual({ code, stdout, stderr }, { code: 0, stdout: `${at(to)}: 4 layers, 227 parameters, weights ${weightsSha256}\n`, stderr: '' });
    t.true(existsSync(at(to)));
  }
});

test('commands that take weights take those of other libraries', async (t) => {
  const evaluated = async (weights: string): Promise<string> =>
    (await lockstep('evaluate', run, '--weights', at(weights), '--workers', '1', '--shards', '1', '--json')).stdout;
  const expected = await evaluated('model.safetensors');
  t.regex(expected, /"weightsSha256":/);
  t.is((await evaluated('web/model.json')).replace(/"seconds":[^,}]*/, ''), expected.replace(/"seconds":[^,}]*/, ''));

  const trained = async (init: string): Promise<string> =>
    (await lockstep('train', run, '--init', at(init), '--steps', '1', '--shards', '2')).stdout.match(/weights [0-9a-f]{64}/)![0];
  t.is(await trained('web'), await trained('model.safetensors'));
});

/** Tells every module that is asked for on standard error. */
const tellImports = `data:text/javascript,import{register}from'node:module';register(${JSON.stringify(
  `data:text/javascript,import{writeSync}from'node:fs';export async function resolve(name,context,next){writeSync(2,name+'\\n');return next(name,context)}`,
)})`;

test('libraries of formats are loaded only where such a file is named', async (t) => {
  const imported = async (...args: string[]): Promise<string[]> => {
    const { code, stderr } = await start(process.execPath, ['--import', tellImports, program, ...args]).end;
    t.is(code, 0, stderr);
    return stderr.split('\n').filter((name) => /^(?:h5wasm|protobufjs)/.test(name));
  };
  t.deepEqual(await imported('train', run, '--steps', '1', '--quiet', '--init', at('web')), []);
  t.deepEqual(await imported('convert', at('web'), at('lazy.onnx')), ['protobufjs/minimal.js']);
});

test('training saves safetensors alone, and says so before it begins', async (t) => {
  const { code, stderr } = await lockstep('train', run, '--save', at('model.onnx'));
  t.is(code, 2);
  t.regex(stderr, /^lockstep: Expected a name for a safetensors file, got `.*model\.onnx`; save it as \.safetensors, /);
});

test('what cannot be converted is said in one line', async (t) => {
  const { code, stderr } = await lockstep('convert', at('model.pb'), at('x.onnx'));
  t.is(code, 2);
  t.is(stderr, `lockstep: Expected a model file with one of the endings .safetensors, .json, .keras, .h5, got \`${at('model.pb')}\`; choose one of them.\n`);
});
