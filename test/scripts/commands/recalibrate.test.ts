/**
 * Room: tests of scripts. `lockstep recalibrate`: the statistics of a trained model computed anew, by any number of workers alike.
 */
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'ava';
import { Model } from '../../../src/model/model.ts';
import { temporaryFolder } from '../../data/folder.ts';
import { config, lockstep, writeRun } from '../command.ts';

const run = writeRun(temporaryFolder());
const at = (name: string): string => join(dirname(run), name);

test('moving statistics change and weights do not, whoever computes', async (t) => {
  const weights = at('weights.safetensors');
  t.is((await lockstep('train', run, '--epochs', '1', '--quiet', '--save', weights)).code, 0);
  const before = Model.from(weights);
  const hashes: string[] = [];
  for (const workers of ['1', '2']) {
    const out = at(`recalibrated-${workers}.safetensors`);
    const { code, stdout, stderr } = await lockstep('recalibrate', run, '--weights', weights, '--out', out, '--workers', workers, '--shards', '4');
    t.deepEqual({ code, stderr }, { code: 0, stderr: '' });
    const after = Model.from(out);
    t.regex(stdout, new RegExp(`: statistics of [\\d,]+ rows written to .*, weights ${after.weightsSha256}\n$`));
    hashes.push(after.weightsSha256);
    for (const [i, { name, data }] of after.getWeights().entries()) {
      const old = before.getWeights()[i]!.data;
      if (name.includes('/moving_')) t.notDeepEqual(data, old, name);
      else t.deepEqual(data, old, name);
    }
  }
  t.is(hashes[0], hashes[1]);
});

test('layers that the run freezes keep their statistics', async (t) => {
  const [path, weights, out] = [at('frozen.json'), at('trained.safetensors'), at('frozen.safetensors')];
  const { layers } = config.model;
  const model = { layers: [...layers.slice(0, -1), { type: 'batchNormalization', name: 'second' }, layers.at(-1)] };
  writeFileSync(path, JSON.stringify({ ...config, model, freeze: [{ layers: 'batch_*' }] }));
  t.is((await lockstep('train', path, '--epochs', '1', '--quiet', '--save', weights)).code, 0);
  const { code, stderr } = await lockstep('recalibrate', path, '--weights', weights, '--out', out);
  t.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  const before = Model.from(weights).getWeights();
  for (const [i, { name, data }] of Model.from(out).getWeights().entries()) {
    if (name.startsWith('second/moving_')) t.notDeepEqual(data, before[i]!.data, name);
    else t.deepEqual(data, before[i]!.data, name);
  }
});
