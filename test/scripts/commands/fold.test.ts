/**
 * Room: tests of scripts. `lockstep fold`: a trained model becomes one without normalisations that predicts the same.
 */
import { dirname, join } from 'node:path';
import test from 'ava';
import { Model } from '../../../src/model/model.ts';
import { temporaryFolder } from '../../data/folder.ts';
import { lockstep, pictures, writeRun } from '../command.ts';

const file = temporaryFolder();
const run = writeRun(file);
const at = (name: string): string => join(dirname(run), name);

test('what was trained is folded, compared on the rows that judge it, and written as a whole model', async (t) => {
  const [weights, out] = [at('weights.safetensors'), at('folded.safetensors')];
  t.is((await lockstep('train', run, '--epochs', '1', '--quiet', '--save', weights)).code, 0);
  const { code, stdout, stderr } = await lockstep('fold', run, '--weights', weights, '--out', out);
  t.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  const [before, after] = [Model.from(weights), Model.from(out)];
  const normalizations = before.topology.layers.filter(({ config }) => config.type === 'batchNormalization').map(({ name }) => name);
  t.true(normalizations.length > 0);
  for (const name of normalizations) t.regex(stdout, new RegExp(`^${name}: folded into dense`, 'm'));
  t.regex(stdout, /rows of .*: outputs differ by at most \d\.\de-\d+, [\d.]+ us a row became [\d.]+ us, [\d.]+ times as fast\n/);
  const rows = Float32Array.from(pictures(300, 9).images.subarray(16), (byte) => byte / 255);
  const [a, b] = [before.predict(rows).data, after.predict(rows).data];
  t.true(a.every((value, i) => Math.abs(value - b[i]!) < 1e-5));
  t.is(after.topology.layers.length, before.topology.layers.length - normalizations.length);
});
