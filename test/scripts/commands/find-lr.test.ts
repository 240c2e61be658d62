/**
 * Room: tests of scripts. `lockstep find-lr`: a growing rate, its table, its plot, and the rate of the steepest descent.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'ava';
import { RateRange } from '../../../scripts/plot/rate-range.ts';
import { temporaryFolder } from '../../data/folder.ts';
import { lockstep, writeRun } from '../command.ts';

const file = temporaryFolder();
const run = writeRun(file);
const at = (name: string): string => join(dirname(run), name);

test('rates grow from the first to the last, and one between them is suggested', async (t) => {
  const ask = async (...more: string[]) => await lockstep('find-lr', run, '--from', '1e-4', '--to', '1', '--steps', '41', '--shards', '2', ...more);
  const { code, stdout, stderr } = await ask('--out', at('rates.svg'), '--workers', '1');
  t.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  const [header, ...rest] = stdout.split('\n');
  t.is(header, 'rate      loss        smoothed');
  const rates = rest.filter((line) => /^\d\.\d\de/.test(line)).map((line) => Number(line.split(' ')[0]));
  // Every third of 41 steps: step i, from 0, has the rate 1e-4 * 10^(i / 10).
  t.deepEqual(rates.slice(0, 3), [1.58e-4, 3.16e-4, 6.31e-4]);
  const suggested = Number(/^suggested learningRate: (\S+)$/m.exec(stdout)?.[1]);
  t.true(suggested > 1e-4 && suggested < 1, stdout);
  t.regex(readFileSync(at('rates.svg'), 'utf8'), />learning rate<\/text>/);
  t.is((await ask('--workers', '2')).stdout, stdout.replace(`wrote ${at('rates.svg')}\n`, ''));
});

test('ends in the wrong order and rates that are none are refused', async (t) => {
  t.is((await lockstep('find-lr', run, '--from', '1', '--to', '0.1')).stderr, 'lockstep: Expected `--from` to be less than `--to`, `0.1`, got `1`; exchange them.\n');
  t.regex((await lockstep('find-lr', run, '--from', '0')).stderr, /Expected a number > 0/);
});

test('the suggestion is where the smoothed loss falls fastest, and a loss that grows fourfold has diverged', (t) => {
  const range = new RateRange();
  const losses = Array.from({ length: 60 }, (_, i) => (i < 20 ? 2 : i < 40 ? 2 - 0.09 * (i - 20) : 0.2 + 2 * (i - 40)));
  const ends = losses.map((loss, i) => range.add(1e-6 * 10 ** (i / 10), loss));
  t.false(ends.slice(0, 41).includes(true));
  t.true(ends.slice(41).includes(true));
  const step = Math.round(10 * Math.log10(range.suggestion! / 1e-6));
  t.true(step >= 20 && step <= 40, `${step}`);
  const flat = new RateRange();
  for (let i = 0; i < 20; i++) t.false(flat.add(1e-6 * 2 ** i, 1));
  t.is(flat.suggestion, undefined);
  t.true(flat.add(1, Number.NaN));
});
